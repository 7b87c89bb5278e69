namespace MiniMaxSharp.Training;

/// <summary>A sampled answer with what a reward model gave it and whether it is in fact right.</summary>
public readonly record struct ScoredSample(double Score, bool Correct);

/// <summary>
/// How well a reward model picks. Both are expected values over all choices of N of a prompt's samples, averaged over prompts: a model
/// that always finds a right answer if there is one has <see cref="Best"/> = <see cref="Pass"/>; one that guesses has the value at N = 1.
/// </summary>
/// <param name="N">Samples to choose from.</param>
/// <param name="Best">Best-of-N: how often the sample with the highest score is right.</param>
/// <param name="Pass">pass@N: how often any sample is right.</param>
public sealed record BestOfN(int N, double Best, double Pass)
{
    /// <summary>The values for each N. Samples of the same score are picked with the same probability.</summary>
    /// <param name="prompts">The samples of each prompt: at least as many as the largest N.</param>
    /// <param name="ns">The N.</param>
    /// <exception cref="ArgumentException">There are no prompts, an N is below 1, a prompt has fewer samples than N, or a score is not a number.</exception>
    public static IReadOnlyList<BestOfN> Evaluate(IReadOnlyList<IReadOnlyList<ScoredSample>> prompts, params IReadOnlyList<int> ns)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(ns);
        if (prompts.Count == 0)
        {
            throw new ArgumentException("There are no prompts.", nameof(prompts));
        }

        return [.. ns.Select(n => new BestOfN(n, prompts.Average(p => BestOf(p, n)), prompts.Average(p => PassAt(p, n))))];
    }

    /// <summary>1 − C(wrong, n) / C(all, n).</summary>
    private static double PassAt(IReadOnlyList<ScoredSample> samples, int n) => 1 - ShareOfChoices(samples.Count(s => !s.Correct), samples.Count, n);

    // The best of a choice has the score s if none of the choice is above s and not all are below it.
    private static double BestOf(IReadOnlyList<ScoredSample> samples, int n)
    {
        if (n < 1 || samples.Count < n || samples.Any(s => double.IsNaN(s.Score)))
        {
            throw new ArgumentException($"The best of {n} cannot be taken from {samples.Count} samples, whose scores have to be numbers.", nameof(samples));
        }

        double best = 0;
        int notAbove = samples.Count;
        foreach (IGrouping<double, ScoredSample> equal in samples.GroupBy(s => s.Score).OrderByDescending(g => g.Key))
        {
            int count = equal.Count();
            double probability = ShareOfChoices(notAbove, samples.Count, n) - ShareOfChoices(notAbove - count, samples.Count, n);
            best += probability * equal.Count(s => s.Correct) / count;
            notAbove -= count;
        }

        return best;
    }

    /// <summary>C(some, n) / C(all, n): how many of the choices lie within these.</summary>
    private static double ShareOfChoices(int some, int all, int n)
    {
        double share = 1;
        for (int i = 0; i < n; i++)
        {
            share *= (double)Math.Max(some - i, 0) / (all - i);
        }

        return share;
    }
}
