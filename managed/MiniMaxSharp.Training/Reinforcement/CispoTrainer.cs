using System.Diagnostics;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Layers;
using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Training;

/// <summary>Settings of <see cref="CispoTrainer"/>.</summary>
public sealed record CispoOptions
{
    /// <summary>The method; CISPO unless another one is compared.</summary>
    public PolicyObjective Objective { get; init; } = PolicyObjective.Cispo();

    /// <summary>Responses to each prompt.</summary>
    public int GroupSize { get; init; } = 8;

    /// <summary>Prompts of an update. Groups stay whole.</summary>
    public int PromptsPerUpdate { get; init; } = 4;

    /// <summary>Updates on one batch of rollouts at most (report, section 3.2: 16).</summary>
    public int MaxUpdates { get; init; } = 16;

    /// <summary>
    /// Batches of prompts that are rolled out for one step at most, until as many groups as one batch has prompts have
    /// responses of different reward (dynamic sampling). 1: uniform groups are only dropped.
    /// </summary>
    public int MaxGenerationBatches { get; init; } = 1;

    /// <summary>How responses are sampled; the temperature should be 1 and nothing cut, or ratios are off.</summary>
    public required GenerationOptions Generation { get; init; }

    /// <summary>Learning rate by rollout step.</summary>
    public required LearningRateSchedule LearningRate { get; init; }

    /// <summary>Weight of the load-balancing loss.</summary>
    public float AuxiliaryLossWeight { get; init; } = 0.001f;

    /// <summary>Divide advantages by the unbiased standard deviation (verl's way) instead of the population's.</summary>
    public bool UnbiasedDeviation { get; init; }

    /// <summary>Throws on a setting that makes no sense.</summary>
    public void Validate()
    {
        Objective.Validate();
        if (Objective.KlWeight > 0)
        {
            throw new ArgumentException("KlWeight needs the log-probabilities of a reference model, which this trainer does not compute.", nameof(Objective));
        }

        Generation.Validate();
        ArgumentOutOfRangeException.ThrowIfLessThan(GroupSize, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(PromptsPerUpdate, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxUpdates, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxGenerationBatches, 1);
    }
}

/// <summary>A response with its reward and its advantage over the others to the same prompt.</summary>
/// <param name="Group">Number of the prompt within the step.</param>
/// <param name="Response">Prompt, text and tokens.</param>
/// <param name="Reward">Its score.</param>
/// <param name="Advantage">(reward − mean) / (deviation + 1e-6) of the group; 0 in a uniform one.</param>
public sealed record Rollout(int Group, Response Response, RewardResult Reward, double Advantage)
{
    /// <summary>Prompt and response for the trainer; tokens that were put in from outside are not scored.</summary>
    public TrainingSequence Sequence { get; } = new(
        [.. Response.Prompt.Tokens, .. Response.Completion.Tokens],
        [.. Response.Prompt.Tokens.Select(_ => false), .. Response.Completion.Tokens.Select((_, i) => !Response.Completion.Injected.Contains(i))]);

    /// <summary>What the sampler gave the scored tokens, in order: log π_old.</summary>
    public IEnumerable<float> OldLogProbabilities => Response.Completion.LogProbabilities.Where((_, i) => !Response.Completion.Injected.Contains(i));
}

/// <summary>What a step of reinforcement learning did. Lengths are in tokens, times in seconds.</summary>
public sealed record CispoStep
{
    /// <summary>Every response of the step, dropped groups included.</summary>
    public required IReadOnlyList<Rollout> Rollouts { get; init; }

    /// <summary>Mean reward of all responses.</summary>
    public required double Reward { get; init; }

    /// <summary>Share of groups in which all rewards are equal.</summary>
    public required double UniformGroups { get; init; }

    /// <summary>Mean of the method's own objective over the updates, negated.</summary>
    public required double Loss { get; init; }

    /// <summary>Mean entropy of a response token, in nats.</summary>
    public required double Entropy { get; init; }

    /// <summary>Share of trained tokens whose importance weight was capped.</summary>
    public required double ClipRatio { get; init; }

    /// <summary>Response tokens with a non-zero advantage whose weight is 0: none in CISPO.</summary>
    public required long ZeroGradientTokens { get; init; }

    /// <summary>Pearson correlation of the probabilities that sampler and trainer give the same tokens, at the same weights; NaN without an update.</summary>
    public required double RolloutTrainerPearson { get; init; }

    /// <summary>Mean load-balancing loss; experts per token is perfect.</summary>
    public required double AuxiliaryLoss { get; init; }

    /// <summary>Mean gradient norm before clipping.</summary>
    public required double GradientNorm { get; init; }

    /// <summary>That was used.</summary>
    public required float LearningRate { get; init; }

    /// <summary>Updates made.</summary>
    public required int Updates { get; init; }

    /// <summary>Tokens sampled.</summary>
    public required int GeneratedTokens { get; init; }

    /// <summary>Prompt and response tokens that went through the trainer.</summary>
    public required int TrainedTokens { get; init; }

    /// <summary>Time of sampling.</summary>
    public required double GenerationSeconds { get; init; }

    /// <summary>Time of the updates.</summary>
    public required double TrainingSeconds { get; init; }
}

/// <summary>
/// Reinforcement learning with group advantages and many off-policy updates on each batch of rollouts, the
/// rollouts' log-probabilities frozen as π_old (MiniMax-M1 report, section 3.1). Sampler and trainer multiply by the LM
/// head in single precision.
/// </summary>
public sealed class CispoTrainer
{
    private readonly MiniMaxForCausalLM _model;
    private readonly AdamW _optimizer;
    private readonly CispoOptions _options;
    private readonly Func<int[], string> _decode;
    private readonly IRewardFunction _reward;
    private readonly TextGenerator _generator;

    /// <param name="model">Trained in place.</param>
    /// <param name="optimizer">Of the model's parameters.</param>
    /// <param name="decode">From response tokens to the text that is scored.</param>
    /// <param name="reward">Scores responses.</param>
    /// <param name="options">Settings; checked here.</param>
    public CispoTrainer(
        MiniMaxForCausalLM model, AdamW optimizer, Func<int[], string> decode, IRewardFunction reward, CispoOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _model = model;
        _optimizer = optimizer;
        _options = options;
        _decode = decode;
        _reward = reward;
        _generator = new TextGenerator(model);
    }

    /// <summary>Rolls prompts out, scores the responses and updates the model on them.</summary>
    /// <param name="nextPrompts">Gives the prompts of generation batch 0, 1, … of this step.</param>
    /// <param name="step">Number of the step, from 0.</param>
    /// <param name="seed">Of all random choices of this step.</param>
    /// <param name="cancellation">Looked at while sampling; the model is not changed when it acts.</param>
    public async Task<CispoStep> StepAsync(
        Func<int, IReadOnlyList<RolloutPrompt>> nextPrompts, int step, ulong seed, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(nextPrompts);
        var generation = Stopwatch.StartNew();
        var rollouts = new List<Rollout>();
        var informative = new List<Rollout[]>();
        int groups = 0, wanted = int.MaxValue;
        for (int batch = 0; batch < _options.MaxGenerationBatches && informative.Count < wanted; batch++)
        {
            IReadOnlyList<RolloutPrompt> prompts = nextPrompts(batch);
            wanted = Math.Min(wanted, prompts.Count);
            foreach (Rollout[] group in await RollOutAsync(prompts, groups, seed, cancellation).ConfigureAwait(false))
            {
                rollouts.AddRange(group);
                groups++;
                if (group.Any(r => r.Advantage != 0) && informative.Count < wanted)
                {
                    informative.Add(group);
                }
            }
        }

        double generationSeconds = generation.Elapsed.TotalSeconds;
        var training = Stopwatch.StartNew();
        var random = new SplitMix64(seed);
        Rollout[][] order = [.. informative];
        random.Shuffle<Rollout[]>(order);
        var totals = new Totals();
        float rate = _options.LearningRate.At(step);
        foreach (Rollout[][] minibatch in order.Chunk(_options.PromptsPerUpdate).Take(_options.MaxUpdates))
        {
            Backward([.. minibatch.SelectMany(g => g)], totals);
            totals.GradientNorm += _optimizer.Step(rate);
        }

        return new CispoStep
        {
            Rollouts = rollouts,
            Reward = rollouts.Average(r => r.Reward.Score ?? 0),
            UniformGroups = 1 - (double)rollouts.GroupBy(r => r.Group).Count(g => g.Any(r => r.Advantage != 0)) / groups,
            Loss = totals.Loss / Math.Max(totals.Updates, 1),
            Entropy = totals.Entropy / Math.Max(totals.ResponseTokens, 1),
            ClipRatio = (double)totals.Clipped / Math.Max(totals.ResponseTokens, 1),
            ZeroGradientTokens = totals.ZeroGradient,
            RolloutTrainerPearson = totals.Pearson,
            AuxiliaryLoss = totals.Auxiliary / Math.Max(totals.Updates, 1),
            GradientNorm = totals.GradientNorm / Math.Max(totals.Updates, 1),
            LearningRate = rate,
            Updates = totals.Updates,
            GeneratedTokens = rollouts.Sum(r => r.Response.Completion.Tokens.Length),
            TrainedTokens = totals.Tokens,
            GenerationSeconds = generationSeconds,
            TrainingSeconds = training.Elapsed.TotalSeconds,
        };
    }

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

    private void Backward(Rollout[] rollouts, Totals totals)
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

    private sealed class Totals
    {
        public int Updates;
        public int Tokens;
        public long ResponseTokens;
        public long Clipped;
        public long ZeroGradient;
        public double Loss;
        public double Auxiliary;
        public double Entropy;
        public double GradientNorm;
        public double Pearson = double.NaN;
    }
}

/// <summary>How good a response is among those to the same prompt.</summary>
public static class GroupAdvantage
{
    /// <summary>
    /// (R − mean) / (std + epsilon). The report does not say which deviation, nor names an epsilon; this project's choice is the
    /// population's and 1e-6. A group of equal rewards gives zeros.
    /// </summary>
    public static double[] Of(IReadOnlyList<double> rewards, bool unbiased = false, double epsilon = 1e-6)
    {
        ArgumentNullException.ThrowIfNull(rewards);
        double mean = rewards.Average();
        if (rewards.All(r => r == rewards[0]))
        {
            return new double[rewards.Count];
        }

        double squares = rewards.Sum(r => (r - mean) * (r - mean));
        double deviation = Math.Sqrt(squares / (unbiased ? rewards.Count - 1 : rewards.Count));
        return [.. rewards.Select(r => (r - mean) / (deviation + epsilon))];
    }
}

/// <summary>What a token counts in the loss.</summary>
internal static class Aggregation
{
    /// <summary>A weight for each token of the responses, in order; they sum to 1.</summary>
    public static float[] TokenWeights(LossAggregation aggregation, IReadOnlyList<(int Group, int Tokens)> responses)
    {
        Dictionary<int, int> groupTokens = responses.GroupBy(r => r.Group).ToDictionary(g => g.Key, g => g.Sum(r => r.Tokens));
        int all = responses.Sum(r => r.Tokens);
        return
        [
            .. responses.SelectMany(r => Enumerable.Repeat(
                aggregation switch
                {
                    LossAggregation.Prompt => 1f / ((float)groupTokens.Count * groupTokens[r.Group]),
                    LossAggregation.BatchToken => 1f / all,
                    LossAggregation.Sample => 1f / ((float)responses.Count * r.Tokens),
                    _ => throw new ArgumentOutOfRangeException(nameof(aggregation), aggregation, "not an aggregation"),
                },
                r.Tokens)),
        ];
    }
}

internal static class Statistics
{
    /// <summary>Pearson's correlation; 1 where both sides are constant and equal, NaN where only one is constant.</summary>
    public static double Pearson(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        double mx = x.Average(), my = y.Average(), xy = 0, xx = 0, yy = 0;
        for (int i = 0; i < x.Count; i++)
        {
            xy += (x[i] - mx) * (y[i] - my);
            xx += (x[i] - mx) * (x[i] - mx);
            yy += (y[i] - my) * (y[i] - my);
        }

        return xx == 0 && yy == 0 ? 1 : xy / Math.Sqrt(xx * yy);
    }
}
