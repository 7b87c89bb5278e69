using System.Diagnostics;
using System.Numerics;
using Microsoft.Extensions.AI;

namespace MiniMaxSharp.Training;

/// <summary>
/// Picks a reference answer for questions without a known one by a Swiss-system tournament of candidates (MiniMax-M1 report, section 4.2):
/// of n candidates the best is found in ⌈log₂ n⌉ rounds with n/2 comparisons each, where each against each would take n (n − 1)/2.
/// <para>The report gives no more than the name. Choices: a win is a point and a tie half of one; the judge is that of <see cref="PairwiseReward"/>, asked in both
/// positions; a round goes through the ranking and pairs each answer with the next that it has not met; of an odd number the one left over has a
/// bye, none twice, which counts as a win; equal points are ranked by the sum of the opponents' points, and then in the order in which the answers were given.</para>
/// </summary>
public sealed class SwissRounds
{
    private readonly ModelJudge _judge;

    /// <param name="client">The judge. It is asked at temperature 0.</param>
    /// <param name="concurrency">Questions under way at once.</param>
    public SwissRounds(IChatClient client, int concurrency = 8)
    {
        _judge = new ModelJudge(client, null, concurrency);
    }

    /// <summary>Plays all rounds. Nothing but the answers, their order and the judge's verdicts decides.</summary>
    /// <param name="question">What is answered.</param>
    /// <param name="answers">The candidates: responses, of which what follows the thought counts.</param>
    /// <param name="cancellation">Ends the tournament.</param>
    /// <exception cref="ArgumentException">There are no answers.</exception>
    /// <exception cref="InvalidDataException">A reply holds no verdict; the message quotes it.</exception>
    public async Task<SwissStandings> PlayAsync(string question, IReadOnlyList<string> answers, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(question);
        ArgumentNullException.ThrowIfNull(answers);
        if (answers.Count == 0)
        {
            throw new ArgumentException("There are no answers to choose from.", nameof(answers));
        }

        string quoted = ModelJudge.Quote(question);
        string[] candidates = [.. answers.Select(ModelJudge.Answer)];
        int rounds = BitOperations.Log2((2 * (uint)answers.Count) - 1);
        var standings = new SwissStandings(answers.Count, []);
        for (int round = 1; round <= rounds; round++)
        {
            (int First, int? Second)[] drawn = Draw(standings);
            string[][] replies = await _judge.AskAsync(
                [.. drawn.Select(p => p.Second is int second ? PairwiseReward.Prompts(quoted, candidates[p.First], candidates[second]) : [])], cancellation)
                .ConfigureAwait(false);
            standings = new SwissStandings(answers.Count, [.. standings.Pairings, .. drawn.Zip(replies, (p, said) =>
                new SwissPairing(round, p.First, p.Second, p.Second is null ? 1 : PairwiseReward.Verdict(said).Score))]);
        }

        return standings;
    }

    // In ⌈log₂ n⌉ rounds too few have met for there to be no way on. A bye is an opponent behind all others.
    private static (int First, int? Second)[] Draw(SwissStandings standings)
    {
        HashSet<(int, int?)> met = [.. standings.Pairings.SelectMany(p => new (int, int?)[] { (p.First, p.Second), (p.Second ?? p.First, p.First) })];
        IEnumerable<int?> ranking = standings.Ranking.Select(i => (int?)i);
        return Pair([.. standings.Ranking.Count % 2 == 0 ? ranking : ranking.Append(null)], met) ?? throw new UnreachableException();
    }

    // The first meets the next that it has not met; where the others then cannot all be paired, the one after that. Null if there is no way.
    private static (int First, int? Second)[]? Pair(IReadOnlyList<int?> left, HashSet<(int, int?)> met)
    {
        if (left.Count == 0)
        {
            return [];
        }

        int first = left[0]!.Value;
        foreach (int? second in left.Skip(1).Where(second => !met.Contains((first, second))))
        {
            if (Pair([.. left.Skip(1).Where(i => i != second)], met) is { } others)
            {
                return [(first, second), .. others];
            }
        }

        return null;
    }
}
