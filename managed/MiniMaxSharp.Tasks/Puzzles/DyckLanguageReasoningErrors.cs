using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// dyck_language_reasoning_errors of SynLogic (arXiv 2505.19641): someone read a sequence of brackets and wrote down the
/// stack after each; which of the steps are wrong? A step is wrong if and only if its stack is not the stack after the
/// brackets read so far, whatever the other steps say: so just one set is right. Difficulty sets the length (6 to 20) and
/// the number of wrong steps (1 to 5). The answer is their numbers, in any order. Canonical up to renaming of kinds.
/// </summary>
public sealed class DyckLanguageReasoningErrors : ReasoningTask<DyckLanguageReasoningErrors.Trace>
{
    private const string Opening = "([{<";
    private const string Closing = ")]}>";
    private const int Longest = 60;

    private readonly record struct Level(int Kinds, int Length, int FewestErrors, int MostErrors);

    private static readonly Level[] Levels =
    [
        new(2, 6, 1, 1), new(2, 8, 1, 2), new(3, 9, 1, 2), new(3, 10, 2, 2), new(3, 12, 1, 3),
        new(4, 13, 2, 3), new(4, 14, 2, 4), new(4, 16, 3, 4), new(4, 18, 3, 5), new(4, 20, 4, 5),
    ];

    /// <inheritdoc/>
    public override string Name => "dyck_language_reasoning_errors";

    /// <inheritdoc/>
    public override string Description => "the wrong steps in a record of the stack of brackets";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["wrong", ":", ";", .. (Opening + Closing).Select(bracket => $"{bracket}"), .. Enumerable.Range(1, 20).Select(step => $"{step}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Trace, string>> English { get; } =
    [
        p => $"Someone read the brackets {Spaced(p.Brackets)} from left to right and wrote down after each one which brackets are open, the one opened first on the left:\n{Steps(p, "Step", "read", "open", "none")}\nSome steps state the wrong brackets. Judge each step by the sequence itself, not by the other steps. Give the numbers of all wrong steps, separated by spaces.",
        p => $"To check whether {Spaced(p.Brackets)} is balanced, a stack was kept (its top is on the right):\n{Steps(p, "Step", "after", "stack", "empty")}\nWhich steps show a stack other than the true one after that many brackets? List their numbers with spaces between them.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Trace, string>> Chinese { get; } =
    [
        p => $"有人从左到右读括号序列 {Spaced(p.Brackets)}，每读一个就记下尚未闭合的括号（最先打开的在最左边）：\n{Steps(p, "步骤", "读入", "未闭合", "无")}\n其中有些步骤记错了。请只依据序列本身判断每一步，不受其他步骤影响。写出所有错误步骤的编号，用空格隔开。",
        p => $"为检查 {Spaced(p.Brackets)} 是否匹配，逐步记录了栈的内容（栈顶在右）：\n{Steps(p, "步骤", "处理", "栈", "空")}\n哪些步骤所写的栈与读到该处时的真实情形不符？列出它们的编号，以空格分隔。",
    ];

    private static string Steps(Trace puzzle, string step, string read, string stack, string empty) => string.Join('\n', puzzle.Brackets.Select((bracket, at) =>
        $"{step} {at + 1}: {read} {bracket} ; {stack}: {(puzzle.Stacks[at].Length == 0 ? empty : Spaced(puzzle.Stacks[at]))}"));

    /// <inheritdoc/>
    protected override (Trace Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var kinds = rng.Sample(Enumerable.Range(0, 4), level.Kinds);
        var brackets = Draw(level.Length, kinds, rng);
        var stacks = TrueStacks(brackets);
        foreach (var at in rng.Sample(Enumerable.Range(0, brackets.Length), rng.Between(level.FewestErrors, level.MostErrors)))
            stacks[at] = Spoil(stacks[at], kinds, rng);
        var puzzle = new Trace(brackets, stacks);
        return (puzzle, string.Join(' ', puzzle.Wrong));
    }

    private static string Draw(int length, int[] kinds, Rng rng)
    {
        var (text, stack) = (new char[length], new Stack<int>());
        for (var at = 0; at < length; at++)
        {
            if (stack.Count == 0 || rng.Below(5) < 3)
            {
                stack.Push(rng.Pick(kinds));
                text[at] = Opening[stack.Peek()];
            }
            else
            {
                text[at] = Closing[stack.Pop()];
            }
        }
        return new(text);
    }

    /// <summary>Another stack: one bracket more, one less, or one of another kind.</summary>
    private static string Spoil(string stack, int[] kinds, Rng rng)
    {
        while (true)
        {
            var at = stack.Length == 0 ? 0 : rng.Below(stack.Length);
            var other = $"{Opening[rng.Pick(kinds)]}";
            var spoilt = stack.Length == 0 ? other : rng.Below(3) switch
            {
                0 => stack + other,
                1 => stack.Remove(at, 1),
                _ => stack.Remove(at, 1).Insert(at, other),
            };
            if (spoilt != stack)
                return spoilt;
        }
    }

    /// <summary>The stack after each bracket, the one opened first on the left.</summary>
    private static string[] TrueStacks(string brackets)
    {
        var stack = "";
        return [.. brackets.Select(bracket => stack = Opening.Contains(bracket) ? stack + bracket : Closed(bracket))];

        string Closed(char bracket) => stack.Length > 0 && Closing[Opening.IndexOf(stack[^1])] == bracket
            ? stack[..^1]
            : throw new FormatException($"The sequence is wrong at '{bracket}'.");
    }

    private static string Spaced(string text) => string.Join(' ', text.AsEnumerable());

    /// <inheritdoc/>
    protected override string Compact(Trace puzzle) =>
        $"wrong {string.Join(" ; ", puzzle.Brackets.Zip(puzzle.Stacks, (bracket, stack) => $"{bracket} : {Spaced(stack)}".TrimEnd()))}";

    /// <inheritdoc/>
    protected override Verdict Check(Trace puzzle, string answer) =>
        Words.CheckSet(answer, puzzle.Wrong, [.. Enumerable.Range(1, puzzle.Brackets.Length).Select(step => $"{step}")]);

    /// <inheritdoc/>
    protected override Trace Read(JsonObject data) => new(data.Text("sequence"), data.Texts("stacks"));

    /// <summary>Brackets, and the stack that was written down after each.</summary>
    public sealed class Trace : Puzzle
    {
        internal Trace(string brackets, string[] stacks)
        {
            if (brackets.Length is 0 or > Longest || stacks.Length != brackets.Length || !brackets.All((Opening + Closing).Contains))
                throw new FormatException($"The trace is not of 1 to {Longest} brackets, each with a stack.");
            if (stacks.Any(stack => stack.Length > Longest || !stack.All(Opening.Contains)))
                throw new FormatException("A stack is not of opening brackets.");
            (Brackets, Stacks) = (brackets, stacks);
            Wrong = [.. TrueStacks(brackets).Index().Where(stack => stack.Item != stacks[stack.Index]).Select(stack => $"{stack.Index + 1}")];
            if (Wrong.Count == 0)
                throw new FormatException("No step is wrong.");
        }

        /// <summary>Without spaces.</summary>
        internal string Brackets { get; }

        internal IReadOnlyList<string> Stacks { get; }

        /// <summary>The numbers of the wrong steps.</summary>
        internal IReadOnlyList<string> Wrong { get; }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["sequence"] = Brackets, ["stacks"] = Stacks.ToJsonArray() };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var kinds = string.Concat(string.Concat(Brackets, string.Concat(Stacks)).Where(Opening.Contains).Distinct());
            return $"{Renamed(Brackets)} {string.Join(' ', Stacks.Select(Renamed))}";

            string Renamed(string text) => string.Concat(text.Select(bracket => Opening.Contains(bracket) ? (char)('a' + kinds.IndexOf(bracket)) : '-'));
        }
    }
}
