namespace MiniMaxSharp.Training;

/// <summary>
/// PPO's value function: advantages are estimated from it (<see cref="GeneralizedAdvantage"/>) in place of the group's mean, and it is
/// trained beside the policy, on whose hidden states it stands. The defaults are usual ones; none is MiniMax's.
/// </summary>
public sealed record CriticOptions
{
    /// <summary>Discount of the reward for each token between; 1: none.</summary>
    public double Gamma { get; init; } = 1;

    /// <summary>Between 0, one step's surprise, and 1, the whole return.</summary>
    public double Lambda { get; init; } = 0.95;

    /// <summary>A value is not rewarded for going further than this from what it was before the first update.</summary>
    public float ValueClip { get; init; } = 0.2f;

    /// <summary>Weight of the value loss beside the policy's.</summary>
    public float LossWeight { get; init; } = 0.5f;

    /// <summary>Throws on a setting that makes no sense.</summary>
    public void Validate()
    {
        RequireShare(Gamma, nameof(Gamma));
        RequireShare(Lambda, nameof(Lambda));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(ValueClip);
        ArgumentOutOfRangeException.ThrowIfNegative(LossWeight);
    }

    private static void RequireShare(double value, string name)
    {
        if (!(value >= 0 && value <= 1))
        {
            throw new ArgumentOutOfRangeException(name, value, "The value should be between 0 and 1.");
        }
    }
}
