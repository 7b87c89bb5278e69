namespace MiniMaxSharp.Training;

/// <summary>Two answers that were compared. Answers are named by their place in the list that was given, from 0.</summary>
/// <param name="Round">From 1.</param>
/// <param name="First">One of them.</param>
/// <param name="Second">The other; null for a bye.</param>
/// <param name="Score">1 if the first is better or has a bye, −1 if the second is better, 0 if neither is.</param>
public sealed record SwissPairing(int Round, int First, int? Second, int Score);

/// <summary>Where a Swiss-system tournament stands (<see cref="SwissRounds"/>).</summary>
public sealed class SwissStandings
{
    internal SwissStandings(int answers, IReadOnlyList<SwissPairing> pairings)
    {
        var points = new double[answers];
        foreach (SwissPairing pairing in pairings)
        {
            points[pairing.First] += (1 + pairing.Score) / 2.0;
            if (pairing.Second is int second)
            {
                points[second] += (1 - pairing.Score) / 2.0;
            }
        }

        var opponents = new double[answers];
        foreach (SwissPairing pairing in pairings)
        {
            if (pairing.Second is int second)
            {
                opponents[pairing.First] += points[second];
                opponents[second] += points[pairing.First];
            }
        }

        (Points, Pairings) = (points, pairings);
        Ranking = [.. Enumerable.Range(0, answers).OrderByDescending(i => points[i]).ThenByDescending(i => opponents[i])];
    }

    /// <summary>The answers from the best to the worst: by points, then by the points of those that they met, then in the order given.</summary>
    public IReadOnlyList<int> Ranking { get; }

    /// <summary>The answer to refer to.</summary>
    public int Best => Ranking[0];

    /// <summary>What each answer won.</summary>
    public IReadOnlyList<double> Points { get; }

    /// <summary>All comparisons, round by round.</summary>
    public IReadOnlyList<SwissPairing> Pairings { get; }
}
