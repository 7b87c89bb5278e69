using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// word_sorting of SynLogic (arXiv 2505.19641): sort words under an alphabet in another order.
/// Difficulty sets the number of words (3 to 15), their length (2 to 8) and the size of the alphabet (5 to 26).
/// The answer is the sorted words with commas between them; spaces inside a word do not matter.
/// Canonical up to renaming of letters (only their order counts) and the order in which words are given.
/// </summary>
public sealed class WordSorting : ReasoningTask<WordSorting.WordList>
{
    private const string Latin = "abcdefghijklmnopqrstuvwxyz";
    private const int MostWords = 100;
    private const int LongestWord = 100;

    private readonly record struct Level(int FewestWords, int MostWords, int Shortest, int Longest, int Letters);

    private static readonly Level[] Levels =
    [
        new(3, 4, 2, 2, 5), new(4, 4, 2, 3, 5), new(4, 5, 2, 3, 6), new(5, 6, 3, 4, 8), new(6, 7, 3, 4, 10),
        new(7, 8, 3, 5, 13), new(8, 10, 3, 6, 16), new(10, 11, 3, 6, 20), new(11, 13, 3, 7, 26), new(13, 15, 3, 8, 26),
    ];

    /// <inheritdoc/>
    public override string Name => "word_sorting";

    /// <inheritdoc/>
    public override string Description => "words sorted under a permuted alphabet";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["sort", ":", ",", "->", ";", "_", .. Latin.Select(letter => $"{letter}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<WordList, string>> English { get; } =
    [
        p => $"In this alphabet the letters come in the order {string.Join(' ', p.Alphabet.AsEnumerable())}. Sort these words by it: {List(p)}. Give the sorted words with commas between them.",
        p => $"Suppose the alphabet ran {p.Alphabet}. In what order would a dictionary list {List(p)}? Write the words separated by commas.",
        p => $"Words: {List(p)}\nAlphabet, first letter first: {p.Alphabet}\nSort the words under this alphabet (a word comes before all longer words that begin with it). The answer is the words, comma-separated.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<WordList, string>> Chinese { get; } =
    [
        p => $"字母表的顺序改为：{string.Join(' ', p.Alphabet.AsEnumerable())}。请按此顺序给下列单词排序：{List(p)}。写出排好的单词，用逗号隔开。",
        p => $"单词：{List(p)}\n新的字母顺序（从前到后）：{p.Alphabet}\n请按新的字母顺序像词典一样排列这些单词，以逗号分隔。",
    ];

    /// <inheritdoc/>
    protected override (WordList Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var alphabet = rng.Sample(Latin, level.Letters);
        var count = rng.Between(level.FewestWords, level.MostWords);
        var words = new List<string>();
        while (words.Count < count)
        {
            var word = Draw(alphabet, rng.Between(level.Shortest, level.Longest), words, rng);
            if (!words.Contains(word))
                words.Add(word);
        }
        var puzzle = new WordList(string.Concat(alphabet), rng.Sample(words, count));
        return (puzzle, Spelled(puzzle.Sorted));
    }

    /// <summary>A random word; once in three times it begins like one that is there, so that later letters count too.</summary>
    private static string Draw(char[] alphabet, int length, List<string> words, Rng rng)
    {
        var start = words.Count > 0 && rng.OneIn(3) ? rng.Pick(words) : "";
        var kept = start[..rng.Between(0, Math.Min(start.Length, length - 1))];
        return kept + string.Concat(Enumerable.Range(kept.Length, length - kept.Length).Select(_ => rng.Pick(alphabet)));
    }

    /// <inheritdoc/>
    protected override string Compact(WordList puzzle) => $"sort {Spaced(puzzle.Alphabet)} : {Spelled(puzzle.Words)}";

    /// <summary>For each letter of the alphabet in turn the words that begin with it: first as they are given, then, if several, sorted.</summary>
    protected override string Reason(WordList puzzle, string solution)
    {
        return string.Join(' ', puzzle.Alphabet.Select(letter => $"{letter} : {Bucket(letter)} ;"));

        string Bucket(char letter)
        {
            var (given, sorted) = (puzzle.Words.Where(Begins).ToArray(), puzzle.Sorted.Where(Begins).ToArray());
            return given.Length switch { 0 => "_", 1 => Spelled(given), _ => $"{Spelled(given)} -> {Spelled(sorted)}" };

            bool Begins(string word) => word[0] == letter;
        }
    }

    /// <inheritdoc/>
    protected override Verdict Check(WordList puzzle, string answer)
    {
        var words = ReadWords(answer);
        if (!words.Order(StringComparer.Ordinal).SequenceEqual(puzzle.Words.Order(StringComparer.Ordinal)))
            return Verdict.Wrong("not the words that were given");
        return words.Zip(words.Skip(1)).All(pair => puzzle.Compare(pair.First, pair.Second) < 0)
            ? Verdict.Right
            : Verdict.Wrong("two neighbours stand in the wrong order");
    }

    /// <summary>Words between commas, in which spaces do not matter; without a comma, words between spaces.</summary>
    private static string[] ReadWords(string answer)
    {
        var hasCommas = answer.AsSpan().IndexOfAny(",，、") >= 0;
        return hasCommas
            ? [.. answer.Split([',', '，', '、']).Select(word => string.Concat(word.Where(c => !char.IsWhiteSpace(c))))]
            : answer.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
    }

    /// <inheritdoc/>
    protected override WordList Read(JsonObject data) => new(data.Text("alphabet"), data.Texts("words"));

    private static string List(WordList puzzle) => string.Join(", ", puzzle.Words);

    private static string Spaced(string word) => string.Join(' ', word.AsEnumerable());

    private static string Spelled(IEnumerable<string> words) => string.Join(" , ", words.Select(Spaced));

    /// <summary>An alphabet and different words over it.</summary>
    public sealed class WordList : Puzzle
    {
        internal WordList(string alphabet, string[] words)
        {
            (Alphabet, Words) = (alphabet, words);
            if (alphabet.Distinct().Count() != alphabet.Length || !alphabet.All(Latin.Contains))
                throw new FormatException("The alphabet is not of different letters from a to z.");
            if (words.Length < 2 || words.Length > MostWords || words.Distinct().Count() < words.Length)
                throw new FormatException($"There are not 2 to {MostWords} different words.");
            if (words.Any(word => word.Length == 0 || word.Length > LongestWord || !word.All(alphabet.Contains)))
                throw new FormatException("A word is empty, too long or not of the alphabet.");
            Sorted = [.. words.Order(Comparer<string>.Create(Compare))];
        }

        /// <summary>The letters, the first first.</summary>
        internal string Alphabet { get; }

        internal IReadOnlyList<string> Words { get; }

        internal IReadOnlyList<string> Sorted { get; }

        /// <summary>Negative if <paramref name="a"/> comes before <paramref name="b"/>.</summary>
        internal int Compare(string a, string b) => string.CompareOrdinal(Ranked(a, Alphabet), Ranked(b, Alphabet));

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["alphabet"] = Alphabet, ["words"] = Words.ToJsonArray() };

        /// <summary>Letters that no word uses do not matter.</summary>
        public override string CanonicalForm()
        {
            var used = string.Concat(Alphabet.Where(letter => Words.Any(word => word.Contains(letter))));
            return string.Join(' ', Sorted.Select(word => Ranked(word, used)));
        }

        /// <summary>Each letter by the one that has its rank in the usual alphabet.</summary>
        private static string Ranked(string word, string alphabet) => string.Concat(word.Select(letter => Latin[alphabet.IndexOf(letter)]));
    }
}
