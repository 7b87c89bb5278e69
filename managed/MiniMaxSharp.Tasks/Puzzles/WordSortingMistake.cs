using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// word_sorting_mistake of SynLogic (arXiv 2505.19641): someone sorts words step by step; which step is the first that is wrong, if any?
/// The record is of one of two methods: to take the first of the words that are left, or to insert one word after another.
/// Difficulty sets the number of words (5 to 30) and whether the alphabet runs in another order.
/// The answer is the number of the step or <c>none</c>; the record determines it.
/// Canonical up to renaming of letters (only their order counts).
/// </summary>
public sealed class WordSortingMistake : ReasoningTask<WordSortingMistake.Record>
{
    private const string Latin = "abcdefghijklmnopqrstuvwxyz";
    private const string Front = "-";
    private const int MostWords = 100;
    private const int LongestWord = 30;

    private readonly record struct Level(int Words, bool Permuted);

    private static readonly Level[] Levels =
    [
        new(5, false), new(7, false), new(9, false), new(11, false), new(12, true),
        new(15, true), new(18, true), new(22, true), new(26, true), new(30, true),
    ];

    /// <inheritdoc/>
    public override string Name => "word_sorting_mistake";

    /// <inheritdoc/>
    public override string Description => "the first mistake in a record of sorting";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["mistake", "select", "insert", ":", ",", Words.None, Front, .. Latin.Select(letter => $"{letter}"), .. Enumerable.Range(1, 30).Select(step => $"{step}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Record, string>> English { get; } =
    [
        p => $"{OrderInEnglish(p)} Someone sorts these words: {List(p)}. {(p.Inserts ? "Each step puts the next word of this list into the sorted list that is there so far." : "Each step takes the word that comes first among those not taken yet.")}\n{StepsInEnglish(p)}\nWhich is the first wrong step? Answer with its number, or none if there is no mistake.",
        p => $"Check this attempt to sort {p.Given.Count} words. {OrderInEnglish(p)}\nWords: {List(p)}\n{StepsInEnglish(p)}\n{(p.Inserts ? "A step is right if, after it, the words placed so far stand in order." : "A step is right if no word that is still left comes before the word it takes.")} Give the number of the first step that is not right; write none if all are.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Record, string>> Chinese { get; } =
    [
        p => $"{OrderInChinese(p)}有人给这些单词排序：{List(p)}。{(p.Inserts ? "每一步把列表中的下一个单词插入已排好的部分。" : "每一步从剩余单词中取出排在最前的一个。")}\n{StepsInChinese(p)}\n第一个出错的是第几步？写出步号；如果没有错误，写 none。",
        p => $"检查下面的排序过程。{OrderInChinese(p)}\n单词：{List(p)}\n{StepsInChinese(p)}\n{(p.Inserts ? "若一步之后已放入的单词仍按顺序排列，则该步正确。" : "若剩余单词中没有比所取单词更靠前的，则该步正确。")}请写出最早出错的步号，全对则写 none。",
    ];

    /// <inheritdoc/>
    protected override (Record Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var alphabet = level.Permuted ? string.Concat(rng.Sample(Latin, Latin.Length)) : Latin;
        var words = rng.Sample(Lexicon.Words, level.Words);
        var (inserts, wrong) = (rng.OneIn(2), rng.OneIn(4) ? -1 : rng.Between(1, level.Words - 2));
        var order = Comparer<string>.Create((a, b) => Compare(a, b, alphabet));
        var puzzle = new Record(alphabet, words, inserts ? Insert(words, wrong, order, rng) : Select(words, wrong, order, rng), inserts);
        return (puzzle, puzzle.Mistake is { } step ? $"{step}" : Words.None);
    }

    /// <summary>The words as they are taken; at one step, one of the next few in place of the first.</summary>
    private static string[] Select(string[] words, int wrong, Comparer<string> order, Rng rng)
    {
        var (left, taken) = (words.Order(order).ToList(), new List<string>());
        while (left.Count > 0)
        {
            var place = taken.Count == wrong ? rng.Between(1, Math.Min(3, left.Count - 1)) : 0;
            taken.Add(left[place]);
            left.RemoveAt(place);
        }
        return [.. taken];
    }

    /// <summary>For each word the one it is put behind; one word goes a few places too far to the left or right.</summary>
    private static string[] Insert(string[] words, int wrong, Comparer<string> order, Rng rng)
    {
        var (sorted, behind) = (new List<string>(), new List<string>());
        foreach (var (step, word) in words.Index())
        {
            var place = sorted.Count(other => order.Compare(other, word) < 0);
            if (step == wrong)
                place = rng.Pick([.. Enumerable.Range(0, sorted.Count + 1).Where(other => other != place && Math.Abs(other - place) <= 3)]);
            behind.Add(place == 0 ? Front : sorted[place - 1]);
            sorted.Insert(place, word);
        }
        return [.. behind];
    }

    /// <inheritdoc/>
    protected override string Compact(Record puzzle)
    {
        return $"mistake {Spaced(puzzle.Alphabet)} : {Spelled(puzzle.Given)} : {(puzzle.Inserts ? "insert" : "select")} {Spelled(puzzle.Steps)}";

        static string Spaced(string word) => string.Join(' ', word.AsEnumerable());
        static string Spelled(IEnumerable<string> words) => string.Join(" , ", words.Select(Spaced));
    }

    /// <inheritdoc/>
    protected override Verdict Check(Record puzzle, string answer)
    {
        var none = answer.Equals(Words.None, StringComparison.OrdinalIgnoreCase);
        if (!none && (Answers.Number(answer) is not { } step || step < 1 || step > puzzle.Steps.Count))
            return Verdict.Wrong("neither a step nor none");
        return (none ? null : Answers.Number(answer)) == puzzle.Mistake ? Verdict.Right : Verdict.Wrong("that is not the first mistake");
    }

    /// <inheritdoc/>
    protected override Record Read(JsonObject data) => new(data.Text("alphabet"), data.Texts("words"), data.Texts("steps"), data.Text("method") switch
    {
        "insert" => true,
        "select" => false,
        var other => throw new FormatException($"'{other}' is not a method."),
    });

    private static int Compare(string a, string b, string alphabet) => string.CompareOrdinal(Ranked(a, alphabet), Ranked(b, alphabet));

    private static string Ranked(string word, string alphabet) => string.Concat(word.Select(letter => Latin[alphabet.IndexOf(letter)]));

    private static string List(Record puzzle) => string.Join(", ", puzzle.Given);

    private static string OrderInEnglish(Record puzzle) => puzzle.Alphabet == Latin ? "Words go in the usual alphabetical order." : $"Letters have the order {puzzle.Alphabet}.";

    private static string OrderInChinese(Record puzzle) => puzzle.Alphabet == Latin ? "按通常的字母顺序。" : $"字母顺序为 {puzzle.Alphabet}。";

    private static string StepsInEnglish(Record puzzle) => string.Join('\n', puzzle.Steps.Select((step, i) => (puzzle.Inserts, step) switch
    {
        (false, _) => $"Step {i + 1}: take {step}.",
        (true, Front) => $"Step {i + 1}: put {puzzle.Given[i]} at the front.",
        _ => $"Step {i + 1}: put {puzzle.Given[i]} right after {step}.",
    }));

    private static string StepsInChinese(Record puzzle) => string.Join('\n', puzzle.Steps.Select((step, i) => (puzzle.Inserts, step) switch
    {
        (false, _) => $"第 {i + 1} 步：取出 {step}。",
        (true, Front) => $"第 {i + 1} 步：把 {puzzle.Given[i]} 放到最前面。",
        _ => $"第 {i + 1} 步：把 {puzzle.Given[i]} 放在 {step} 之后。",
    }));

    /// <summary>Words, an alphabet, and the record of an attempt to sort.</summary>
    public sealed class Record : Puzzle
    {
        internal Record(string alphabet, string[] words, string[] steps, bool inserts)
        {
            (Alphabet, Given, Steps, Inserts) = (alphabet, words, steps, inserts);
            if (!alphabet.Order().SequenceEqual(Latin))
                throw new FormatException("The alphabet does not have each letter from a to z once.");
            if (words.Length is < 2 or > MostWords || words.Distinct().Count() < words.Length || !words.All(word => word.Length is > 0 and <= LongestWord && word.All(Latin.Contains)))
                throw new FormatException($"There are not 2 to {MostWords} different words.");
            if (steps.Length != words.Length)
                throw new FormatException("There is not one step for each word.");
            var first = (inserts ? Insertions() : Selections()).TakeWhile(right => right).Count();
            Mistake = first < steps.Length ? first + 1 : null;
        }

        internal string Alphabet { get; }

        internal IReadOnlyList<string> Given { get; }

        /// <summary>The words that are taken, or for each word the one it is put behind.</summary>
        internal IReadOnlyList<string> Steps { get; }

        internal bool Inserts { get; }

        /// <summary>The number of the first wrong step, from 1; null if all are right.</summary>
        internal int? Mistake { get; }

        private bool IsBefore(string a, string b) => Compare(a, b, Alphabet) < 0;

        /// <summary>Whether each step is right; all of them are gone through, so that each is sure to make sense.</summary>
        private List<bool> Selections()
        {
            var (left, right) = (Given.ToList(), new List<bool>());
            foreach (var word in Steps)
            {
                if (!left.Remove(word))
                    throw new FormatException($"The word '{word}' cannot be taken.");
                right.Add(left.TrueForAll(other => IsBefore(word, other)));
            }
            return right;
        }

        private List<bool> Insertions()
        {
            var (placed, right) = (new List<string>(), new List<bool>());
            foreach (var (word, behind) in Given.Zip(Steps))
            {
                var place = behind == Front ? 0 : placed.IndexOf(behind) + 1;
                if (place == 0 && behind != Front)
                    throw new FormatException($"Nothing can be put behind '{behind}'.");
                placed.Insert(place, word);
                right.Add(placed.Zip(placed.Skip(1)).All(pair => IsBefore(pair.First, pair.Second)));
            }
            return right;
        }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["alphabet"] = Alphabet,
            ["words"] = Given.ToJsonArray(),
            ["method"] = Inserts ? "insert" : "select",
            ["steps"] = Steps.ToJsonArray(),
        };

        /// <summary>Letters that no word uses do not matter, nor does the order of the words where they are taken and not inserted.</summary>
        public override string CanonicalForm()
        {
            var used = string.Concat(Alphabet.Where(letter => Given.Any(word => word.Contains(letter))));
            var steps = string.Join(' ', Steps.Select(step => step == Front ? step : Ranked(step, used)));
            return Inserts ? $"{string.Join(' ', Given.Select(word => Ranked(word, used)))} | {steps}" : steps;
        }
    }
}
