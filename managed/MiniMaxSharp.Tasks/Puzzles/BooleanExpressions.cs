using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// boolean_expressions of SynLogic (arXiv 2505.19641): which of several nested expressions are true?
/// Difficulty sets the number of options (3 to 6), the constants in each (1 to 16) and the depth (1 to 4).
/// The answer is the set of letters, in any order, or <c>none</c>.
/// Canonical up to the order of options and of the operands of <c>and</c> and <c>or</c>.
/// </summary>
public sealed class BooleanExpressions : ReasoningTask<BooleanExpressions.Options>
{
    private const string Letters = "ABCDEF";

    /// <summary>Options, constants in an option, depth; of a hundred groups, so many are negated (of constants, half).</summary>
    private readonly record struct Level(int Options, int FewestLeaves, int MostLeaves, int Depth, int NegatedPercent);

    private static readonly Level[] Levels =
    [
        new(3, 1, 2, 1, 35), new(3, 1, 3, 2, 0), new(3, 2, 3, 2, 0), new(4, 2, 4, 2, 25), new(4, 3, 5, 3, 25),
        new(5, 3, 6, 3, 25), new(5, 4, 8, 3, 25), new(6, 4, 10, 4, 25), new(6, 5, 12, 4, 25), new(6, 6, 16, 4, 25),
    ];

    /// <inheritdoc/>
    public override string Name => "boolean_expressions";

    /// <inheritdoc/>
    public override string Description => "which of several nested expressions are true";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["which", "?", "A", "B", "C", "D", "E", "F", ":", "true", "false", "and", "or", "not", "(", ")", "=", ";", Words.None];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Options, string>> English { get; } =
    [
        p => $"Which of these expressions are true?\n{Lines(p)}\nGive their letters separated by spaces, or none.",
        p => $"Evaluate each expression. 'not' binds tighter than 'and' and 'or'.\n{Lines(p)}\nList the letters of all that come out true, with spaces between them; if all are false, write none.",
        p => $"Here are {p.Expressions.Count} logical statements:\n{Lines(p)}\nFind every one whose value is true. The answer is their letters, separated by spaces, or the word none.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Options, string>> Chinese { get; } =
    [
        p => $"下列表达式中哪些为真？\n{Lines(p)}\n请写出它们的字母，以空格分隔；若没有，写 none。",
        p => $"请计算每个布尔表达式的值（not 的优先级最高）：\n{Lines(p)}\n列出所有值为 true 的选项字母，用空格隔开；全部为 false 时写 none。",
    ];

    /// <inheritdoc/>
    protected override (Options Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var expressions = new List<Expression>();
        var seen = new HashSet<string>();
        while (expressions.Count < level.Options)
        {
            var expression = Draw(rng.Between(level.FewestLeaves, level.MostLeaves), level.Depth, level.NegatedPercent, rng);
            if (seen.Add(expression.Canonical()))
                expressions.Add(expression);
        }
        var puzzle = new Options(expressions);
        return (puzzle, Words.OfSet(puzzle.TrueLetters));
    }

    private static Expression Draw(int leaves, int depth, int negatedGroups, Rng rng)
    {
        if (leaves == 1)
            return Negated(new Constant(rng.OneIn(2)), 50, rng);
        var most = 1 << (depth - 1); // what a child of the remaining depth can hold
        var left = rng.Between(Math.Max(1, leaves - most), Math.Min(leaves - 1, most));
        var group = new Group(
            rng.OneIn(2), Draw(left, depth - 1, negatedGroups, rng), Draw(leaves - left, depth - 1, negatedGroups, rng));
        return Negated(group, negatedGroups, rng);
    }

    private static Expression Negated(Expression expression, int percent, Rng rng) =>
        rng.Below(100) < percent ? new Not(expression) : expression;

    /// <inheritdoc/>
    protected override string Compact(Options puzzle) => $"which ? {string.Join(' ', Lettered(puzzle))}";

    /// <summary>Each expression is copied and then rewritten, all operations on bare constants at once, until one constant is left.</summary>
    protected override string Reason(Options puzzle, string solution) =>
        string.Join(' ', puzzle.Expressions.Select((expression, i) => $"{Letters[i]} : {string.Join(" = ", Rewrites(expression))} ;"));

    /// <summary>Each expression is copied once, with its value behind it; that of a group stands where its bracket would close.</summary>
    protected override string ReasonBriefly(Options puzzle, string solution) =>
        string.Join(' ', puzzle.Expressions.Select((expression, i) => $"{Letters[i]} {Concluded(expression)}"));

    // The last word is the value of the whole, and the only one where that is plain; so is where a group begins that is the whole.
    private static string Concluded(Expression expression) => expression switch
    {
        Group => expression.Valued()["( ".Length..],
        Not not when not.IsOfGroup => $"{expression.Valued()} {new Constant(expression.Value)}",
        _ => $"{new Constant(expression.Value)}",
    };

    private static IEnumerable<Expression> Rewrites(Expression expression)
    {
        yield return expression;
        while (expression is not Constant)
            yield return expression = expression.Reduce();
    }

    /// <inheritdoc/>
    protected override Verdict Check(Options puzzle, string answer) =>
        Words.CheckSet(answer, puzzle.TrueLetters, [.. Letters[..puzzle.Expressions.Count].Select(letter => $"{letter}")]);

    /// <inheritdoc/>
    protected override Options Read(JsonObject data)
    {
        var texts = data.Texts("options");
        if (texts.Length < 1 || texts.Length > Letters.Length)
            throw new FormatException($"There are {texts.Length} options, not 1 to {Letters.Length}.");
        return new Options([.. texts.Select(Parse)]);
    }

    private static Expression Parse(string text)
    {
        var words = new Queue<string>(text.Split(' '));
        var expression = Parse(words, depth: 0);
        return words.Count == 0 ? expression : throw new FormatException($"'{words.Peek()}' follows the end of an expression.");
    }

    private static Expression Parse(Queue<string> words, int depth)
    {
        if (depth > 64)
            throw new FormatException("An expression is nested too deeply.");
        switch (words.TryDequeue(out var word) ? word : "end")
        {
            case "true": return new Constant(true);
            case "false": return new Constant(false);
            case "not": return new Not(Parse(words, depth + 1));
            case "(":
                var left = Parse(words, depth + 1);
                var conjunction = Expect(words, "and", "or") == "and";
                var right = Parse(words, depth + 1);
                Expect(words, ")", ")");
                return new Group(conjunction, left, right);
            case var other: throw new FormatException($"An expression cannot begin with '{other}'.");
        }
    }

    private static string Expect(Queue<string> words, string one, string other) =>
        words.TryDequeue(out var word) && (word == one || word == other)
            ? word
            : throw new FormatException($"'{one}' is missing in an expression.");

    private static IEnumerable<string> Lettered(Options puzzle) => puzzle.Expressions.Select((expression, i) => $"{Letters[i]} : {expression}");

    private static string Lines(Options puzzle) => string.Join('\n', puzzle.Expressions.Select((expression, i) => $"{Letters[i]}. {expression}"));

    /// <summary>The expressions to choose from.</summary>
    public sealed class Options : Puzzle
    {
        internal Options(IReadOnlyList<Expression> expressions) => Expressions = expressions;

        internal IReadOnlyList<Expression> Expressions { get; }

        internal IReadOnlyList<string> TrueLetters =>
            [.. Expressions.Index().Where(option => option.Item.Value).Select(option => $"{Letters[option.Index]}")];

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["options"] = Expressions.Select(expression => $"{expression}").ToJsonArray() };

        /// <inheritdoc/>
        public override string CanonicalForm() =>
            string.Join('\n', Expressions.Select(expression => expression.Canonical()).Order(StringComparer.Ordinal));
    }

    /// <summary>A closed expression. Its text is fully bracketed: <c>not ( true and ( not false or true ) )</c>.</summary>
    internal abstract class Expression
    {
        internal abstract bool Value { get; }

        /// <summary>One rewrite: every operation whose operands are constants is carried out.</summary>
        internal abstract Expression Reduce();

        /// <summary>Its text, with the value of every group in place of its closing bracket.</summary>
        internal abstract string Valued();

        /// <summary>A text that is the same whatever the order of operands.</summary>
        internal abstract string Canonical();
    }

    private sealed class Constant(bool value) : Expression
    {
        internal override bool Value => value;

        public override string ToString() => value ? "true" : "false";

        internal override Expression Reduce() => this;

        internal override string Valued() => $"{this}";

        internal override string Canonical() => value ? "1" : "0";
    }

    private sealed class Not(Expression operand) : Expression
    {
        internal bool IsOfGroup => operand is Group;

        internal override bool Value => !operand.Value;

        public override string ToString() => $"not {operand}";

        internal override Expression Reduce() => operand is Constant ? new Constant(Value) : new Not(operand.Reduce());

        internal override string Valued() => $"not {operand.Valued()}";

        internal override string Canonical() => $"-{operand.Canonical()}";
    }

    private sealed class Group(bool conjunction, Expression left, Expression right) : Expression
    {
        internal override bool Value => conjunction ? left.Value && right.Value : left.Value || right.Value;

        private string Word => conjunction ? "and" : "or";

        public override string ToString() => $"( {left} {Word} {right} )";

        internal override Expression Reduce() => left is Constant && right is Constant
            ? new Constant(Value)
            : new Group(conjunction, left.Reduce(), right.Reduce());

        internal override string Valued() => $"( {left.Valued()} {Word} {right.Valued()} {new Constant(Value)}";

        internal override string Canonical()
        {
            var (a, b) = (left.Canonical(), right.Canonical());
            return string.CompareOrdinal(a, b) <= 0 ? Join(a, b) : Join(b, a);
        }

        private string Join(string a, string b) => $"({a}{(conjunction ? '&' : '|')}{b})";
    }
}
