using System.Diagnostics;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;

namespace MiniMaxSharp.Training;

/// <summary>
/// Reinforcement learning with advantages over a group, or over a value function (PPO), and many off-policy updates on each batch of
/// rollouts, whose log-probabilities are frozen as π_old (MiniMax-M1 report, section 3.1). Sampler and trainer multiply by the LM head
/// in single precision.
/// </summary>
public sealed class PolicyTrainer
{
    private readonly MiniMaxForCausalLM _model;
    private readonly AdamW _optimizer;
    private readonly PolicyOptions _options;
    private readonly MiniMaxForCausalLM? _reference;
    private readonly ValueHead? _valueHead;
    private readonly PolicyGradient _gradient;
    private readonly IResponseSource? _source;

    /// <summary>A trainer of rollouts that are made elsewhere (<see cref="Train"/>).</summary>
    /// <param name="model">Trained in place.</param>
    /// <param name="optimizer">Of the model's parameters.</param>
    /// <param name="options">Settings; checked here.</param>
    /// <param name="reference">What the KL divergence is measured against; only read. Needed where it has a weight.</param>
    /// <param name="valueHead">Trained in place; its weight is among the optimiser's. Given with <see cref="PolicyOptions.Critic"/>.</param>
    public PolicyTrainer(
        MiniMaxForCausalLM model, AdamW optimizer, PolicyOptions options, MiniMaxForCausalLM? reference = null, ValueHead? valueHead = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        if (options.Objective.KlWeight > 0 && reference is null)
        {
            throw new ArgumentException($"A KlWeight of {options.Objective.KlWeight} needs a reference model.", nameof(reference));
        }

        if ((valueHead is null) != (options.Critic is null))
        {
            throw new ArgumentException("Settings of a critic and a value head are given together or not at all.", nameof(valueHead));
        }

        _model = model;
        _optimizer = optimizer;
        _options = options;
        _reference = reference;
        _valueHead = valueHead;
        _gradient = new PolicyGradient(model, options, valueHead);
    }

    /// <summary>A trainer that also rolls out (<see cref="StepAsync"/>).</summary>
    /// <param name="model">Trained in place.</param>
    /// <param name="optimizer">Of the model's parameters.</param>
    /// <param name="decode">From response tokens to the text that is scored.</param>
    /// <param name="reward">Scores responses.</param>
    /// <param name="options">Settings; checked here.</param>
    /// <param name="reference">What the KL divergence is measured against; only read. Needed where it has a weight.</param>
    /// <param name="valueHead">Trained in place; its weight is among the optimiser's. Given with <see cref="PolicyOptions.Critic"/>.</param>
    public PolicyTrainer(
        MiniMaxForCausalLM model,
        AdamW optimizer,
        Func<int[], string> decode,
        IRewardFunction reward,
        PolicyOptions options,
        MiniMaxForCausalLM? reference = null,
        ValueHead? valueHead = null)
        : this(model, optimizer, options, reference, valueHead) =>
        _source = new SingleTurn(decode, reward, options.Generation, options.GroupSize) { RecordExperts = options.ReplayRouting };

    /// <summary>What is trained.</summary>
    public MiniMaxForCausalLM Model => _model;

    /// <summary>What updates it.</summary>
    public AdamW Optimizer => _optimizer;

    /// <summary>The settings.</summary>
    public PolicyOptions Options => _options;

    /// <summary>What is trained beside the model, if anything.</summary>
    public ValueHead? ValueHead => _valueHead;

    /// <summary>Rolls prompts out, scores the responses and updates the model on them.</summary>
    /// <param name="nextPrompts">Gives the prompts of generation batch 0, 1, … of this step.</param>
    /// <param name="step">Number of the step, from 0.</param>
    /// <param name="seed">Of all random choices of this step.</param>
    /// <param name="cancellation">Looked at while sampling; the model is not changed when it acts.</param>
    /// <exception cref="InvalidOperationException">The trainer was made without a reward.</exception>
    public async Task<PolicyStep> StepAsync(
        Func<int, IReadOnlyList<RolloutPrompt>> nextPrompts, int step, ulong seed, CancellationToken cancellation = default) =>
        Train(await RollOutAsync(nextPrompts, seed, cancellation).ConfigureAwait(false), step, seed);

    /// <summary>The first half of a step: responses to the prompts, scored; the model is only read.</summary>
    /// <exception cref="InvalidOperationException">The trainer was made without a reward.</exception>
    public Task<RolloutBatch> RollOutAsync(
        Func<int, IReadOnlyList<RolloutPrompt>> nextPrompts, ulong seed, CancellationToken cancellation = default) =>
        new RolloutPlan(nextPrompts, _source ?? throw new InvalidOperationException("The trainer was made without a reward: it trains only."), seed)
            .RollOutAsync(_model, _options, cancellation);

    /// <summary>The second half of a step: updates of the model on the rollouts.</summary>
    public PolicyStep Train(RolloutBatch batch, int step, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var time = Stopwatch.StartNew();
        var random = new SplitMix64(seed);
        Rollout[][] order = [.. batch.Informative.Select(Kept).Where(g => g.Length > 0)];
        random.Shuffle<Rollout[]>(order);
        var totals = new StepTotals();
        float rate = _options.LearningRate.At(step);
        Rollout[][] updates = [.. order.Chunk(_options.PromptsPerUpdate).Take(_options.MaxUpdates).Select(groups => groups.SelectMany(g => g).ToArray())];
        var frozen = new Queue<FrozenRollout>(FrozenRollout.Freeze([.. updates.SelectMany(u => u)], _options, _model, _reference, _valueHead));
        foreach (Rollout[] update in updates)
        {
            _gradient.Add([.. update.Select(_ => frozen.Dequeue())], totals);
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
            Kl = totals.Kl / totals.ResponseTokens,
            RolloutTrainerPearson = totals.Pearson,
            ExpertLoadCv = totals.ExpertLoadCv,
            ValueLoss = _valueHead is null ? double.NaN : totals.ValueLoss / Math.Max(totals.Updates, 1),
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

    private Rollout[] Kept(Rollout[] group) =>
        _options.MaskTruncated ? [.. group.Where(r => r.Response.Completion.Reason != FinishReason.Length)] : group;
}
