using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// wordscapes of SynLogic (arXiv 2505.19641): put given words into the empty cells of a crossword.
/// Difficulty sets the side (4 to 8) and the number of words (4 to 8). There may be several solutions; the verifier goes by the rules.
/// The answer is the board row by row: letters, and # where the board has it. Canonical up to transposition.
/// </summary>
public sealed class Wordscapes : ReasoningTask<Wordscapes.Crossword>
{
    private const int LargestSide = 12;
    private const char Block = '#';
    private const char Blank = '_';
    private const int Considered = 120;

    private readonly record struct Level(int Side, int Words);

    private static readonly Level[] Levels =
        [new(4, 4), new(5, 4), new(6, 5), new(6, 5), new(6, 6), new(6, 6), new(7, 6), new(7, 7), new(8, 7), new(8, 8)];

    /// <inheritdoc/>
    public override string Name => "wordscapes";

    /// <inheritdoc/>
    public override string Description => "given words into the cells of a crossword";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["cross", "|", ":", ",", "#", "_", .. Enumerable.Range('a', 26).Select(letter => $"{(char)letter}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Crossword, string>> English { get; } =
    [
        p => $"Fill this crossword; _ is a cell for a letter and # stays empty.\n{p}\nAcross: {string.Join(", ", p.Across)}\nDown: {string.Join(", ", p.Down)}\nUse each word once. Write the filled board row by row, with # in its places.",
        p => $"Here is the pattern of a crossword (_ letter, # no letter):\n{p}\nReading from left to right one finds the words {string.Join(", ", p.Across)}, and from top to bottom {string.Join(", ", p.Down)}, in some order. Put the letters in; the answer is the {p.Side} rows of the board, # included.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Crossword, string>> Chinese { get; } =
    [
        p => $"请完成这个填字游戏，_ 处填字母，# 处留空：\n{p}\n横向单词：{string.Join("，", p.Across)}\n纵向单词：{string.Join("，", p.Down)}\n每个单词恰用一次。逐行写出填好的盘面，# 保留。",
        p => $"下面是填字盘面（_ 为字母格，# 为空格）：\n{p}\n从左到右应读出 {string.Join("，", p.Across)}；从上到下应读出 {string.Join("，", p.Down)}，次序不定。把字母填入，答案为全部 {p.Side} 行，包括 #。",
    ];

    /// <inheritdoc/>
    protected override (Crossword Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        while (true)
        {
            if (Draw(level, rng) is not { } letters)
                continue;
            var pattern = string.Concat(letters.Select(letter => letter == Block ? Block : Blank));
            var (across, down) = (Runs(letters, level.Side), Runs(Transposed(letters, level.Side), level.Side));
            return (new Crossword(level.Side, pattern, across, down), Grids.Bars(letters.Select(letter => $"{letter}"), level.Side));
        }
    }

    /// <summary>Words laid one after the other, each across one that lies there; null if not so many fit.</summary>
    private static char[]? Draw(Level level, Rng rng)
    {
        var words = rng.Sample(Lexicon.Words.Where(word => word.Length <= level.Side), Considered);
        var letters = new char[level.Side * level.Side];
        Array.Fill(letters, Block);
        Lay(letters, words[0], new Lie(level.Side * rng.Below(level.Side), 1));
        var laid = new HashSet<string> { words[0] };
        while (laid.Count < level.Words)
        {
            var next = words.Where(word => !laid.Contains(word)).Select(word => (Word: word, Lies: Lies(letters, word, level.Side))).FirstOrDefault(next => next.Lies is { Count: > 0 });
            if (next.Word is null)
                return null;
            Lay(letters, next.Word, rng.Pick(next.Lies));
            laid.Add(next.Word);
        }
        return letters;
    }

    private static void Lay(char[] letters, string word, Lie lie)
    {
        foreach (var (i, letter) in word.Index())
            letters[lie.Start + (i * lie.Step)] = letter;
    }

    /// <summary>Where a word can cross others without touching any besides.</summary>
    private static List<Lie> Lies(char[] letters, string word, int side)
    {
        var lies = new List<Lie>();
        for (var line = 0; line < side; line++)
        {
            for (var offset = 0; offset <= side - word.Length; offset++)
            {
                var (across, down) = (new Lie((line * side) + offset, 1), new Lie((offset * side) + line, side));
                if (Fits(letters, word, across, line, offset, side))
                    lies.Add(across);
                if (Fits(letters, word, down, line, offset, side))
                    lies.Add(down);
            }
        }
        return lies;
    }

    private static bool Fits(char[] letters, string word, Lie lie, int line, int offset, int side)
    {
        var end = offset + word.Length;
        if ((offset > 0 && letters[lie.Start - lie.Step] != Block) || (end < side && letters[lie.Start + (word.Length * lie.Step)] != Block))
            return false;
        var (across, crossings, previous) = (side + 1 - lie.Step, 0, false);
        for (var i = 0; i < word.Length; i++)
        {
            var cell = lie.Start + (i * lie.Step);
            var crosses = letters[cell] != Block;
            if (crosses ? letters[cell] != word[i] || previous : (line > 0 && letters[cell - across] != Block) || (line < side - 1 && letters[cell + across] != Block))
                return false;
            crossings += crosses ? 1 : 0;
            previous = crosses;
        }
        return crossings > 0 && crossings < word.Length;
    }

    /// <summary>Words of two letters or more in the rows, sorted.</summary>
    private static string[] Runs(IReadOnlyList<char> letters, int side) =>
        [.. letters.Chunk(side).SelectMany(row => new string(row).Split(Block)).Where(run => run.Length > 1).Order(StringComparer.Ordinal)];

    private static char[] Transposed(IReadOnlyList<char> letters, int side) =>
        [.. Enumerable.Range(0, letters.Count).Select(cell => letters[(cell % side * side) + (cell / side)])];

    /// <inheritdoc/>
    protected override string Compact(Crossword puzzle)
    {
        return $"cross {puzzle.ToString().Replace("\n", " | ")} : {Spelled(puzzle.Across)} : {Spelled(puzzle.Down)}";

        static string Spelled(IEnumerable<string> words) => string.Join(" , ", words.Select(word => string.Join(' ', word.AsEnumerable())));
    }

    /// <inheritdoc/>
    protected override Verdict Check(Crossword puzzle, string answer)
    {
        if (Grids.Read(answer, puzzle.Side, puzzle.Side) is not { } symbols || !symbols.All(symbol => symbol.Length == 1))
            return Verdict.Wrong($"not {puzzle.Side * puzzle.Side} cells of one character");
        var letters = symbols.Select(symbol => char.ToLowerInvariant(symbol[0])).ToArray();
        if (letters.Zip(puzzle.Pattern).Any(cell => cell.Second == Block ? cell.First != Block : cell.First is < 'a' or > 'z'))
            return Verdict.Wrong("letters do not stand just where the pattern has cells for them");
        if (!Runs(letters, puzzle.Side).SequenceEqual(puzzle.Across))
            return Verdict.Wrong("other words are to stand across");
        return Runs(Transposed(letters, puzzle.Side), puzzle.Side).SequenceEqual(puzzle.Down) ? Verdict.Right : Verdict.Wrong("other words are to stand down");
    }

    /// <inheritdoc/>
    protected override Crossword Read(JsonObject data) => new(data.Number("side", 2, LargestSide), data.Text("pattern"), Sorted(data, "across"), Sorted(data, "down"));

    private static string[] Sorted(JsonObject data, string field) => [.. data.Texts(field).Order(StringComparer.Ordinal)];

    /// <summary>First cell, and the distance from one letter to the next.</summary>
    private readonly record struct Lie(int Start, int Step);

    /// <summary>A pattern and the words for it.</summary>
    public sealed class Crossword : Puzzle
    {
        internal Crossword(int side, string pattern, string[] across, string[] down)
        {
            (Side, Pattern, Across, Down) = (side, pattern, across, down);
            if (pattern.Length != side * side || !pattern.All(cell => cell is Block or Blank) || !pattern.Contains(Blank))
                throw new FormatException("The pattern is not a square of the characters # and _.");
            if (!Fit(across, [.. pattern]) || !Fit(down, Transposed([.. pattern], side)))
                throw new FormatException("The words do not have the lengths that the pattern wants, or are not of the letters a to z.");

            bool Fit(string[] words, char[] cells) =>
                words.All(word => word.All(char.IsAsciiLetterLower)) && words.Select(word => word.Length).Order().SequenceEqual(Runs(cells, side).Select(run => run.Length).Order());
        }

        internal int Side { get; }

        internal string Pattern { get; }

        /// <summary>Sorted.</summary>
        internal IReadOnlyList<string> Across { get; }

        /// <summary>Sorted.</summary>
        internal IReadOnlyList<string> Down { get; }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["side"] = Side, ["pattern"] = Pattern, ["across"] = Across.ToJsonArray(), ["down"] = Down.ToJsonArray() };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var upright = $"{Pattern} {string.Join(',', Across)} {string.Join(',', Down)}";
            var turned = $"{new string(Transposed([.. Pattern], Side))} {string.Join(',', Down)} {string.Join(',', Across)}";
            return string.CompareOrdinal(upright, turned) < 0 ? upright : turned;
        }

        /// <inheritdoc/>
        public override string ToString() => Grids.Lines(Pattern.Select(cell => $"{cell}"), Side);
    }
}
