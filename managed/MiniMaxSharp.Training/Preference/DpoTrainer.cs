using MiniMaxSharp.Layers;
using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Training;

/// <summary>Settings of <see cref="DpoTrainer"/>.</summary>
public sealed record DpoOptions
{
    /// <summary>Learning rate by step.</summary>
    public required LearningRateSchedule LearningRate { get; init; }

    /// <summary>β: how strongly the policy is held to the reference.</summary>
    public float Beta { get; init; } = 0.1f;

    /// <summary>Weight of the load-balancing loss.</summary>
    public float AuxiliaryLossWeight { get; init; } = 0.001f;

    /// <summary>Tokens of a forward pass at most, a pair at least; a larger batch is taken in several, gradients summed.</summary>
    public int TokensPerPass { get; init; } = 8192;
}

/// <summary>How a policy stands to a batch of preferences.</summary>
/// <param name="Loss">Mean −log σ(margin) of a pair, in nats; log 2 where policy and reference are one.</param>
/// <param name="Accuracy">Share of the pairs with a positive margin.</param>
/// <param name="ChosenReward">Mean β log π/π_ref of the chosen answers.</param>
/// <param name="RejectedReward">The same of the rejected ones; the margin is the difference.</param>
public sealed record DpoEvaluation(double Loss, double Accuracy, double ChosenReward, double RejectedReward);

/// <summary>What a step did.</summary>
/// <param name="Before">Of the batch, before the update.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="LearningRate">That was used.</param>
public sealed record DpoStep(DpoEvaluation Before, double GradientNorm, float LearningRate);

/// <summary>
/// Direct preference optimisation (arXiv 2305.18290, equation 7): −log σ(β [log π(c)/π_ref(c) − log π(r)/π_ref(r)]) for a chosen answer c and a
/// rejected one r, the mean over the pairs of a batch.
/// </summary>
public sealed class DpoTrainer
{
    private readonly MiniMaxForCausalLM _model;
    private readonly AdamW _optimizer;
    private readonly DpoOptions _options;
    private readonly Func<IReadOnlyList<TrainingSequence>, double[]> _reference;

    /// <summary>A trainer whose reference is another model, which stays as it is: usually the policy as it was at first.</summary>
    /// <exception cref="ArgumentException">The reference is the model itself, which would move along.</exception>
    public DpoTrainer(MiniMaxForCausalLM model, AdamW optimizer, MiniMaxForCausalLM reference, DpoOptions options)
        : this(model, optimizer, options, sequences => LogProbabilities(reference, sequences))
    {
        ArgumentNullException.ThrowIfNull(reference);
        if (reference == model)
        {
            throw new ArgumentException("The reference is the model that is trained; load it a second time, or train an adapter.", nameof(reference));
        }
    }

    /// <summary>A trainer of an adapter; the reference is the model without it.</summary>
    public DpoTrainer(MiniMaxForCausalLM model, AdamW optimizer, LoraAdapter adapter, DpoOptions options)
        : this(model, optimizer, options, sequences => WithoutAdapter(model, adapter, sequences)) => ArgumentNullException.ThrowIfNull(adapter);

    private DpoTrainer(MiniMaxForCausalLM model, AdamW optimizer, DpoOptions options, Func<IReadOnlyList<TrainingSequence>, double[]> reference)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Beta, nameof(options));
        (_model, _optimizer, _options, _reference) = (model, optimizer, options, reference);
    }

    /// <summary>One update on the batch.</summary>
    /// <param name="batch">Pairs of one update.</param>
    /// <param name="step">Number of the step, from 0, for the schedule.</param>
    public DpoStep Step(IReadOnlyList<PreferencePair> batch, int step)
    {
        DpoEvaluation before = Accumulate(batch);
        float rate = _options.LearningRate.At(step);
        return new DpoStep(before, _optimizer.Step(rate), rate);
    }

    /// <summary>How the policy stands to the pairs, without learning from them.</summary>
    public DpoEvaluation Evaluate(IReadOnlyList<PreferencePair> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return Summary([.. Batches.Split(pairs, p => p.Tokens, _options.TokensPerPass).SelectMany(part =>
        {
            TrainingSequence[] sequences = Sequences(part);
            return Rewards(LogProbabilities(_model, sequences), _reference(sequences));
        })]);
    }

    /// <summary>Adds the gradients of the batch's mean loss to the parameters'.</summary>
    internal DpoEvaluation Accumulate(IReadOnlyList<PreferencePair> batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        int tokens = batch.Sum(p => p.Tokens);
        return Summary([.. Batches.Split(batch, p => p.Tokens, _options.TokensPerPass).SelectMany(part =>
            Backward(Sequences(part), batch.Count, _options.AuxiliaryLossWeight * part.Sum(p => p.Tokens) / tokens))]);
    }

    private (double Chosen, double Rejected)[] Backward(TrainingSequence[] sequences, int pairs, float auxiliaryWeight)
    {
        double[] reference = _reference(sequences);
        Device device = _model.Device;
        using TensorScope scope = device.Scope();
        using Tape tape = Tape.Record(device);
        using ScoringBatch batch = ScoringBatch.Create(device, sequences);
        ForwardPass pass = _model.Pass(batch.Batch);
        (Tensor logp, _) = _model.LogProbabilities(_model.Forward(pass), batch.Targets);
        Tensor auxiliary = MixtureOfExperts.AuxiliaryLoss(pass.RouterLogits, _model.Config.NumExpertsPerTok);
        (double Chosen, double Rejected)[] rewards = Rewards(Sums(batch.Gather(logp), sequences), reference);

        // d(−log σ(m)) / d log π(token) = ∓β σ(−m): minus for the tokens of the chosen answer.
        var seed = new List<float>();
        for (int i = 0; i < sequences.Length; i++)
        {
            (double chosen, double rejected) = rewards[i / 2];
            double pull = _options.Beta / (1 + Math.Exp(chosen - rejected)) / pairs;
            seed.AddRange(Enumerable.Repeat((float)(i % 2 == 0 ? -pull : pull), sequences[i].ScoredTokens));
        }

        tape.Backward(
            (logp, batch.Spread(device, seed.ToArray())),
            (auxiliary, Tensor.From<float>(device, [auxiliaryWeight], 1)));
        return rewards;
    }

    /// <summary>Chosen and rejected by turns.</summary>
    private static TrainingSequence[] Sequences(PreferencePair[] pairs) => [.. pairs.SelectMany(p => new[] { p.Chosen, p.Rejected })];

    private (double Chosen, double Rejected)[] Rewards(double[] policy, double[] reference) =>
    [
        .. Enumerable.Range(0, policy.Length / 2).Select(i => (
            _options.Beta * (policy[2 * i] - reference[2 * i]),
            _options.Beta * (policy[2 * i + 1] - reference[2 * i + 1]))),
    ];

    private static DpoEvaluation Summary((double Chosen, double Rejected)[] rewards) => new(
        rewards.Average(r => SoftPlus(r.Rejected - r.Chosen)),
        rewards.Average(r => r.Chosen > r.Rejected ? 1.0 : 0),
        rewards.Average(r => r.Chosen),
        rewards.Average(r => r.Rejected));

    // −log σ(−x) without overflow.
    private static double SoftPlus(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));

    private static double[] WithoutAdapter(MiniMaxForCausalLM model, LoraAdapter adapter, IReadOnlyList<TrainingSequence> sequences)
    {
        adapter.Enabled = false;
        try
        {
            return LogProbabilities(model, sequences);
        }
        finally
        {
            adapter.Enabled = true;
        }
    }

    /// <summary>Of each sequence, the log-probability of its scored tokens.</summary>
    private static double[] LogProbabilities(MiniMaxForCausalLM model, IReadOnlyList<TrainingSequence> sequences)
    {
        using TensorScope scope = model.Device.Scope();
        using ScoringBatch batch = ScoringBatch.Create(model.Device, sequences);
        (Tensor logp, _) = model.LogProbabilities(model.Forward(batch.Batch), batch.Targets);
        return Sums(batch.Gather(logp), sequences);
    }

    private static double[] Sums(float[] tokens, IReadOnlyList<TrainingSequence> sequences)
    {
        var sums = new double[sequences.Count];
        int at = 0;
        for (int i = 0; i < sums.Length; i++)
        {
            for (int end = at + sequences[i].ScoredTokens; at < end; at++)
            {
                sums[i] += tokens[at];
            }
        }

        return sums;
    }
}
