namespace MiniMaxSharp.Training;

/// <summary>
/// A policy-gradient method as settings of one loss (MiniMax-M1 report, equations 1 to 7). With r = π/π_old the gradient of
/// every method is weight · mask · A · ∇log π, with weight = clip(r, MinWeight, MaxWeight) held constant and mask = 0 where
/// (A &gt; 0 and r &gt; 1 + MaskHigh) or (A &lt; 0 and r &lt; 1 − MaskLow). Only the value that is reported differs.
/// </summary>
public sealed record PolicyObjective
{
    /// <summary>Name for reports.</summary>
    public required string Name { get; init; }

    /// <summary>Lower bound of the importance weight; a positive one lets sampler and trainer drift apart.</summary>
    public float MinWeight { get; init; }

    /// <summary>Upper bound of the importance weight, absolute: at least 1.</summary>
    public float MaxWeight { get; init; } = float.PositiveInfinity;

    /// <summary>See the class; infinite: no token of negative advantage is masked.</summary>
    public float MaskLow { get; init; } = float.PositiveInfinity;

    /// <summary>See the class; infinite: no token of positive advantage is masked.</summary>
    public float MaskHigh { get; init; } = float.PositiveInfinity;

    /// <summary>Weight of the KL divergence to a reference policy.</summary>
    public float KlWeight { get; init; }

    /// <summary>How that divergence is estimated.</summary>
    public KlEstimator KlEstimator { get; init; } = KlEstimator.K3;

    /// <summary>Weight of the entropy, which is added to the objective.</summary>
    public float EntropyWeight { get; init; }

    /// <summary>Whether min(rA, clip(r)A) is reported (PPO, GRPO, DAPO) instead of weight · mask · A · log π.</summary>
    public bool ReportsClippedSurrogate { get; init; }

    /// <summary>How tokens are averaged.</summary>
    public LossAggregation Aggregation { get; init; } = LossAggregation.Prompt;

    /// <summary>Share of the mean over tokens in <see cref="LossAggregation.Combined"/>; half is this project's choice.</summary>
    public float TokenShare { get; init; } = 0.5f;

    /// <summary>CISPO: the importance weight is capped and no token loses its gradient.</summary>
    /// <param name="maxImportanceWeight">Absolute cap; choice of this project, as the report publishes none (ScaleRL finds 4, 5 and 8 alike).</param>
    public static PolicyObjective Cispo(float maxImportanceWeight = 5) => new() { Name = "cispo", MaxWeight = maxImportanceWeight };

    /// <summary>PPO's clipped surrogate (arXiv 1707.06347, equation 7), all tokens alike; its advantages come of <see cref="PolicyOptions.Critic"/>.</summary>
    public static PolicyObjective Ppo(float epsilon = 0.2f) => Grpo(epsilon) with { Name = "ppo", Aggregation = LossAggregation.BatchToken };

    /// <summary>PPO's clipped surrogate with group advantages and the mean over responses.</summary>
    public static PolicyObjective Grpo(float epsilon = 0.2f, float klWeight = 0) => new()
    {
        Name = "grpo",
        MaskLow = epsilon,
        MaskHigh = epsilon,
        KlWeight = klWeight,
        ReportsClippedSurrogate = true,
        Aggregation = LossAggregation.Sample,
    };

    /// <summary>The clipped surrogate with a wider upper bound and the mean over tokens.</summary>
    public static PolicyObjective Dapo(float epsilonLow = 0.2f, float epsilonHigh = 0.28f) => new()
    {
        Name = "dapo",
        MaskLow = epsilonLow,
        MaskHigh = epsilonHigh,
        ReportsClippedSurrogate = true,
    };

    /// <summary>The importance-weighted policy gradient without any clip.</summary>
    public static PolicyObjective Reinforce() => new() { Name = "reinforce", Aggregation = LossAggregation.Sample };

    /// <summary>Equations 6 and 7: CISPO's cap with a mask of its own.</summary>
    public static PolicyObjective Unified(float maxWeight, float maskLow, float maskHigh) => new()
    {
        Name = "unify",
        MaxWeight = maxWeight,
        MaskLow = maskLow,
        MaskHigh = maskHigh,
    };

    /// <summary>Throws on a setting that makes no sense.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A bound is on the wrong side of 1, or negative.</exception>
    public void Validate()
    {
        // A cap below 1 would floor every ratio: the mark of an offset taken for an absolute value.
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxWeight, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(MinWeight);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MinWeight, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(MaskLow);
        ArgumentOutOfRangeException.ThrowIfNegative(MaskHigh);
        ArgumentOutOfRangeException.ThrowIfNegative(KlWeight);
        ArgumentOutOfRangeException.ThrowIfNegative(EntropyWeight);
        ArgumentOutOfRangeException.ThrowIfNegative(TokenShare);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(TokenShare, 1);
    }
}
