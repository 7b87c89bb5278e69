using System.Text.Json.Nodes;
using MiniMaxSharp.Models;

namespace MiniMaxSharp.Training;

/// <summary>Settings of <see cref="SupervisedRun"/>.</summary>
public sealed record SupervisedRunOptions
{
    /// <summary>Steps between two looks at the validation data; the first is before the first step, the last after the last.</summary>
    public int EvaluateEvery { get; init; } = 20;

    /// <summary>The run stops after so many looks in a row that found no improvement; 0: never.</summary>
    public int Patience { get; init; } = 3;

    /// <summary>Called at each improvement, so that the caller can save what survives a kill.</summary>
    public Action? Improved { get; init; }

    /// <summary>
    /// Where the run keeps its progress, when it is cancelled and every <see cref="SaveEvery"/> steps; if some is there, it goes on from that and ends in
    /// the bits of an undisturbed run. Null: it keeps none.
    /// </summary>
    public TrainingProgress? Progress { get; init; }

    /// <summary>Steps between two writings of <see cref="Progress"/>.</summary>
    public int SaveEvery { get; init; } = 100;
}

/// <summary>Where a run is.</summary>
/// <param name="Done">Steps done.</param>
/// <param name="Steps">Steps planned.</param>
/// <param name="Training">What the last step did; null before the first.</param>
/// <param name="ValidationLoss">Mean cross-entropy of a scored token of the validation data in nats, where this was a look at it.</param>
public sealed record SupervisedProgress(int Done, int Steps, SupervisedStep? Training, double? ValidationLoss);

/// <summary>How a run ended.</summary>
/// <param name="Steps">Steps done.</param>
/// <param name="StoppedEarly">Whether patience ran out before the plan was done.</param>
/// <param name="BestStep">Steps after which the weights were what they are now.</param>
/// <param name="InitialLoss">Validation loss before the first step, NaN without validation data; nats a token.</param>
/// <param name="BestLoss">Validation loss of the weights as they are now, NaN without validation data; nats a token.</param>
public sealed record SupervisedResult(int Steps, bool StoppedEarly, int BestStep, double InitialLoss, double BestLoss);

/// <summary>
/// Supervised steps with an eye on data that is not learnt: the run stops when that gets no better, and leaves the weights that were best on it,
/// those before the first step included. It keeps a copy of the trained parameters, so as many bytes as these have.
/// </summary>
public sealed class SupervisedRun
{
    private readonly SupervisedTrainer _trainer;
    private readonly Parameter[] _parameters;
    private readonly SupervisedRunOptions _options;

    /// <summary>A run of the trainer.</summary>
    /// <param name="trainer">Makes the steps.</param>
    /// <param name="parameters">What it trains; others among them are passed over.</param>
    /// <param name="options">When to look and when to stop.</param>
    public SupervisedRun(SupervisedTrainer trainer, IEnumerable<Parameter> parameters, SupervisedRunOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(trainer);
        ArgumentNullException.ThrowIfNull(parameters);
        _trainer = trainer;
        _parameters = [.. parameters.Where(p => p.IsTrainable)];
        _options = options ?? new SupervisedRunOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.EvaluateEvery, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(_options.Patience);
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.SaveEvery, 1);
    }

    /// <summary>
    /// Goes through the plan (see <see cref="Batches.Plan"/>). Afterwards, also when it was cancelled, the model has the best weights; the
    /// optimiser does not, so it should not go on.
    /// </summary>
    /// <param name="plan">A batch for each step; a resumed run needs the same.</param>
    /// <param name="validation">Data that is not learnt; without any there is neither a best step nor an early stop.</param>
    /// <param name="progress">Told each step and each look.</param>
    /// <param name="cancellation">Ends the run between two steps.</param>
    /// <exception cref="InvalidDataException">What is kept in <see cref="SupervisedRunOptions.Progress"/> is damaged, or of a plan of another length.</exception>
    public SupervisedResult Train(
        IReadOnlyList<IReadOnlyList<TrainingSequence>> plan,
        IReadOnlyList<TrainingSequence> validation,
        IProgress<SupervisedProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(validation);
        using BestWeights? best = validation.Count == 0 ? null : new BestWeights(_parameters);
        Position at = _options.Progress is { Exists: true } kept ? kept.Load(state => Position.Read(state, plan.Count), Kept(best)) : Begin();
        try
        {
            while (at.Done < plan.Count && (at.Worse < _options.Patience || _options.Patience == 0))
            {
                cancellation.ThrowIfCancellationRequested();
                at = Step(at);
                if (at.Done % _options.SaveEvery == 0)
                {
                    Save();
                }
            }
        }
        catch (OperationCanceledException)
        {
            Save();
            throw;
        }
        finally
        {
            best?.Restore();
        }

        return new SupervisedResult(at.Done, at.Done < plan.Count, best is null ? at.Done : at.BestStep, at.InitialLoss, at.BestLoss);

        Position Begin()
        {
            double initial = double.NaN;
            if (best is not null)
            {
                initial = _trainer.Evaluate(validation);
                progress?.Report(new SupervisedProgress(0, plan.Count, null, initial));
            }

            return new Position(0, 0, 0, initial, initial);
        }

        Position Step(Position before)
        {
            SupervisedStep step = _trainer.Step(plan[before.Done], before.Done);
            Position after = before with { Done = before.Done + 1 };
            double? loss = best is not null && (after.Done % _options.EvaluateEvery == 0 || after.Done == plan.Count) ? _trainer.Evaluate(validation) : null;
            progress?.Report(new SupervisedProgress(after.Done, plan.Count, step, loss));
            if (!(loss < after.BestLoss))
            {
                return loss is null ? after : after with { Worse = after.Worse + 1 };
            }

            best!.Keep();
            _options.Improved?.Invoke();
            return after with { BestLoss = loss.Value, BestStep = after.Done, Worse = 0 };
        }

        void Save() => _options.Progress?.Save(at.Write(plan.Count), Kept(best));
    }

    private static IEnumerable<(string Name, Tensor Tensor)> Kept(BestWeights? best) => best?.Named ?? [];

    /// <summary>Where a run is: steps done, looks in a row without improvement, and the best look. Without validation data losses are NaN.</summary>
    private readonly record struct Position(int Done, int Worse, int BestStep, double InitialLoss, double BestLoss)
    {
        public JsonObject Write(int steps) => new()
        {
            ["steps"] = steps,
            ["done"] = Done,
            ["worse"] = Worse,
            ["best_step"] = BestStep,
            ["initial_loss"] = double.IsNaN(InitialLoss) ? null : InitialLoss,
            ["best_loss"] = double.IsNaN(BestLoss) ? null : BestLoss,
        };

        public static Position Read(JsonObject state, int steps) => (int)state["steps"]! == steps
            ? new((int)state["done"]!, (int)state["worse"]!, (int)state["best_step"]!, (double?)state["initial_loss"] ?? double.NaN, (double?)state["best_loss"] ?? double.NaN)
            : throw new InvalidDataException($"it is of a plan of {state["steps"]} steps, not {steps}");
    }

    /// <summary>A copy of parameters.</summary>
    private sealed class BestWeights : IDisposable
    {
        private readonly Parameter[] _parameters;
        private readonly Tensor[] _copies;

        public BestWeights(Parameter[] parameters)
        {
            _parameters = parameters;
            _copies = [.. parameters.Select(p => p.Value.Clone())];
        }

        public IEnumerable<(string Name, Tensor Tensor)> Named => _parameters.Zip(_copies, (p, copy) => ($"best.{p.Name}", copy));

        public void Keep() => Copy(_copies, [.. _parameters.Select(p => p.Value)]);

        public void Restore() => Copy([.. _parameters.Select(p => p.Value)], _copies);

        public void Dispose() => Array.ForEach(_copies, copy => copy.Dispose());

        private static void Copy(Tensor[] to, Tensor[] from)
        {
            for (int i = 0; i < to.Length; i++)
            {
                to[i].CopyFrom(from[i]);
            }
        }
    }
}
