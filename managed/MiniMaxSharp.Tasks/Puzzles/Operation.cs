using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// operation of SynLogic (arXiv 2505.19641): the text defines new operators, some of them by cases, and says which bind tighter;
/// work out an expression. Difficulty sets the number of operators (1 to 4), the length of the expression, and whether there are
/// cases and parentheses. The answer is a whole number, which the text determines; spaces in it do not matter.
/// Canonical under renaming of the new operators.
/// </summary>
public sealed class Operation : ReasoningTask<Operation.Problem>
{
    private const string Symbols = "△▽◇☆";
    private const string Usual = "*+-";
    private const int LongestExpression = 100;
    private const int LargestGenerated = 99_999;
    private const int LargestValue = 1_000_000;

    private readonly record struct Level(int Operators, int Operands, bool Cases, bool Parentheses);

    private static readonly Level[] Levels =
    [
        new(1, 2, false, false), new(1, 3, false, false), new(1, 3, true, false), new(2, 4, false, false), new(2, 4, true, true),
        new(2, 5, true, true), new(3, 5, true, true), new(3, 6, true, true), new(4, 7, true, true), new(4, 9, true, true),
    ];

    /// <inheritdoc/>
    public override string Name => "operation";

    /// <inheritdoc/>
    public override string Description => "the value of an expression with operators defined in the text";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["operation", "?", ".", ":", "if", ">", "even", "(", ")", "*", "+", "-", .. Symbols.Select(symbol => $"{symbol}"), .. Enumerable.Range(-9, 19).Select(number => $"{number}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Problem, string>> English { get; } =
    [
        p => $"New operations are defined for all whole numbers a and b:\n{string.Join('\n', p.Rules.Select(InEnglish))}\nParentheses come first. {OrderInEnglish(p)} Operators of equal rank are worked from left to right.\nWork out {Shown(p.Expression)}. The answer is a whole number.",
        p => $"What is the value of {Shown(p.Expression)}? Here\n{string.Join('\n', p.Rules.Select(InEnglish))}\n{OrderInEnglish(p)} Equal ranks go from left to right; what stands in parentheses is done before anything else. Give the number only.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Problem, string>> Chinese { get; } =
    [
        p => $"对任意整数 a、b 定义新运算：\n{string.Join('\n', p.Rules.Select(InChinese))}\n先算括号内。{OrderInChinese(p)}同级运算从左到右。\n计算 {Shown(p.Expression)}，答案为一个整数。",
        p => $"求 {Shown(p.Expression)} 的值，其中\n{string.Join('\n', p.Rules.Select(InChinese))}\n{OrderInChinese(p)}同级从左到右，括号最先。只写结果。",
    ];

    /// <inheritdoc/>
    protected override (Problem Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        while (true)
        {
            var rules = Symbols.Take(level.Operators).Select(symbol => DrawRule(symbol, level.Cases, rng)).ToArray();
            var (order, expression) = (DrawOrder(rules, rng), DrawExpression(rules, level, rng));
            if (new Evaluation(rules, order, expression).Value() is { } value && Math.Abs(value) <= LargestGenerated)
                return (new Problem(rules, order, expression), string.Join(' ', $"{value}".AsEnumerable()));
        }
    }

    private static Rule DrawRule(char symbol, bool cases, Rng rng)
    {
        var condition = cases ? rng.Pick(["", ">", "even"]) : "";
        return new Rule(symbol, DrawForm(rng), condition, condition.Length == 0 ? default : DrawForm(rng));
    }

    /// <summary>A product or a sum of multiples, never one that ignores a or b.</summary>
    private static Form DrawForm(Rng rng) => rng.OneIn(4)
        ? new Form(1, rng.Between(-2, 2), rng.Between(-2, 2), rng.Between(-5, 5))
        : new Form(0, rng.Pick([-2, -1, 1, 2, 3]), rng.Pick([-2, -1, 1, 2, 3]), rng.Between(-5, 5));

    /// <summary>Each new operator gets a rank of its own or one that is there.</summary>
    private static string[] DrawOrder(Rule[] rules, Rng rng)
    {
        var order = new List<string> { "*", "+-" };
        foreach (var rule in rules)
        {
            var rank = rng.Below(order.Count + 1);
            if (rank < order.Count && rng.OneIn(3))
                order[rank] += rule.Symbol;
            else
                order.Insert(rank, $"{rule.Symbol}");
        }
        return [.. order];
    }

    private static string[] DrawExpression(Rule[] rules, Level level, Rng rng)
    {
        var operators = rules.Select(rule => rule.Symbol).Concat(Enumerable.Range(0, level.Operands).Select(_ => rng.Pick([.. Usual, .. rules.Select(rule => rule.Symbol)])))
            .Take(level.Operands - 1).ToArray();
        rng.Shuffle(operators.AsSpan());
        var tokens = new List<string> { $"{rng.Between(1, 9)}" };
        var open = false;
        foreach (var symbol in operators)
        {
            tokens.Add($"{symbol}");
            var opens = level.Parentheses && !open && rng.OneIn(4) && tokens.Count < (2 * level.Operands) - 3;
            tokens.AddRange(opens ? ["(", $"{rng.Between(1, 9)}"] : open ? [$"{rng.Between(1, 9)}", ")"] : [$"{rng.Between(1, 9)}"]);
            open = opens;
        }
        return open ? [.. tokens, ")"] : [.. tokens];
    }

    /// <inheritdoc/>
    protected override string Compact(Problem puzzle) =>
        $"operation {string.Join(" . ", puzzle.Rules)} : {string.Join(" . ", puzzle.Order.Select(rank => string.Join(' ', rank.AsEnumerable())))} ? {string.Join(' ', puzzle.Expression)}";

    /// <inheritdoc/>
    protected override Verdict Check(Problem puzzle, string answer)
    {
        var text = string.Concat(answer.Where(c => !char.IsWhiteSpace(c))).Replace('−', '-');
        if (Answers.Number(text) is not { } number || text != $"{number}")
            return Verdict.Wrong("not a whole number");
        return number == puzzle.Value ? Verdict.Right : Verdict.Wrong("another number is right");
    }

    /// <inheritdoc/>
    protected override Problem Read(JsonObject data)
    {
        var rules = data.Texts("rules").Select(ReadRule).ToArray();
        var (order, expression) = (data.Texts("order"), data.Text("expression").Split(' '));
        if (!string.Concat(order).Order().SequenceEqual(rules.Select(rule => rule.Symbol).Concat(Usual).Order()) || rules.DistinctBy(rule => rule.Symbol).Count() < rules.Length)
            throw new FormatException("The operators and their order do not belong together.");
        return expression.Length <= LongestExpression ? new Problem(rules, order, expression) : throw new FormatException("The expression is too long.");
    }

    private static Rule ReadRule(string text)
    {
        var rule = text.Split(' ') switch
        {
            [[var symbol], .. { Length: 4 } form] => new Rule(symbol, ReadForm(form), "", default),
            [[var symbol], .. { Length: 4 } form, "if", ">" or "even", _, _, _, _] words => new Rule(symbol, ReadForm(form), words[6], ReadForm(words[7..])),
            _ => throw new FormatException($"'{text}' is not a rule."),
        };
        return Symbols.Contains(rule.Symbol) ? rule : throw new FormatException($"'{text}' is not of a new operator.");
    }

    private static Form ReadForm(string[] words)
    {
        var numbers = words.Select(word => Answers.Number(word) is { } number and >= -9 and <= 9 ? number : throw new FormatException($"'{word}' is not a coefficient.")).ToArray();
        return new Form(numbers[0], numbers[1], numbers[2], numbers[3]);
    }

    private static string InEnglish(Rule rule) => rule.Condition switch
    {
        "" => $"a {rule.Symbol} b = {rule.First.Shown}",
        ">" => $"a {rule.Symbol} b = {rule.First.Shown} if a > b, and {rule.Second.Shown} otherwise",
        _ => $"a {rule.Symbol} b = {rule.First.Shown} if a is even, and {rule.Second.Shown} if a is odd",
    };

    private static string InChinese(Rule rule) => rule.Condition switch
    {
        "" => $"a {rule.Symbol} b = {rule.First.Shown}",
        ">" => $"当 a > b 时，a {rule.Symbol} b = {rule.First.Shown}；否则 a {rule.Symbol} b = {rule.Second.Shown}",
        _ => $"当 a 为偶数时，a {rule.Symbol} b = {rule.First.Shown}；当 a 为奇数时，a {rule.Symbol} b = {rule.Second.Shown}",
    };

    private static string OrderInEnglish(Problem problem) =>
        $"From tightest to loosest, the operators bind in this order: {string.Join("; ", problem.Order.Select(Rank))}.";

    private static string OrderInChinese(Problem problem) => $"运算的优先级从高到低为：{string.Join("；", problem.Order.Select(Rank))}。";

    private static string Rank(string rank) => Shown(string.Join(", ", rank.AsEnumerable()));

    private static string Shown(IEnumerable<string> tokens) => Shown(string.Join(' ', tokens));

    private static string Shown(string text) => text.Replace("( ", "(").Replace(" )", ")").Replace('*', '×').Replace('-', '−');

    /// <summary>Product · a · b + A · a + B · b + One.</summary>
    internal readonly record struct Form(int Product, int A, int B, int One)
    {
        internal string Shown
        {
            get
            {
                (int Factor, string Name)[] terms = [(Product, "ab"), (A, "a"), (B, "b"), (One, "")];
                var text = string.Concat(terms.Where(term => term.Factor != 0).Select(term => $" {(term.Factor < 0 ? "−" : "+")} {Magnitude(term.Factor, term.Name)}"));
                return text.Length == 0 ? "0" : text[1] == '+' ? text[3..] : $"−{text[3..]}";
            }
        }

        internal long Of(long a, long b) => (Product * a * b) + (A * a) + (B * b) + One;

        private static string Magnitude(int factor, string name) => Math.Abs(factor) == 1 && name.Length > 0 ? name : $"{Math.Abs(factor)}{name}";

        public override string ToString() => $"{Product} {A} {B} {One}";
    }

    /// <summary>A new operator: one form, or two and a condition for the first.</summary>
    internal sealed record Rule(char Symbol, Form First, string Condition, Form Second)
    {
        internal long Of(long a, long b) => (Condition switch { ">" => a > b, "even" => a % 2 == 0, _ => true } ? First : Second).Of(a, b);

        public override string ToString() => Condition.Length == 0 ? $"{Symbol} {First}" : $"{Symbol} {First} if {Condition} {Second}";
    }

    /// <summary>One pass over the expression by descent through the ranks, the loosest first.</summary>
    private sealed class Evaluation(IReadOnlyList<Rule> rules, IReadOnlyList<string> order, IReadOnlyList<string> tokens)
    {
        private int _next;

        /// <summary>Null if the expression is malformed or a value gets too large.</summary>
        internal int? Value() => Chain(order.Count - 1) is { } value && _next == tokens.Count ? (int)value : null;

        private long? Chain(int rank)
        {
            if (rank < 0)
                return Operand();
            var value = Chain(rank - 1);
            while (value is not null && _next < tokens.Count && tokens[_next] is [var symbol] && order[rank].Contains(symbol))
            {
                _next++;
                value = Chain(rank - 1) is { } right ? Apply(symbol, value.Value, right) : null;
            }
            return value;
        }

        private long? Operand()
        {
            if (_next >= tokens.Count)
                return null;
            if (tokens[_next++] is var token && token != "(")
                return token is [>= '0' and <= '9'] ? token[0] - '0' : null;
            var value = Chain(order.Count - 1);
            return _next < tokens.Count && tokens[_next++] == ")" ? value : null;
        }

        private long? Apply(char symbol, long a, long b)
        {
            var value = symbol switch { '+' => a + b, '-' => a - b, '*' => a * b, _ => rules.First(rule => rule.Symbol == symbol).Of(a, b) };
            return Math.Abs(value) <= LargestValue ? value : null;
        }
    }

    /// <summary>New operators, the order in which all operators bind, and an expression.</summary>
    public sealed class Problem : Puzzle
    {
        internal Problem(Rule[] rules, string[] order, string[] expression)
        {
            (Rules, Order, Expression) = (rules, order, expression);
            Value = new Evaluation(rules, order, expression).Value() ?? throw new FormatException("The expression has no value within bounds.");
        }

        internal IReadOnlyList<Rule> Rules { get; }

        /// <summary>Operators of one rank each, the tightest first.</summary>
        internal IReadOnlyList<string> Order { get; }

        internal IReadOnlyList<string> Expression { get; }

        /// <summary>The right answer.</summary>
        internal int Value { get; }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["rules"] = Rules.Select(rule => $"{rule}").ToJsonArray(),
            ["order"] = Order.ToJsonArray(),
            ["expression"] = string.Join(' ', Expression),
        };

        /// <summary>New operators numbered as they come in the expression; those that do not occur left out.</summary>
        public override string CanonicalForm()
        {
            var used = Rules.Where(rule => Expression.Contains($"{rule.Symbol}")).OrderBy(rule => Expression.Index().First(token => token.Item == $"{rule.Symbol}").Index).ToArray();
            var order = Order.Select(rank => string.Concat(rank.Where(symbol => Usual.Contains(symbol) || used.Any(rule => rule.Symbol == symbol)).Select(Renamed).Order()));
            return $"{string.Join(';', used.Select(rule => $"{rule}"[2..]))} {string.Join(';', order.Where(rank => rank.Length > 0))} {string.Concat(string.Concat(Expression).Select(Renamed))}";

            char Renamed(char symbol) => Array.FindIndex(used, rule => rule.Symbol == symbol) is >= 0 and var index ? (char)('A' + index) : symbol;
        }
    }
}
