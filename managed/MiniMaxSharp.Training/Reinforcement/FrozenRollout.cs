using MiniMaxSharp.Models;

namespace MiniMaxSharp.Training;

/// <summary>A rollout with all that stays as it is during the updates of a step; arrays by scored token.</summary>
/// <param name="Rollout">Tokens and reward.</param>
/// <param name="OldLogProbabilities">log π_old.</param>
/// <param name="Advantages">What each token's gradient is multiplied by, the correction of the rollout included.</param>
internal sealed record FrozenRollout(Rollout Rollout, float[] OldLogProbabilities, float[] Advantages)
{
    /// <summary>log π_ref; empty without a reference.</summary>
    public float[] ReferenceLogProbabilities { get; init; } = [];

    /// <summary>V before each token; empty without a value head.</summary>
    public float[] OldValues { get; init; } = [];

    /// <summary>What V should be; empty without a value head.</summary>
    public float[] Returns { get; init; } = [];

    public static FrozenRollout[] Freeze(
        IReadOnlyList<Rollout> rollouts, PolicyOptions options, MiniMaxForCausalLM model, MiniMaxForCausalLM? reference = null, ValueHead? head = null)
    {
        TrainingSequence[] sequences = [.. rollouts.Select(r => r.Sequence)];
        (float[] LogProbabilities, float[] Values)[]? own =
            options.Correction == RolloutCorrection.None && head is null ? null : Scorer.Score(model, sequences, head);
        (float[] LogProbabilities, float[])[]? referred =
            reference is null ? null : Scorer.Score(reference, [.. sequences.Select(s => s with { Experts = null })]);
        (double[][] advantages, double[][]? returns) = head is null
            ? ([.. rollouts.Select(r => Enumerable.Repeat(r.Advantage, r.Sequence.ScoredTokens).ToArray())], null)
            : Estimate(rollouts, [.. own!.Select(o => o.Values)], options.Critic!);
        return [.. rollouts.Select((rollout, i) =>
        {
            float[] sampler = [.. rollout.OldLogProbabilities];
            float[] old = options.Correction == RolloutCorrection.None ? sampler : own![i].LogProbabilities;
            return new FrozenRollout(rollout, old, Corrected(advantages[i], old, sampler, options))
            {
                ReferenceLogProbabilities = referred?[i].LogProbabilities ?? [],
                OldValues = own?[i].Values ?? [],
                Returns = returns is null ? [] : Array.ConvertAll(returns[i], r => (float)r),
            };
        })];
    }

    private static (double[][] Advantages, double[][] Returns) Estimate(IReadOnlyList<Rollout> rollouts, float[][] values, CriticOptions critic)
    {
        (double[] Advantages, double[] Returns)[] estimates =
            [.. rollouts.Select((r, i) => GeneralizedAdvantage.Of(values[i], r.Reward.Score ?? 0, critic.Gamma, critic.Lambda))];
        return (GeneralizedAdvantage.Standardized([.. estimates.Select(e => e.Advantages)]), [.. estimates.Select(e => e.Returns)]);
    }

    private static float[] Corrected(double[] advantages, float[] trainer, float[] sampler, PolicyOptions options) =>
        [.. advantages.Select((a, t) => (float)a * CorrectionFactor.Of(options.Correction, trainer[t], sampler[t], options.MaxCorrection))];
}
