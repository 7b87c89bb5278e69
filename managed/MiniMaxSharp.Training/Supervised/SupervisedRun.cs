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
    }

    /// <summary>
    /// Goes through the plan (see <see cref="Batches.Plan"/>). Afterwards, also when it was cancelled, the model has the best weights; the
    /// optimiser does not, so it should not go on.
    /// </summary>
    /// <param name="plan">A batch for each step.</param>
    /// <param name="validation">Data that is not learnt; without any there is neither a best step nor an early stop.</param>
    /// <param name="progress">Told each step and each look.</param>
    /// <param name="cancellation">Ends the run between two steps.</param>
    public SupervisedResult Train(
        IReadOnlyList<IReadOnlyList<TrainingSequence>> plan,
        IReadOnlyList<TrainingSequence> validation,
        IProgress<SupervisedProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(validation);
        if (validation.Count == 0)
        {
            for (int step = 0; step < plan.Count; step++)
            {
                cancellation.ThrowIfCancellationRequested();
                SupervisedStep done = _trainer.Step(plan[step], step);
                progress?.Report(new SupervisedProgress(step + 1, plan.Count, done, null));
            }

            return new SupervisedResult(plan.Count, false, plan.Count, double.NaN, double.NaN);
        }

        using var best = new BestWeights(_parameters);
        try
        {
            return Watched(plan, validation, best, progress, cancellation);
        }
        finally
        {
            best.Restore();
        }
    }

    private SupervisedResult Watched(
        IReadOnlyList<IReadOnlyList<TrainingSequence>> plan,
        IReadOnlyList<TrainingSequence> validation,
        BestWeights best,
        IProgress<SupervisedProgress>? progress,
        CancellationToken cancellation)
    {
        double initial = _trainer.Evaluate(validation), bestLoss = initial;
        progress?.Report(new SupervisedProgress(0, plan.Count, null, initial));
        int bestStep = 0, worse = 0, done = 0;
        while (done < plan.Count && (worse < _options.Patience || _options.Patience == 0))
        {
            cancellation.ThrowIfCancellationRequested();
            SupervisedStep step = _trainer.Step(plan[done], done);
            done++;
            if (done % _options.EvaluateEvery != 0 && done < plan.Count)
            {
                progress?.Report(new SupervisedProgress(done, plan.Count, step, null));
                continue;
            }

            double loss = _trainer.Evaluate(validation);
            progress?.Report(new SupervisedProgress(done, plan.Count, step, loss));
            worse++;
            if (loss < bestLoss)
            {
                (bestLoss, bestStep, worse) = (loss, done, 0);
                best.Keep();
                _options.Improved?.Invoke();
            }
        }

        return new SupervisedResult(done, done < plan.Count, bestStep, initial, bestLoss);
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
