using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using MiniMaxSharp.Models;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>minimax train dpo: from settings and pairs of answers to a checkpoint, and an adapter if that is what was trained.</summary>
internal static class PreferenceTraining
{
    public static void Run(PreferenceSettings settings, Device device, LiveConsole console, CancellationToken cancellation)
    {
        var folder = new RunFolder(settings);
        using var tuned = new TunedModel(settings, settings.Lora, device);
        IReadOnlyList<PreferencePair> data = Read(settings.Data!), validation = settings.Validation is { } path ? Read(path) : [];
        IReadOnlyList<PreferencePair[]> plan = settings.Plan(data);
        using MiniMaxForCausalLM? reference = tuned.Adapter is null ? MiniMaxForCausalLM.Load(settings.Model, device) : null;
        var options = new DpoOptions
        {
            LearningRate = new LearningRateSchedule(settings.LearningRate, plan.Count) { WarmupSteps = Math.Min(20, plan.Count) },
            Beta = settings.Beta,
        };
        DpoTrainer trainer = tuned.Adapter is { } adapter ? new(tuned.Model, tuned.Optimizer, adapter, options) : new(tuned.Model, tuned.Optimizer, reference!, options);
        tuned.Train(folder, console, (record, progress) => new PreferenceRun(trainer, plan, validation, record, progress, settings.SaveEvery).Train(cancellation));

        IReadOnlyList<PreferencePair> Read(string file) => PreferenceData.Read(file, tuned.Tokenizer, tuned.MaxLength);
    }

    /// <summary>Goes through the plan, from where the progress is.</summary>
    private sealed class PreferenceRun(
        DpoTrainer trainer, IReadOnlyList<PreferencePair[]> plan, IReadOnlyList<PreferencePair> validation, RunRecord record, TrainingProgress progress, int saveEvery)
    {
        private int _done;

        public void Train(CancellationToken cancellation)
        {
            if (progress.Exists)
            {
                _done = progress.Load(state => (int)state["done"]!, []);
            }
            else
            {
                Measure();
            }

            try
            {
                while (_done < plan.Count)
                {
                    cancellation.ThrowIfCancellationRequested();
                    Step();
                }
            }
            catch (OperationCanceledException)
            {
                Save();
                throw;
            }
        }

        // What is measured after the last step belongs to it: a run that is killed before has it still to do.
        private void Step()
        {
            var clock = Stopwatch.StartNew();
            DpoStep done = trainer.Step(plan[_done], _done);
            record.Step("preference", _done, plan.Count, Metrics(done, clock.Elapsed.TotalSeconds));
            _done++;
            if (_done == plan.Count)
            {
                Measure();
            }

            if (_done % saveEvery == 0)
            {
                Save();
            }
        }

        private void Save() => progress.Save(new JsonObject { ["done"] = _done }, []);

        private void Measure()
        {
            if (validation.Count > 0)
            {
                DpoEvaluation found = trainer.Evaluate(validation);
                record.Measured(
                    "validation", _done, string.Create(CultureInfo.InvariantCulture, $"step {_done}: validation loss {found.Loss:F4}, accuracy {found.Accuracy:F3}"), Metrics(found));
            }
        }
    }

    private static TrainingMetrics Metrics(DpoStep step, double seconds) => new(
    [
        .. Metrics(step.Before),
        (MetricNames.GradientNorm, step.GradientNorm),
        (MetricNames.LearningRate, step.LearningRate),
        (MetricNames.StepTime, seconds),
    ]);

    // By the names of other trainers of preferences.
    private static (string, double)[] Metrics(DpoEvaluation found) =>
    [
        (MetricNames.Loss, found.Loss),
        ("rewards/accuracies", found.Accuracy),
        ("rewards/chosen", found.ChosenReward),
        ("rewards/rejected", found.RejectedReward),
        ("rewards/margins", found.ChosenReward - found.RejectedReward),
    ];
}
