namespace MiniMaxSharp.Training;

/// <summary>
/// Another reward, held within a range: one of the remedies against what a reward model pays for length (MiniMax-M1 report, section 4.2: value
/// clipping; the range is not published). Its name stays; part besides the other's: <c>clipped</c>, 1 where the range held it back.
/// </summary>
public sealed class ClippedReward : IRewardFunction
{
    private readonly IRewardFunction _reward;
    private readonly double _low;
    private readonly double _high;

    /// <param name="reward">What is clipped.</param>
    /// <param name="low">The least score.</param>
    /// <param name="high">The greatest.</param>
    /// <exception cref="ArgumentException">It is no range.</exception>
    public ClippedReward(IRewardFunction reward, double low, double high)
    {
        ArgumentNullException.ThrowIfNull(reward);
        if (!(low < high))
        {
            throw new ArgumentException($"The reward '{reward.Name}' cannot be held between {low} and {high}.", nameof(low));
        }

        (_reward, _low, _high) = (reward, low, high);
    }

    /// <inheritdoc/>
    public string Name => _reward.Name;

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">A score is not a number.</exception>
    public async ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation) =>
        [.. (await _reward.ScoreAsync(responses, cancellation).ConfigureAwait(false)).Select(Clip)];

    private RewardResult Clip(RewardResult result)
    {
        if (result.Score is not double score)
        {
            return result;
        }

        if (double.IsNaN(score))
        {
            throw new InvalidOperationException($"The reward '{Name}' gave a score that is not a number.");
        }

        double clipped = Math.Clamp(score, _low, _high);
        return result.Rescored(clipped, "clipped", clipped == score ? 0 : 1);
    }
}
