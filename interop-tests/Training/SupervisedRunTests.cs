using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Validation, early stop and the best weights.</summary>
public sealed class SupervisedRunTests : IDisposable
{
    private readonly Device _device = Device.Cpu();
    private readonly MiniMaxForCausalLM _model;
    private readonly AdamW _optimizer;

    // Sequences of noise: what is learnt of some is of no use for others, so that validation gets worse soon.
    private readonly TrainingSequence[] _train = [.. Enumerable.Range(0, 4).Select(i => new TrainingSequence(TinyModels.Ids(i, 12), 4))];
    private readonly TrainingSequence[] _validation = [.. Enumerable.Range(50, 4).Select(i => new TrainingSequence(TinyModels.Ids(i, 12), 4))];

    public SupervisedRunTests()
    {
        _model = MiniMaxForCausalLM.Create(TinyModels.Config(attention: [0, 1]) with { InitializerRange = 0.05 }, _device, 1);
        _optimizer = new AdamW(_model.Parameters);
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _model.Dispose();
        _device.Dispose();
    }

    [Fact]
    public void A_run_that_overfits_stops_early_and_leaves_the_best_weights()
    {
        int improvements = 0;
        var looks = new List<SupervisedProgress>();
        SupervisedTrainer trainer = Trainer();
        SupervisedResult result = new SupervisedRun(trainer, _model.Parameters, new SupervisedRunOptions { EvaluateEvery = 2, Patience = 3, Improved = () => improvements++ })
            .Train(Batches.Plan(_train, 1000, 60, 0), _validation, new Immediate<SupervisedProgress>(looks.Add));
        Assert.True(result.StoppedEarly);
        Assert.InRange(result.Steps, result.BestStep + 6, 59);
        double?[] losses = [.. looks.Where(l => l.ValidationLoss is not null).Select(l => l.ValidationLoss)];
        Assert.Equal(losses.Min(), result.BestLoss);
        Assert.Equal(losses[0], result.InitialLoss);
        Assert.True(losses[^1] > result.BestLoss);
        Assert.Equal(result.BestLoss, trainer.Evaluate(_validation));
        Assert.Equal(result.BestStep, looks.Single(l => l.ValidationLoss == result.BestLoss).Done);
        Assert.Equal(losses.Where((loss, i) => i > 0 && losses[..i].All(earlier => loss < earlier)).Count(), improvements);
    }

    [Fact]
    public void Without_patience_a_run_goes_through_its_plan_and_still_leaves_the_best()
    {
        SupervisedTrainer trainer = Trainer();
        SupervisedResult result = new SupervisedRun(trainer, _model.Parameters, new SupervisedRunOptions { EvaluateEvery = 7, Patience = 0 })
            .Train(Batches.Plan(_train, 1000, 30, 0), _validation);
        Assert.Equal((30, false), (result.Steps, result.StoppedEarly));
        Assert.Equal(result.BestLoss, trainer.Evaluate(_validation));
    }

    [Fact]
    public void Without_validation_the_last_weights_stay()
    {
        SupervisedTrainer trainer = Trainer();
        double before = trainer.Evaluate(_train);
        SupervisedResult result = new SupervisedRun(trainer, _model.Parameters).Train(Batches.Plan(_train, 1000, 20, 0), []);
        Assert.Equal((20, 20), (result.Steps, result.BestStep));
        Assert.InRange(trainer.Evaluate(_train), 0, before / 2);
    }

    [Fact]
    public void A_cancelled_run_leaves_the_best_weights_so_far()
    {
        using var cancellation = new CancellationTokenSource();
        SupervisedTrainer trainer = Trainer();
        double best = double.PositiveInfinity;
        var progress = new Immediate<SupervisedProgress>(p =>
        {
            best = Math.Min(best, p.ValidationLoss ?? best);
            if (p.Done == 25)
            {
                cancellation.Cancel();
            }
        });
        Assert.Throws<OperationCanceledException>(() => new SupervisedRun(trainer, _model.Parameters, new SupervisedRunOptions { EvaluateEvery = 2, Patience = 0 })
            .Train(Batches.Plan(_train, 1000, 60, 0), _validation, progress, cancellation.Token));
        Assert.Equal(best, trainer.Evaluate(_validation));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(5, true)]
    [InlineData(11, false)]
    public void A_run_that_is_cancelled_and_taken_up_ends_in_the_bits_of_an_undisturbed_one(int cancelAfter, bool validated)
    {
        string folder = Directory.CreateTempSubdirectory("run").FullName;
        IReadOnlyList<IReadOnlyList<TrainingSequence>> plan = Batches.Plan(_train, 1000, 20, 0);
        (SupervisedResult expected, float[] weights) = Train(null, int.MaxValue);
        Assert.Throws<OperationCanceledException>(() => Train(folder, cancelAfter));
        (SupervisedResult result, float[] resumed) = Train(folder, int.MaxValue);
        Assert.Equal(expected, result);
        Assert.Equal(weights, resumed);
        plan = [.. plan, .. plan];
        Assert.Contains("20 steps, not 40", Assert.Throws<InvalidDataException>(() => Train(folder, int.MaxValue)).Message, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);

        (SupervisedResult Result, float[] Weights) Train(string? folder, int cancelAfter)
        {
            using var cancellation = new CancellationTokenSource();
            using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(attention: [0, 1]), _device, 1);
            using var optimizer = new AdamW(model.Parameters);
            var trainer = new SupervisedTrainer(model, optimizer, new SupervisedOptions { LearningRate = new LearningRateSchedule(5e-3f, 20) });
            var options = new SupervisedRunOptions
            {
                EvaluateEvery = 3,
                Patience = 0,
                Progress = folder is null ? null : new TrainingProgress(Path.Combine(folder, "progress"), model.Parameters, optimizer),
                SaveEvery = 4,
            };
            Cancel(0);
            SupervisedResult result = new SupervisedRun(trainer, model.Parameters, options)
                .Train(plan, validated ? _validation : [], new Immediate<SupervisedProgress>(p => Cancel(p.Done)), cancellation.Token);
            return (result, [.. model.Parameters.SelectMany(p => p.Value.ToFloats())]);

            void Cancel(int done)
            {
                if (done == cancelAfter)
                {
                    cancellation.Cancel();
                }
            }
        }
    }

    private SupervisedTrainer Trainer() => new(_model, _optimizer, new SupervisedOptions { LearningRate = new LearningRateSchedule(5e-3f, 60) });

    /// <summary>Progress without a detour over other threads.</summary>
    private sealed class Immediate<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
