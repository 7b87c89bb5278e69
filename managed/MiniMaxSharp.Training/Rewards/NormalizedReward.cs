namespace MiniMaxSharp.Training;

/// <summary>
/// Another reward on a scale of its own: (score − mean) / deviation over all scores so far. One of the remedies against what a reward model pays for
/// length (MiniMax-M1 report, section 4.2: normalisation; how is not published, so this is a choice). It keeps a reward model whose grades drift or crowd
/// together from outweighing, or drowning in, the rules it is summed with.
/// <para>Scoring changes nothing, so it may run ahead: the trainer takes a step's scores in by <see cref="Update"/> and keeps <see cref="Moments"/> in its
/// checkpoint. Before two different scores were taken in the deviation counts as 1.</para>
/// <para>The other's name stays; part besides the other's: <c>raw</c>, its score.</para>
/// </summary>
public sealed class NormalizedReward : IRewardFunction
{
    private const string Raw = "raw";
    private readonly IRewardFunction _reward;

    /// <param name="reward">What is normalised.</param>
    /// <param name="moments">A saved state; null at the start of a run.</param>
    public NormalizedReward(IRewardFunction reward, RewardMoments? moments = null)
    {
        ArgumentNullException.ThrowIfNull(reward);
        (_reward, Moments) = (reward, moments ?? RewardMoments.None);
    }

    /// <inheritdoc/>
    public string Name => _reward.Name;

    /// <summary>What scores are measured by at present.</summary>
    public RewardMoments Moments { get; private set; }

    /// <summary>Takes in the results of a step, in order; those to which the reward does not apply are passed over.</summary>
    /// <param name="results">What <see cref="ScoreAsync"/> gave.</param>
    /// <exception cref="ArgumentException">A score is not finite.</exception>
    public void Update(IEnumerable<RewardResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        Moments = Moments.With(results.Where(result => result.Score is not null).Select(result => result.Parts![Raw]));
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation)
    {
        (double mean, double deviation) = (Moments.Mean, Moments.Deviation is > 0 and double found ? found : 1);
        IReadOnlyList<RewardResult> results = await _reward.ScoreAsync(responses, cancellation).ConfigureAwait(false);
        return [.. results.Select(result => result.Score is double score ? result.Rescored((score - mean) / deviation, Raw, score) : result)];
    }
}
