namespace MiniMaxSharp.Training;

/// <summary>Packs sequences into batches by their number of tokens: whole, end to end, without padding; none sees its neighbours.</summary>
public static class Batches
{
    /// <summary>
    /// The batches of a run, one a step. Each epoch takes every sequence once, in an order of its own that the seed decides.
    /// </summary>
    /// <param name="sequences">What there is to learn.</param>
    /// <param name="tokensPerStep">Tokens of a batch at most; a longer sequence is a batch of its own.</param>
    /// <param name="epochs">How often all sequences are taken.</param>
    /// <param name="seed">Decides the orders.</param>
    public static IReadOnlyList<IReadOnlyList<TrainingSequence>> Plan(IReadOnlyList<TrainingSequence> sequences, int tokensPerStep, int epochs, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        ArgumentOutOfRangeException.ThrowIfLessThan(tokensPerStep, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(epochs, 1);
        var steps = new List<IReadOnlyList<TrainingSequence>>();
        for (int epoch = 0; epoch < epochs; epoch++)
        {
            TrainingSequence[] order = [.. sequences];
            new SplitMix64(SplitMix64.Mix(seed + (ulong)epoch)).Shuffle<TrainingSequence>(order);
            steps.AddRange(Split(order, tokensPerStep));
        }

        return steps;
    }

    /// <summary>Cuts a batch, in its order, into as few parts as the number of tokens allows.</summary>
    internal static IEnumerable<TrainingSequence[]> Split(IReadOnlyList<TrainingSequence> sequences, int tokens) =>
        Split(sequences, sequence => sequence.Tokens.Length, tokens);

    /// <summary>The same for items of any kind.</summary>
    internal static IEnumerable<T[]> Split<T>(IReadOnlyList<T> items, Func<T, int> length, int tokens)
    {
        for (int start = 0; start < items.Count;)
        {
            int end = start, count = 0;
            while (end < items.Count && (count == 0 || count + length(items[end]) <= tokens))
            {
                count += length(items[end++]);
            }

            yield return [.. items.Skip(start).Take(end - start)];
            start = end;
        }
    }
}
