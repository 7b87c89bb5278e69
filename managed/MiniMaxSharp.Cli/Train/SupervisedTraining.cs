using System.Diagnostics;
using System.Globalization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>minimax train sft: from settings and lines of JSON to a checkpoint, and an adapter if that is what was trained.</summary>
internal static class SupervisedTraining
{
    public static void Run(SupervisedSettings settings, Device device, LiveConsole console, CancellationToken cancellation)
    {
        var folder = new RunFolder(settings);
        using var tuned = new TunedModel(settings, settings.Lora, device);
        IReadOnlyList<TrainingSequence> data = Read(settings.Data!), validation = settings.Validation is { } path ? Read(path) : [];
        IReadOnlyList<IReadOnlyList<TrainingSequence>> plan = settings.Plan(data);
        var trainer = new SupervisedTrainer(tuned.Model, tuned.Optimizer, new SupervisedOptions
        {
            LearningRate = new LearningRateSchedule(settings.LearningRate, plan.Count) { WarmupSteps = Math.Min(20, plan.Count) },
        });
        tuned.Train(folder, console, (record, progress) =>
        {
            var run = new SupervisedRun(trainer, tuned.Trained, new SupervisedRunOptions
            {
                EvaluateEvery = settings.EvaluateEvery,
                Patience = settings.Patience,
                Progress = progress,
                SaveEvery = settings.SaveEvery,
            });
            SupervisedResult result = run.Train(plan, validation, new Progress(record), cancellation);
            if (validation.Count > 0)
            {
                console.Say(string.Create(
                    CultureInfo.InvariantCulture,
                    $"validation loss {result.InitialLoss:F4} -> {result.BestLoss:F4} after {result.BestStep} of {result.Steps} steps{(result.StoppedEarly ? ", stopped early" : "")}"));
            }
        });

        IReadOnlyList<TrainingSequence> Read(string file) => TrainingData.Encode(TrainingData.Read(file), tuned.Tokenizer, tuned.MaxLength);
    }

    private sealed class Progress(RunRecord record) : IProgress<SupervisedProgress>
    {
        private readonly Stopwatch _clock = Stopwatch.StartNew();

        // The time of a step is that since the last report: where there was a look at the validation data it includes that.
        public void Report(SupervisedProgress value)
        {
            if (value.Training is { } step)
            {
                record.Step("supervised", value.Done - 1, value.Steps, TrainingMetrics.Of(step, _clock.Elapsed.TotalSeconds));
            }

            if (value.ValidationLoss is { } loss)
            {
                record.Measured("validation", value.Done, string.Create(CultureInfo.InvariantCulture, $"step {value.Done}: validation loss {loss:F4}"), (MetricNames.Loss, loss));
            }

            _clock.Restart();
        }
    }
}
