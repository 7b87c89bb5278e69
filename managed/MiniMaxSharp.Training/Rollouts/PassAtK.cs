namespace MiniMaxSharp.Training;

/// <summary>How likely one of k answers to a question is right.</summary>
public static class PassAtK
{
    /// <summary>
    /// The unbiased estimate from n answers, c of them right: 1 − C(n−c, k) / C(n, k) (Chen et al. 2021, arXiv 2107.03374, equation 1).
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Not 1 ≤ k ≤ n and 0 ≤ c ≤ n.</exception>
    public static double Estimate(int n, int c, int k)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(k, n);
        ArgumentOutOfRangeException.ThrowIfNegative(c);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(c, n);
        // The chance that none of k is right, as a product that cannot overflow.
        double none = 1;
        for (int i = n - c + 1; i <= n; i++)
        {
            none *= Math.Max(0, 1 - (double)k / i);
        }

        return 1 - none;
    }
}
