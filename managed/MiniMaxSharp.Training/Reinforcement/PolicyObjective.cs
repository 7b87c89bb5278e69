using MiniMaxSharp.Native;

namespace MiniMaxSharp.Training;

/// <summary>How tokens are averaged into one loss.</summary>
public enum LossAggregation
{
    /// <summary>Each prompt's responses by their number of tokens, then the mean over prompts (equation 4 of the report).</summary>
    Prompt,

    /// <summary>All tokens of the batch alike.</summary>
    BatchToken,

    /// <summary>The mean of each response, then the mean over responses.</summary>
    Sample,
}

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

    /// <summary>Weight of the KL divergence to a reference policy (estimator k3).</summary>
    public float KlWeight { get; init; }

    /// <summary>Whether min(rA, clip(r)A) is reported (PPO, GRPO, DAPO) instead of weight · mask · A · log π.</summary>
    public bool ReportsClippedSurrogate { get; init; }

    /// <summary>How tokens are averaged.</summary>
    public LossAggregation Aggregation { get; init; } = LossAggregation.Prompt;

    /// <summary>CISPO: the importance weight is capped and no token loses its gradient.</summary>
    /// <param name="maxImportanceWeight">Absolute cap; choice of this project, as the report publishes none (ScaleRL finds 4, 5 and 8 alike).</param>
    public static PolicyObjective Cispo(float maxImportanceWeight = 5) => new() { Name = "cispo", MaxWeight = maxImportanceWeight };

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
    }
}

/// <summary>The policy loss of response tokens; all arrays [tokens].</summary>
internal static unsafe class PolicyLoss
{
    /// <summary>The loss (to be minimised), its gradient by each log-probability, and the importance ratios.</summary>
    public static (double Loss, float[] Gradient, float[] Ratio, float[] TokenObjective) Evaluate(
        Device device,
        PolicyObjective objective,
        ReadOnlySpan<float> logp,
        ReadOnlySpan<float> oldLogp,
        ReadOnlySpan<float> advantage,
        ReadOnlySpan<float> tokenWeight,
        ReadOnlySpan<float> referenceLogp = default)
    {
        long n = logp.Length;
        using TensorScope scope = device.Scope();
        Tensor loss = Tensor.Empty(device, ElementType.Float32, 1);
        Tensor gradient = Tensor.Empty(device, ElementType.Float32, n);
        Tensor ratio = Tensor.Empty(device, ElementType.Float32, n);
        Tensor value = Tensor.Empty(device, ElementType.Float32, n);
        var p = new PolicyLossForwardParams
        {
            StructSize = sizeof(PolicyLossForwardParams),
            Logp = Tensor.From(device, logp, n).Floats,
            OldLogp = Tensor.From(device, oldLogp, n).Floats,
            RefLogp = referenceLogp.IsEmpty ? null : Tensor.From(device, referenceLogp, n).Floats,
            Advantage = Tensor.From(device, advantage, n).Floats,
            TokenWeight = Tensor.From(device, tokenWeight, n).Floats,
            Loss = loss.Floats,
            Dlogp = gradient.Floats,
            Ratio = ratio.Floats,
            Objective = value.Floats,
            Tokens = n,
            WeightMin = objective.MinWeight,
            WeightMax = objective.MaxWeight,
            MaskLow = objective.MaskLow,
            MaskHigh = objective.MaskHigh,
            KlBeta = objective.KlWeight,
            ObjectiveKind = objective.ReportsClippedSurrogate ? Native.PolicyObjective.ClippedSurrogate : Native.PolicyObjective.WeightedLogp,
        };
        NativeStatus.Check(NativeMethods.PolicyLossForward(device.Handle, &p));
        return (loss.Item(), gradient.ToArray<float>(), ratio.ToArray<float>(), value.ToArray<float>());
    }
}
