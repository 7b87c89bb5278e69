namespace MiniMaxSharp.Training;

/// <summary>
/// Estimates of KL(π‖π_ref) from one sampled token, with d = log π − log π_ref (Schulman, "Approximating KL divergence", 2020).
/// As a penalty an estimate is differentiated as it stands.
/// </summary>
public enum KlEstimator
{
    /// <summary>d: unbiased, but as a penalty it pulls nowhere, since ∇log π is 0 on average; for comparison.</summary>
    K1,

    /// <summary>d²/2: biased, and its gradient is that of the divergence on average.</summary>
    K2,

    /// <summary>exp(−d) + d − 1: unbiased and never negative; GRPO's.</summary>
    K3,
}

internal static class KlPenalty
{
    /// <summary>The estimate, and its derivative by log π.</summary>
    public static (double Value, double Slope) Of(KlEstimator estimator, float logp, float reference)
    {
        double d = (double)logp - reference;
        return estimator switch
        {
            KlEstimator.K1 => (d, 1),
            KlEstimator.K2 => (d * d / 2, d),
            KlEstimator.K3 => (Math.Exp(-d) + d - 1, 1 - Math.Exp(-d)),
            _ => throw new ArgumentOutOfRangeException(nameof(estimator), estimator, "not an estimator"),
        };
    }
}
