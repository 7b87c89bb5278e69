using System.Diagnostics;
using MiniMaxSharp.Layers;
using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Training;

/// <summary>
/// Reinforcement learning with group advantages and many off-policy updates on each batch of rollouts, the
/// rollouts' log-probabilities frozen as π_old (MiniMax-M1 report, section 3.1). Sampler and trainer multiply by the LM
/// head in single precision.
/// </summary>
public sealed class PolicyTrainer
{
    private readonly MiniMaxForCausalLM _model;
    private readonly AdamW _optimizer;
    private readonly PolicyOptions _options;
    private readonly IResponseSource? _source;

    /// <summary>A trainer of rollouts that are made elsewhere (<see cref="Train"/>).</summary>
    /// <param name="model">Trained in place.</param>
    /// <param name="optimizer">Of the model's parameters.</param>
    /// <param name="options">Settings; checked here.</param>
    public PolicyTrainer(MiniMaxForCausalLM model, AdamW optimizer, PolicyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _model = model;
        _optimizer = optimizer;
        _options = options;
    }

    /// <summary>A trainer that also rolls out (<see cref="StepAsync"/>).</summary>
    /// <param name="model">Trained in place.</param>
    /// <param name="optimizer">Of the model's parameters.</param>
    /// <param name="decode">From response tokens to the text that is scored.</param>
    /// <param name="reward">Scores responses.</param>
    /// <param name="options">Settings; checked here.</param>
    public PolicyTrainer(
        MiniMaxForCausalLM model, AdamW optimizer, Func<int[], string> decode, IRewardFunction reward, PolicyOptions options)
        : this(model, optimizer, options) => _source = new SingleTurn(decode, reward, options.Generation, options.GroupSize);

    /// <summary>What is trained.</summary>
    public MiniMaxForCausalLM Model => _model;

    /// <summary>What updates it.</summary>
    public AdamW Optimizer => _optimizer;

    /// <summary>The settings.</summary>
    public PolicyOptions Options => _options;

    /// <summary>Rolls prompts out, scores the responses and updates the model on them.</summary>
    /// <param name="nextPrompts">Gives the prompts of generation batch 0, 1, … of this step.</param>
    /// <param name="step">Number of the step, from 0.</param>
    /// <param name="seed">Of all random choices of this step.</param>
    /// <param name="cancellation">Looked at while sampling; the model is not changed when it acts.</param>
    /// <exception cref="InvalidOperationException">The trainer was made without a reward.</exception>
    public async Task<PolicyStep> StepAsync(
        Func<int, IReadOnlyList<RolloutPrompt>> nextPrompts, int step, ulong seed, CancellationToken cancellation = default)
    {
        var plan = new RolloutPlan(nextPrompts, _source ?? throw new InvalidOperationException("The trainer was made without a reward: it trains only."), seed);
        return Train(await plan.RollOutAsync(_model, _options, cancellation).ConfigureAwait(false), step, seed);
    }

    /// <summary>The second half of a step: updates of the model on the rollouts, whose log-probabilities are π_old.</summary>
    public PolicyStep Train(RolloutBatch batch, int step, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var time = Stopwatch.StartNew();
        var random = new SplitMix64(seed);
        Rollout[][] order = [.. batch.Informative];
        random.Shuffle<Rollout[]>(order);
        var totals = new StepTotals();
        float rate = _options.LearningRate.At(step);
        foreach (Rollout[][] minibatch in order.Chunk(_options.PromptsPerUpdate).Take(_options.MaxUpdates))
        {
            Backward([.. minibatch.SelectMany(g => g)], totals);
            totals.GradientNorm += _optimizer.Step(rate);
        }

        Rollout[] rollouts = [.. batch.Groups.SelectMany(g => g)];
        return new PolicyStep
        {
            Rollouts = rollouts,
            Reward = rollouts.Average(r => r.Reward.Score ?? 0),
            UniformGroups = 1 - (double)batch.Groups.Count(g => g.Any(r => r.Advantage != 0)) / batch.Groups.Count,
            Loss = totals.Loss / Math.Max(totals.Updates, 1),
            Entropy = totals.Entropy / Math.Max(totals.ResponseTokens, 1),
            ClipRatio = (double)totals.Clipped / Math.Max(totals.ResponseTokens, 1),
            ZeroGradientTokens = totals.ZeroGradient,
            RolloutTrainerPearson = totals.Pearson,
            AuxiliaryLoss = totals.Auxiliary / Math.Max(totals.Updates, 1),
            GradientNorm = totals.GradientNorm / Math.Max(totals.Updates, 1),
            LearningRate = rate,
            Updates = totals.Updates,
            GeneratedTokens = rollouts.Sum(r => r.Sequence.ScoredTokens),
            TrainedTokens = totals.Tokens,
            GenerationSeconds = batch.Seconds,
            TrainingSeconds = time.Elapsed.TotalSeconds,
        };
    }

    private void Backward(Rollout[] rollouts, StepTotals totals)
    {
        Device device = _model.Device;
        using TensorScope scope = device.Scope();
        using Tape tape = Tape.Record(device);
        using ScoringBatch batch = ScoringBatch.Create(device, [.. rollouts.Select(r => r.Sequence)]);
        ForwardPass pass = _model.Pass(batch.Batch);
        (Tensor logp, Tensor entropy) = _model.LogProbabilities(_model.Forward(pass), batch.Targets);
        Tensor auxiliary = MixtureOfExperts.AuxiliaryLoss(pass.RouterLogits, _model.Config.NumExpertsPerTok);

        float[] newLogp = batch.Gather(logp);
        float[] oldLogp = [.. rollouts.SelectMany(r => r.OldLogProbabilities)];
        float[] advantage = [.. rollouts.SelectMany(r => Enumerable.Repeat((float)r.Advantage, r.Sequence.ScoredTokens))];
        float[] weight = Aggregation.TokenWeights(_options.Objective.Aggregation, [.. rollouts.Select(r => (r.Group, r.Sequence.ScoredTokens))]);
        (double loss, float[] gradient, float[] ratio, _) =
            PolicyLoss.Evaluate(device, _options.Objective, newLogp, oldLogp, advantage, weight);
        tape.Backward(
            (logp, batch.Spread(device, gradient)),
            (auxiliary, Tensor.From<float>(device, [_options.AuxiliaryLossWeight], 1)));

        if (totals.Updates == 0)
        {
            totals.Pearson = Statistics.Pearson([.. newLogp.Select(x => Math.Exp(x))], [.. oldLogp.Select(x => Math.Exp(x))]);
        }

        totals.Updates++;
        totals.Loss += loss;
        totals.Auxiliary += auxiliary.Item();
        totals.Entropy += batch.Gather(entropy).Sum(x => (double)x);
        totals.Tokens += rollouts.Sum(r => r.Sequence.Tokens.Length);
        totals.ResponseTokens += newLogp.Length;
        totals.Clipped += ratio.Count(r => r > _options.Objective.MaxWeight || r < _options.Objective.MinWeight);
        totals.ZeroGradient += advantage.Zip(gradient).Count(x => x.First != 0 && x.Second == 0);
    }
}
