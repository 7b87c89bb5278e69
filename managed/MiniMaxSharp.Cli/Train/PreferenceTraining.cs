using System.Diagnostics;
using System.Globalization;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>minimax train dpo: from settings and pairs of answers to a checkpoint, and an adapter if that is what was trained.</summary>
internal static class PreferenceTraining
{
    public static void Run(PreferenceSettings settings, Device device, LiveConsole console, CancellationToken cancellation)
    {
        var folder = new RunFolder(settings);
        Tokenizer tokenizer = Tokenizer.Load(settings.Model);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(settings.Model, device);
        IReadOnlyList<PreferencePair> data = Read(settings.Data!), validation = settings.Validation is { } path ? Read(path) : [];
        IReadOnlyList<PreferencePair[]> plan = settings.Plan(data);
        using LoraAdapter? adapter = settings.Lora?.Attach(model, settings.Seed);
        using MiniMaxForCausalLM? reference = adapter is null ? MiniMaxForCausalLM.Load(settings.Model, device) : null;
        using var optimizer = new AdamW(adapter?.Parameters ?? model.Parameters);
        var options = new DpoOptions
        {
            LearningRate = new LearningRateSchedule(settings.LearningRate, plan.Count) { WarmupSteps = Math.Min(20, plan.Count) },
            Beta = settings.Beta,
        };
        DpoTrainer trainer = adapter is null ? new(model, optimizer, reference!, options) : new(model, optimizer, adapter, options);
        folder.Begin();
        using (var record = new RunRecord(folder, console))
        {
            Measure(0);
            for (int step = 0; step < plan.Count; step++)
            {
                cancellation.ThrowIfCancellationRequested();
                var clock = Stopwatch.StartNew();
                DpoStep done = trainer.Step(plan[step], step);
                record.Step("preference", step, plan.Count, Metrics(done, clock.Elapsed.TotalSeconds));
            }

            Measure(plan.Count);

            void Measure(int steps)
            {
                if (validation.Count > 0)
                {
                    DpoEvaluation found = trainer.Evaluate(validation);
                    record.Measured(
                        "validation", steps, string.Create(CultureInfo.InvariantCulture, $"step {steps}: validation loss {found.Loss:F4}, accuracy {found.Accuracy:F3}"), Metrics(found));
                }
            }
        }

        folder.Finish(model, tokenizer, adapter);

        IReadOnlyList<PreferencePair> Read(string file) =>
            PreferenceData.Read(file, tokenizer, (int)Math.Min(model.Config.MaxPositionEmbeddings, int.MaxValue));
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
