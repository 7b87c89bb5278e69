namespace MiniMaxSharp.Training;

/// <summary>
/// Keeps what is used for evaluation out of what is trained on: a training text that shares a run of n words with an evaluation text is
/// contaminated (arXiv 2005.14165, appendix C, which uses 13). An evaluation text of fewer words counts whole, unless it is shorter than
/// <see cref="ShortestRun"/>, as everyday phrases would match.
/// </summary>
public sealed class Decontamination
{
    /// <summary>Fewer words than this are never a match (the same source).</summary>
    public const int ShortestRun = 8;

    private readonly SortedDictionary<int, HashSet<string>> _runs = [];

    /// <summary>Takes note of the evaluation texts.</summary>
    /// <param name="evaluation">Prompts, answers, whatever must not be seen in training.</param>
    /// <param name="n">Words of a run.</param>
    public Decontamination(IEnumerable<string> evaluation, int n = 13)
    {
        ArgumentNullException.ThrowIfNull(evaluation);
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        int shortest = Math.Min(n, ShortestRun);
        foreach (List<string> words in evaluation.Select(WordRuns.Words))
        {
            int length = Math.Min(n, words.Count);
            if (length < shortest)
            {
                TooShort++;
                continue;
            }

            (_runs.TryGetValue(length, out HashSet<string>? runs) ? runs : _runs[length] = []).UnionWith(WordRuns.Of(words, length));
        }
    }

    /// <summary>Evaluation texts that are too short to be looked for.</summary>
    public int TooShort { get; }

    /// <summary>The first run of words that the text shares with an evaluation text; null if it is clean.</summary>
    public string? Overlap(string text)
    {
        List<string> words = WordRuns.Words(text);
        return _runs.SelectMany(runs => WordRuns.Of(words, runs.Key).Where(runs.Value.Contains)).FirstOrDefault();
    }

    /// <summary>The examples that share nothing with the evaluation texts.</summary>
    public IReadOnlyList<TrainingExample> Clean(IEnumerable<TrainingExample> examples) => [.. examples.Where(e => Overlap(e.Content) is null)];
}
