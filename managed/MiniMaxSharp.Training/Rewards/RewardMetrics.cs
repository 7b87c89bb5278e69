namespace MiniMaxSharp.Training;

/// <summary>What the parts of rewards say of a batch.</summary>
public static class RewardMetrics
{
    /// <summary>
    /// For each named part <c>rewards/{name}/mean</c>, over the responses that have it, in order of the names. A reward that is not
    /// a <see cref="CompositeReward"/> shows its own score here when it is wrapped in one.
    /// </summary>
    public static IReadOnlyList<(string Name, double Value)> Means(IEnumerable<RewardResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        return
        [
            .. results.Where(r => r.Parts is not null).SelectMany(r => r.Parts!).GroupBy(part => part.Key)
                .OrderBy(g => g.Key, StringComparer.Ordinal)
                .Select(g => ($"rewards/{g.Key}/mean", g.Average(part => part.Value))),
        ];
    }
}
