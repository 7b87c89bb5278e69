namespace MiniMaxSharp.Training;

/// <summary>Settings of <see cref="NearDuplicates"/>.</summary>
public sealed record NearDuplicateOptions
{
    /// <summary>Texts are compared by their runs of so many words; a shorter text is one run.</summary>
    public int ShingleWords { get; init; } = 5;

    /// <summary>Texts that share this part of their runs (Jaccard) are duplicates.</summary>
    public double Threshold { get; init; } = 0.8;

    /// <summary>Decides the hash functions.</summary>
    public ulong Seed { get; init; }
}

/// <summary>A text that is much like an earlier one.</summary>
/// <param name="Index">Its place in the list.</param>
/// <param name="Of">The place of the earlier one, which is no duplicate itself.</param>
/// <param name="Similarity">Jaccard similarity of their runs of words, exact.</param>
public sealed record NearDuplicate(int Index, int Of, double Similarity);

/// <summary>
/// Finds texts that are nearly the same: pairs that MinHash (Broder 1997) makes likely, by signatures cut into bands, verified by their exact
/// Jaccard similarity. So none is found wrongly; a pair of similarity s is looked at with probability 1 − (1 − s⁵)²⁰: at 0.8 all but one in 2800.
/// </summary>
public static class NearDuplicates
{
    private const int Bands = 20, Rows = 5;

    /// <summary>Each text that is a duplicate of an earlier one, in order.</summary>
    public static IReadOnlyList<NearDuplicate> Find(IReadOnlyList<string> texts, NearDuplicateOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(texts);
        options ??= new NearDuplicateOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ShingleWords, 1, nameof(options));
        var buckets = new Dictionary<(int Band, ulong Key), List<int>>();
        var kept = new Dictionary<int, HashSet<ulong>>();
        var duplicates = new List<NearDuplicate>();
        for (int i = 0; i < texts.Count; i++)
        {
            HashSet<ulong> shingles = Shingles(texts[i], options.ShingleWords);
            (int, ulong)[] keys = Keys(shingles, options.Seed);
            NearDuplicate? match = keys.SelectMany(key => buckets.GetValueOrDefault(key) ?? []).Distinct().Order()
                .Select(earlier => new NearDuplicate(i, earlier, Jaccard(kept[earlier], shingles)))
                .FirstOrDefault(pair => pair.Similarity >= options.Threshold);
            if (match is not null)
            {
                duplicates.Add(match);
                continue;
            }

            kept.Add(i, shingles);
            foreach ((int, ulong) key in keys)
            {
                (buckets.TryGetValue(key, out List<int>? bucket) ? bucket : buckets[key] = []).Add(i);
            }
        }

        return duplicates;
    }

    /// <summary>The examples without those that are duplicates of earlier ones.</summary>
    public static IReadOnlyList<TrainingExample> Remove(IReadOnlyList<TrainingExample> examples, NearDuplicateOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(examples);
        HashSet<int> duplicates = [.. Find([.. examples.Select(e => e.Content)], options).Select(d => d.Index)];
        return [.. examples.Where((_, i) => !duplicates.Contains(i))];
    }

    private static HashSet<ulong> Shingles(string text, int length)
    {
        List<string> words = WordRuns.Words(text);
        return words.Count >= length ? [.. WordRuns.Of(words, length).Select(Hash)] : [Hash(words.Count > 0 ? string.Join(' ', words) : text)];
    }

    private static (int Band, ulong Key)[] Keys(HashSet<ulong> shingles, ulong seed)
    {
        var keys = new (int, ulong)[Bands];
        for (int band = 0; band < Bands; band++)
        {
            ulong key = 0;
            for (int row = 0; row < Rows; row++)
            {
                ulong function = SplitMix64.Mix(seed + (ulong)(band * Rows + row + 1));
                key = SplitMix64.Mix(key ^ shingles.Min(shingle => SplitMix64.Mix(shingle ^ function)));
            }

            keys[band] = (band, key);
        }

        return keys;
    }

    private static double Jaccard(HashSet<ulong> x, HashSet<ulong> y)
    {
        int common = x.Count(y.Contains);
        return (double)common / (x.Count + y.Count - common);
    }

    // FNV-1a, mixed: 64 bits, so that two of a million runs are taken for one with a chance of 3e-8.
    private static ulong Hash(string text)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in text)
        {
            hash = (hash ^ c) * 1099511628211;
        }

        return SplitMix64.Mix(hash);
    }
}
