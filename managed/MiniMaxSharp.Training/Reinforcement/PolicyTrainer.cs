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
    private readonly Func<int[], string> _decode;
    private readonly IRewardFunction _reward;
    private readonly TextGenerator _generator;
    private readonly MiniMaxForCausalLM? _reference;
    private readonly ValueHead? _valueHead;
    private readonly PolicyGradient _gradient;

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
        _decode = decode;
        _reward = reward;
        _generator = new TextGenerator(model) { RecordExperts = options.ReplayRouting };
        _reference = reference;
        _valueHead = valueHead;
        _gradient = new PolicyGradient(model, options, valueHead);
    }

    /// <summary>Rolls prompts out, scores the responses and updates the model on them.</summary>
    /// <param name="nextPrompts">Gives the prompts of generation batch 0, 1, … of this step.</param>
    /// <param name="step">Number of the step, from 0.</param>
    /// <param name="seed">Of all random choices of this step.</param>
    /// <param name="cancellation">Looked at while sampling; the model is not changed when it acts.</param>
    public async Task<PolicyStep> StepAsync(
        Func<int, IReadOnlyList<RolloutPrompt>> nextPrompts, int step, ulong seed, CancellationToken cancellation = default) =>
        Train(await RollOutAsync(nextPrompts, seed, cancellation).ConfigureAwait(false), step, seed);

    /// <summary>The first half of a step: responses to the prompts, scored; the model is only read.</summary>
    public async Task<RolloutBatch> RollOutAsync(
        Func<int, IReadOnlyList<RolloutPrompt>> nextPrompts, ulong seed, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(nextPrompts);
        var time = Stopwatch.StartNew();
        var all = new List<Rollout[]>();
        var informative = new List<Rollout[]>();
        int wanted = int.MaxValue;
        for (int batch = 0; batch < _options.MaxGenerationBatches && informative.Count < wanted; batch++)
        {
            IReadOnlyList<RolloutPrompt> prompts = nextPrompts(batch);
            wanted = Math.Min(wanted, prompts.Count);
            foreach (Rollout[] group in await RollOutAsync(prompts, all.Count, seed, cancellation).ConfigureAwait(false))
            {
                all.Add(group);
                if ((_valueHead is not null || group.Any(r => r.Advantage != 0)) && informative.Count < wanted)
                {
                    informative.Add(group);
                }
            }
        }

        return new RolloutBatch(all, informative, time.Elapsed.TotalSeconds);
    }

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
            ValueLoss = totals.ValueLoss / Math.Max(totals.Updates, 1),
            AuxiliaryLoss = totals.Auxiliary / Math.Max(totals.Updates, 1),
            GradientNorm = totals.GradientNorm / Math.Max(totals.Updates, 1),
            LearningRate = rate,
            Updates = totals.Updates,
            GeneratedTokens = rollouts.Sum(r => r.Response.Completion.Tokens.Length),
            TrainedTokens = totals.Tokens,
            GenerationSeconds = batch.Seconds,
            TrainingSeconds = time.Elapsed.TotalSeconds,
        };
    }

    private Rollout[] Kept(Rollout[] group) =>
        _options.MaskTruncated ? [.. group.Where(r => r.Response.Completion.Reason != FinishReason.Length)] : group;

    private async Task<List<Rollout[]>> RollOutAsync(
        IReadOnlyList<RolloutPrompt> prompts, int firstGroup, ulong seed, CancellationToken cancellation)
    {
        GenerationRequest[] requests =
        [
            .. prompts.Select((p, i) => new GenerationRequest(p.Tokens, SplitMix64.Mix(seed + (ulong)(firstGroup + i + 1)), _options.GroupSize)),
        ];
        IReadOnlyList<Completion[]> completions = _generator.Generate(requests, _options.Generation, cancellation: cancellation);
        Response[] responses =
        [
            .. completions.SelectMany((group, i) => group.Select(c => new Response(prompts[i], _decode(c.Tokens), c))),
        ];
        IReadOnlyList<RewardResult> rewards = await _reward.ScoreAsync(responses, cancellation).ConfigureAwait(false);
        if (rewards.Count != responses.Length)
        {
            throw new InvalidOperationException($"The reward '{_reward.Name}' gave {rewards.Count} results for {responses.Length} responses.");
        }

        var groups = new List<Rollout[]>();
        for (int i = 0; i < prompts.Count; i++)
        {
            int start = i * _options.GroupSize;
            double[] scores = [.. Enumerable.Range(start, _options.GroupSize).Select(j => rewards[j].Score ?? 0)];
            double[] advantages = GroupAdvantage.Of(scores, _options.UnbiasedDeviation);
            groups.Add([.. advantages.Select((a, j) => new Rollout(firstGroup + i, responses[start + j], rewards[start + j], a))]);
        }

        return groups;
    }
}
