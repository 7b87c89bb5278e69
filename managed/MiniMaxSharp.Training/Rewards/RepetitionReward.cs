using MiniMaxSharp.Generation;

namespace MiniMaxSharp.Training;

/// <summary>
/// A punishment for going round in circles, to be added to another reward: −factor · the share of n-grams of tokens that were
/// there before, and −factor for what the generator stopped for repetition. That and the defaults are choices.
/// </summary>
public sealed class RepetitionReward : IRewardFunction
{
    private readonly int _n;
    private readonly double _factor;

    /// <param name="n">Tokens of a phrase.</param>
    /// <param name="factor">The punishment of a response that says nothing else.</param>
    public RepetitionReward(int n = Repetition.PhraseLength, double factor = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(factor);
        (_n, _factor) = (n, factor);
    }

    /// <inheritdoc/>
    public string Name => "repetition";

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation) =>
        ValueTask.FromResult<IReadOnlyList<RewardResult>>([.. responses.Select(r => new RewardResult(Penalty(r.Completion)))]);

    private double Penalty(Completion completion)
    {
        double share = completion.Reason == FinishReason.Repetition ? 1 : Repetition.Share(completion.Tokens, _n);
        return share > 0 ? -_factor * share : 0;
    }
}

/// <summary>How much of a text was said before.</summary>
public static class Repetition
{
    /// <summary>Tokens of a phrase unless said otherwise; a choice: long enough that formulas which recur are none.</summary>
    public const int PhraseLength = 20;

    /// <summary>The share of n-grams that have stood earlier in the sequence, in [0, 1); 0 where there is no n-gram.</summary>
    public static double Share(ReadOnlySpan<int> tokens, int n = PhraseLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        int count = tokens.Length - n + 1;
        if (count < 1)
        {
            return 0;
        }

        int[] sequence = tokens.ToArray();
        var starts = new HashSet<int>(count, new SamePhrase(sequence, n));
        for (int i = 0; i < count; i++)
        {
            starts.Add(i);
        }

        return (double)(count - starts.Count) / count;
    }

    /// <summary>Whether the generator stopped it for repetition, or at least half of its phrases were said before (choice).</summary>
    public static bool IsRepetitive(Completion completion)
    {
        ArgumentNullException.ThrowIfNull(completion);
        return completion.Reason == FinishReason.Repetition || Share(completion.Tokens) >= 0.5;
    }

    // Phrases by where they begin.
    private sealed class SamePhrase(int[] tokens, int n) : IEqualityComparer<int>
    {
        public bool Equals(int x, int y) => tokens.AsSpan(x, n).SequenceEqual(tokens.AsSpan(y, n));

        public int GetHashCode(int start)
        {
            var hash = new HashCode();
            foreach (int token in tokens.AsSpan(start, n))
            {
                hash.Add(token);
            }

            return hash.ToHashCode();
        }
    }
}
