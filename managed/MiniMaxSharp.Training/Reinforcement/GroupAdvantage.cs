namespace MiniMaxSharp.Training;

/// <summary>How good a response is among those to the same prompt.</summary>
public static class GroupAdvantage
{
    /// <summary>
    /// (R − mean) / (std + epsilon). The report does not say which deviation, nor names an epsilon; this project's choice is the
    /// population's and 1e-6. A group of equal rewards gives zeros.
    /// </summary>
    public static double[] Of(IReadOnlyList<double> rewards, bool unbiased = false, double epsilon = 1e-6)
    {
        ArgumentNullException.ThrowIfNull(rewards);
        double mean = rewards.Average();
        if (rewards.All(r => r == rewards[0]))
        {
            return new double[rewards.Count];
        }

        double squares = rewards.Sum(r => (r - mean) * (r - mean));
        double deviation = Math.Sqrt(squares / (unbiased ? rewards.Count - 1 : rewards.Count));
        return [.. rewards.Select(r => (r - mean) / (deviation + epsilon))];
    }
}
