using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// dyck_language_errors of SynLogic (arXiv 2505.19641): where does a sequence of brackets first go wrong?
/// Difficulty sets the length (10 to 20, beyond at the top) and the number of kinds (2 to 4). The answer is the position of
/// the first bracket that closes nothing or the wrong kind, counted from 1; the length plus 1 if there is none but
/// brackets stay open; −1 for a balanced sequence. Each of the three is as likely. Canonical up to renaming of kinds.
/// </summary>
public sealed class DyckLanguageErrors : ReasoningTask<DyckLanguageErrors.Sequence>
{
    private const string Opening = "([{<";
    private const string Closing = ")]}>";
    private const int Balanced = -1;
    private const int Longest = 60;

    private readonly record struct Level(int Kinds, int Shortest, int Longest);

    private static readonly Level[] Levels =
    [
        new(2, 6, 8), new(2, 8, 10), new(2, 10, 12), new(3, 10, 12), new(3, 12, 14),
        new(3, 14, 16), new(4, 14, 16), new(4, 16, 18), new(4, 18, 20), new(4, 20, 30),
    ];

    /// <inheritdoc/>
    public override string Name => "dyck_language_errors";

    /// <inheritdoc/>
    public override string Description => "the position at which a sequence of brackets first goes wrong";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["error", $"{Balanced}", .. (Opening + Closing).Select(bracket => $"{bracket}"), .. Enumerable.Range(1, 31).Select(at => $"{at}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Sequence, string>> English { get; } =
    [
        p => $"At which position does this sequence of brackets first go wrong?\n{p}\nPositions count from 1. A closing bracket is wrong if the bracket opened last is not of its kind, or if none is open. If no bracket is wrong but some are never closed, answer {p.Brackets.Length + 1}; if the sequence is balanced, answer -1.",
        p => $"Check whether these brackets are properly nested:\n{p}\nGive the number (from 1) of the first bracket that breaks the rules, {p.Brackets.Length + 1} if the sequence merely ends too early, or -1 if all is well.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Sequence, string>> Chinese { get; } =
    [
        p => $"下面的括号序列最先在第几个位置出错？\n{p}\n位置从 1 开始。若右括号与最近未闭合的左括号不同类，或此时没有未闭合的括号，即为出错。若没有出错的括号，但有括号始终未闭合，答 {p.Brackets.Length + 1}；若序列完全匹配，答 -1。",
        p => $"检查括号是否正确嵌套：\n{p}\n写出第一个违反规则的括号的序号（从 1 数起）；如果只是结尾缺少右括号，写 {p.Brackets.Length + 1}；如果全部正确，写 -1。",
    ];

    /// <inheritdoc/>
    protected override (Sequence Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var (kinds, outcome) = (rng.Sample(Enumerable.Range(0, 4), level.Kinds), rng.Below(3));
        while (true)
        {
            var length = rng.Between(level.Shortest, level.Longest);
            var puzzle = new Sequence(Draw(length, kinds, outcome, rng));
            if (Outcome(puzzle) == outcome)
                return (puzzle, $"{puzzle.FirstError}");
        }
    }

    /// <summary>0: balanced; 1: too short; 2: with a wrong bracket.</summary>
    private static int Outcome(Sequence sequence) => sequence.FirstError == Balanced ? 0 : sequence.FirstError > sequence.Brackets.Length ? 1 : 2;

    /// <summary>A nested sequence that is balanced or, for outcome 1, stops early; for outcome 2 one bracket is exchanged.</summary>
    private static string Draw(int length, int[] kinds, int outcome, Rng rng)
    {
        var (text, stack) = (new char[outcome == 1 ? length : length / 2 * 2], new Stack<int>());
        for (var at = 0; at < text.Length; at++)
        {
            var mustClose = outcome != 1 && stack.Count == text.Length - at;
            if (stack.Count == 0 || (!mustClose && rng.OneIn(2)))
            {
                stack.Push(rng.Pick(kinds));
                text[at] = Opening[stack.Peek()];
            }
            else
            {
                text[at] = Closing[stack.Pop()];
            }
        }
        if (outcome == 2)
            text[rng.Below(text.Length)] = (rng.OneIn(3) ? Opening : Closing)[rng.Pick(kinds)];
        return new(text);
    }

    /// <inheritdoc/>
    protected override string Compact(Sequence puzzle) => $"error {puzzle}";

    /// <inheritdoc/>
    protected override Verdict Check(Sequence puzzle, string answer)
    {
        var text = answer.Replace('−', '-');
        if (text.Length > 4 || !text.All(c => char.IsAsciiDigit(c) || c == '-') || !int.TryParse(text, System.Globalization.NumberStyles.AllowLeadingSign, null, out var at))
            return Verdict.Wrong("not a whole number");
        return at == puzzle.FirstError ? Verdict.Right : Verdict.Wrong(at == Balanced ? "it is not balanced" : $"the first error is not at {at}");
    }

    /// <inheritdoc/>
    protected override Sequence Read(JsonObject data) => new(data.Text("sequence").Replace(" ", ""));

    /// <summary>Brackets, right or wrong.</summary>
    public sealed class Sequence : Puzzle
    {
        internal Sequence(string brackets)
        {
            if (brackets.Length is 0 or > Longest || !brackets.All((Opening + Closing).Contains))
                throw new FormatException($"The sequence is not of 1 to {Longest} brackets.");
            (Brackets, FirstError) = (brackets, Find(brackets));
        }

        /// <summary>Without spaces.</summary>
        internal string Brackets { get; }

        internal int FirstError { get; }

        /// <summary>The brackets with spaces between them.</summary>
        public override string ToString() => string.Join(' ', Brackets.AsEnumerable());

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["sequence"] = ToString() };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var kinds = Brackets.Select(Kind).Distinct().ToList();
            return string.Concat(Brackets.Select(bracket => $"{(Opening.Contains(bracket) ? '+' : '-')}{kinds.IndexOf(Kind(bracket))}"));
        }

        private static int Kind(char bracket) => Math.Max(Opening.IndexOf(bracket), Closing.IndexOf(bracket));

        private static int Find(string brackets)
        {
            var open = new Stack<int>();
            foreach (var (at, bracket) in brackets.Index())
            {
                if (Opening.Contains(bracket))
                    open.Push(Kind(bracket));
                else if (!open.TryPop(out var kind) || kind != Kind(bracket))
                    return at + 1;
            }
            return open.Count == 0 ? Balanced : brackets.Length + 1;
        }
    }
}
