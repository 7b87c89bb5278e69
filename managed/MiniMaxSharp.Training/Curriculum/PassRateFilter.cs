namespace MiniMaxSharp.Training;

/// <summary>
/// Keeps prompts that a model solves sometimes: those it never or nearly always solves have nothing to teach. The bounds are the
/// report's for its reasoning data, 0 &lt; p &lt; 0.9 (MiniMax-M1, section 4.1); the number of samples is the caller's.
/// </summary>
/// <param name="Above">Pass rates have to be above this.</param>
/// <param name="Below">Pass rates have to be below this.</param>
public sealed record PassRateFilter(double Above = 0, double Below = 0.9)
{
    /// <summary>Whether to keep a prompt of which so many samples out of so many were right.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There were no samples, or more passed than there were.</exception>
    public bool Keeps(int passed, int samples)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(samples);
        ArgumentOutOfRangeException.ThrowIfNegative(passed);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(passed, samples);
        return Keeps((double)passed / samples);
    }

    /// <summary>Whether to keep a prompt of this pass rate.</summary>
    public bool Keeps(double passRate) => passRate > Above && passRate < Below;

    /// <summary>The prompts to keep of those that were sampled, in order.</summary>
    public IReadOnlyList<T> Keep<T>(IEnumerable<(T Prompt, int Passed, int Samples)> prompts)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        return [.. prompts.Where(p => Keeps(p.Passed, p.Samples)).Select(p => p.Prompt)];
    }
}
