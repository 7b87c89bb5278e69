using System.Text;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// dyck_language of SynLogic (arXiv 2505.19641): close what a sequence of brackets leaves open.
/// Difficulty sets the length of the sequence (4 to 30) and how many brackets are open at its end (1 to 8);
/// two to four kinds of brackets. The answer is the closing brackets, with or without spaces.
/// Canonical up to the renaming of kinds.
/// </summary>
public sealed class DyckLanguage : ReasoningTask<DyckLanguage.Prefix>
{
    private const string Opening = "([{<";
    private const string Closing = ")]}>";

    private readonly record struct Level(int Shortest, int Longest, int MostOpen);

    private static readonly Level[] Levels =
    [
        new(4, 8, 4), new(7, 11, 4), new(9, 13, 5), new(10, 14, 5), new(12, 16, 5),
        new(14, 18, 5), new(16, 20, 6), new(18, 22, 6), new(20, 26, 7), new(24, 30, 8),
    ];

    /// <inheritdoc/>
    public override string Name => "dyck_language";

    /// <inheritdoc/>
    public override string Description => "the closing brackets that a sequence lacks";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["close", .. (Opening + Closing).Select(bracket => $"{bracket}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Prefix, string>> English { get; } =
    [
        p => $"Complete this sequence of brackets, so that every bracket is closed by its own kind and in the right order:\n{p}\nWrite only the closing brackets that are missing, separated by spaces.",
        p => $"Some brackets are still open at the end of this sequence:\n{p}\nWhich closing brackets make it balanced? Give just those, in order, separated by spaces.",
        p => $"The following is the beginning of a well-nested word over (), [], {{}} and <>.\n{p}\nAppend as few brackets as possible to make it balanced. The answer is the appended brackets, with spaces between them.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Prefix, string>> Chinese { get; } =
    [
        p => $"请补全下面的括号序列，使所有括号按正确的顺序配对闭合：\n{p}\n只写缺少的右括号，用空格隔开。",
        p => $"下面的括号序列末尾还有未闭合的括号：\n{p}\n应当依次添加哪些右括号？只写这些右括号，以空格分隔。",
    ];

    /// <inheritdoc/>
    protected override (Prefix Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var length = rng.Between(level.Shortest, level.Longest);
        var open = rng.Between(1, level.MostOpen);
        if ((length - open) % 2 != 0) // every pair takes two brackets of the length
            open += open == level.MostOpen ? -1 : 1;
        var puzzle = new Prefix(Draw(length, open, rng));
        return (puzzle, Spaced(puzzle.Missing));
    }

    private static string Draw(int length, int open, Rng rng)
    {
        var kinds = rng.Sample(Opening, rng.Between(2, Opening.Length));
        var (text, stack) = (new StringBuilder(length), new Stack<char>());
        for (var left = length; left > 0; left--)
        {
            var canOpen = stack.Count + 1 - open <= left - 1;
            var canClose = stack.Count > 0 && open - (stack.Count - 1) <= left - 1;
            if (canOpen && (!canClose || rng.OneIn(2)))
            {
                stack.Push(rng.Pick(kinds));
                text.Append(stack.Peek());
            }
            else
            {
                text.Append(Partner(stack.Pop()));
            }
        }
        return text.ToString();
    }

    /// <inheritdoc/>
    protected override string Compact(Prefix puzzle) => $"close {puzzle}";

    /// <summary>The stack at the end: the brackets that were never closed.</summary>
    protected override string Reason(Prefix puzzle, string solution) => Spaced(puzzle.Open);

    /// <inheritdoc/>
    protected override Verdict Check(Prefix puzzle, string answer)
    {
        var open = new Stack<char>(puzzle.Open);
        foreach (var bracket in answer.Where(c => !char.IsWhiteSpace(c)))
        {
            if (!Closing.Contains(bracket))
                return Verdict.Wrong("only closing brackets can follow");
            if (!open.TryPop(out var opening))
                return Verdict.Wrong("more is closed than was open");
            if (Partner(opening) != bracket)
                return Verdict.Wrong($"'{opening}' is closed by '{bracket}'");
        }
        return open.Count == 0 ? Verdict.Right : Verdict.Wrong($"{open.Count} brackets stay open");
    }

    /// <inheritdoc/>
    protected override Prefix Read(JsonObject data) => new(data.Text("prefix").Replace(" ", ""));

    private static char Partner(char opening) => Closing[Opening.IndexOf(opening)];

    private static string Spaced(string brackets) => string.Join(' ', brackets.AsEnumerable());

    /// <summary>Brackets of which some are open at the end.</summary>
    public sealed class Prefix : Puzzle
    {
        private readonly string _brackets;

        internal Prefix(string brackets) => (_brackets, Open) = (brackets, StackAfter(brackets));

        /// <summary>The open brackets, the first opened first.</summary>
        internal string Open { get; }

        internal string Missing => string.Concat(Open.Reverse().Select(Partner));

        /// <summary>The brackets with spaces between them.</summary>
        public override string ToString() => Spaced(_brackets);

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["prefix"] = ToString() };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var kinds = new List<char>(); // in the order in which they are first opened
            return string.Concat(_brackets.Select(bracket => Opening.Contains(bracket) ? (char)('a' + Kind(bracket)) : '-'));

            int Kind(char bracket)
            {
                if (!kinds.Contains(bracket))
                    kinds.Add(bracket);
                return kinds.IndexOf(bracket);
            }
        }

        private static string StackAfter(string brackets)
        {
            var stack = new Stack<char>();
            foreach (var bracket in brackets)
            {
                if (Opening.Contains(bracket))
                    stack.Push(bracket);
                else if (!stack.TryPop(out var opening) || Partner(opening) != bracket)
                    throw new FormatException($"The sequence of brackets is wrong at '{bracket}'.");
            }
            return stack.Count > 0 ? string.Concat(stack.Reverse()) : throw new FormatException("No bracket is open at the end.");
        }
    }
}
