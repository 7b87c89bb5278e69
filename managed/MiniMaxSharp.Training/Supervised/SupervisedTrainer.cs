using MiniMaxSharp.Layers;
using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Training;

/// <summary>Settings of <see cref="SupervisedTrainer"/>.</summary>
public sealed record SupervisedOptions
{
    /// <summary>Learning rate by step.</summary>
    public required LearningRateSchedule LearningRate { get; init; }

    /// <summary>Weight of the load-balancing loss (see the reference's section 9).</summary>
    public float AuxiliaryLossWeight { get; init; } = 0.001f;

    /// <summary>Tokens of a forward pass at most; a larger batch is taken in several, gradients summed.</summary>
    public int TokensPerPass { get; init; } = 8192;
}

/// <summary>What a supervised step did.</summary>
/// <param name="Loss">Mean cross-entropy of a scored token, in nats.</param>
/// <param name="AuxiliaryLoss">Load balance; experts per token is perfect.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="LearningRate">That was used.</param>
/// <param name="Tokens">All tokens of the batch.</param>
public sealed record SupervisedStep(double Loss, double AuxiliaryLoss, double GradientNorm, float LearningRate, int Tokens);

/// <summary>Fine-tunes a model on prompts and responses: cross-entropy of the scored tokens, packed without padding.</summary>
public sealed class SupervisedTrainer
{
    private readonly MiniMaxForCausalLM _model;
    private readonly AdamW _optimizer;
    private readonly SupervisedOptions _options;

    /// <summary>A trainer that updates the model through the optimiser.</summary>
    public SupervisedTrainer(MiniMaxForCausalLM model, AdamW optimizer, SupervisedOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(options);
        _model = model;
        _optimizer = optimizer;
        _options = options;
    }

    /// <summary>One update on the batch.</summary>
    /// <param name="batch">Sequences of one update.</param>
    /// <param name="step">Number of the step, from 0, for the schedule.</param>
    public SupervisedStep Step(IReadOnlyList<TrainingSequence> batch, int step)
    {
        ArgumentNullException.ThrowIfNull(batch);
        int scoredTokens = batch.Sum(s => s.ScoredTokens), tokens = batch.Sum(s => s.Tokens.Length);
        double loss = 0, auxiliary = 0;
        foreach (TrainingSequence[] part in Batches.Split(batch, _options.TokensPerPass))
        {
            double share = (double)part.Sum(s => s.Tokens.Length) / tokens;
            (double partLoss, double partAuxiliary) = Backward(part, scoredTokens, (float)(_options.AuxiliaryLossWeight * share));
            loss += partLoss;
            auxiliary += partAuxiliary * share;
        }

        float rate = _options.LearningRate.At(step);
        return new SupervisedStep(loss, auxiliary, _optimizer.Step(rate), rate, tokens);
    }

    /// <summary>Mean cross-entropy of a scored token, without learning from it.</summary>
    public double Evaluate(IReadOnlyList<TrainingSequence> sequences)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        double sum = 0;
        foreach (TrainingSequence[] part in Batches.Split(sequences, _options.TokensPerPass))
        {
            using TensorScope scope = _model.Device.Scope();
            using ScoringBatch batch = ScoringBatch.Create(_model.Device, part);
            (Tensor logp, _) = _model.LogProbabilities(_model.Forward(batch.Batch), batch.Targets);
            sum -= batch.Gather(logp).Sum(x => (double)x);
        }

        return sum / sequences.Sum(s => s.ScoredTokens);
    }

    private (double Loss, double Auxiliary) Backward(TrainingSequence[] part, int scoredTokens, float auxiliaryWeight)
    {
        Device device = _model.Device;
        using TensorScope scope = device.Scope();
        using Tape tape = Tape.Record(device);
        using ScoringBatch batch = ScoringBatch.Create(device, part);
        ForwardPass pass = _model.Pass(batch.Batch);
        (Tensor logp, _) = _model.LogProbabilities(_model.Forward(pass), batch.Targets);
        Tensor auxiliary = MixtureOfExperts.AuxiliaryLoss(pass.RouterLogits, _model.Config.NumExpertsPerTok);
        var seed = new float[batch.ScoredRows.Length];
        Array.Fill(seed, -1f / scoredTokens);
        tape.Backward(
            (logp, batch.Spread(device, seed)),
            (auxiliary, Tensor.From<float>(device, [auxiliaryWeight], 1)));
        return (-batch.Gather(logp).Sum(x => (double)x) / scoredTokens, auxiliary.Item());
    }
}
