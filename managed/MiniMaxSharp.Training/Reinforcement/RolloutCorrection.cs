namespace MiniMaxSharp.Training;

/// <summary>
/// What makes up for a sampler that does not give tokens the trainer's probabilities. The trainer's own log π_old, computed before the
/// first update, takes the place of the sampler's, and a token's advantage is multiplied by a factor of ρ = π_old / π_sampler, which is
/// at most C = <see cref="PolicyOptions.MaxCorrection"/>.
/// </summary>
public enum RolloutCorrection
{
    /// <summary>The sampler's log-probabilities are taken for log π_old.</summary>
    None,

    /// <summary>Truncated importance sampling (TIS): min(ρ, C).</summary>
    Truncated,

    /// <summary>Masked importance sampling (MIS): ρ within [1/C, C], 0 outside.</summary>
    Masked,
}

internal static class CorrectionFactor
{
    public static float Of(RolloutCorrection correction, float trainer, float sampler, float limit)
    {
        float ratio = MathF.Exp(trainer - sampler);
        return correction switch
        {
            RolloutCorrection.None => 1,
            RolloutCorrection.Truncated => MathF.Min(ratio, limit),
            RolloutCorrection.Masked => ratio >= 1 / limit && ratio <= limit ? ratio : 0,
            _ => throw new ArgumentOutOfRangeException(nameof(correction), correction, "not a correction"),
        };
    }
}
