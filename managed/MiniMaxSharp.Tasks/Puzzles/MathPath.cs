using System.Numerics;
using System.Text;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// math_path of SynLogic (arXiv 2505.19641): fill digits into an expression so that it has the value told.
/// Difficulty sets the number of operators (2 to 10 of + - * / %) and how many digits are hidden. The value is exact:
/// / divides without rounding, and % needs whole numbers. The answer is the expression, with or without
/// "= value"; whatever has the shape and the value will do.
/// </summary>
public sealed class MathPath : ReasoningTask<MathPath.Template>
{
    private const string Operators = "+-*/%";
    private const char Hidden = '?';
    private const int LargestTerm = 2000;
    private const int MostNumbers = 40;

    /// <summary>Operators, and tenths of the digits that are hidden.</summary>
    private readonly record struct Level(int Operators, int HiddenTenths);

    private static readonly Level[] Levels = [new(2, 4), new(3, 5), new(4, 4), new(4, 6), new(5, 5), new(6, 6), new(7, 6), new(8, 6), new(9, 7), new(10, 7)];

    /// <inheritdoc/>
    public override string Name => "math_path";

    /// <inheritdoc/>
    public override string Description => "the hidden digits of an equation";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["digits", $"{Hidden}", "=", .. Operators.Select(c => $"{c}"), .. Enumerable.Range(0, 10).Select(digit => $"{digit}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Template, string>> English { get; } =
    [
        p => $"Replace each ? by a digit from 0 to 9 so that this holds:\n{p} = {p.Value}\nMultiplication (*), division (/) and remainder (%) go before + and -, from left to right; division is exact, not rounded. Give the complete expression.",
        p => $"Some digits of a calculation are missing:\n{p} = {p.Value}\nFind digits for the question marks. The usual precedence holds, % is the remainder and ranks with * and /, and / may give a fraction. The answer is the calculation with all digits in place.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Template, string>> Chinese { get; } =
    [
        p => $"请把每个 ? 换成 0 到 9 的一个数字，使等式成立：\n{p} = {p.Value}\n乘（*）、除（/）、取余（%）优先于加减，同级从左到右；除法为精确除法，不取整。写出完整的算式。",
        p => $"算式中缺了一些数字：\n{p} = {p.Value}\n为问号找出合适的数字。按通常的优先级计算，% 为取余，与 * 和 / 同级，/ 的结果可以是分数。答案为填好全部数字的算式。",
    ];

    /// <inheritdoc/>
    protected override (Template Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var full = Draw(level.Operators, rng);
        var digits = Enumerable.Range(0, level.Operators + 1).Select(number => number * 2);
        var hidden = rng.Sample(digits, Math.Max(1, (level.Operators + 1) * level.HiddenTenths / 10)).ToHashSet();
        var text = string.Concat(full.Select((c, at) => hidden.Contains(at) ? Hidden : c));
        return (new Template(text, (int)Evaluate(full)!.Value.Numerator), $"{Spaced(full)} = {Spaced($"{Evaluate(full)!.Value.Numerator}")}");
    }

    /// <summary>Digits with operators between them; all products, quotients and remainders are whole and small.</summary>
    private static string Draw(int operators, Rng rng)
    {
        var first = rng.Between(1, 9);
        var (text, term) = (new StringBuilder($"{first}"), first);
        while (operators-- > 0)
        {
            var operation = rng.Pick(Operators.ToArray());
            var digit = rng.Pick(Enumerable.Range(1, 9).Where(digit => Next(operation, term, digit) is not null).ToArray());
            term = Next(operation, term, digit) ?? term;
            text.Append(operation == '*' && term > LargestTerm ? '+' : operation).Append(digit);
            term = operation == '*' && term > LargestTerm ? digit : term;
        }
        return $"{text}";
    }

    /// <summary>The value of the term that the digit goes on with, or begins; null where a division leaves a remainder.</summary>
    private static int? Next(char operation, int term, int digit) => operation switch
    {
        '*' => term * digit,
        '/' => term % digit == 0 ? term / digit : null,
        '%' => term % digit,
        _ => digit,
    };

    private static string Spaced(string text) => string.Join(' ', text.AsEnumerable());

    /// <inheritdoc/>
    protected override string Compact(Template puzzle) => $"digits {puzzle} = {Spaced($"{puzzle.Value}")}";

    /// <inheritdoc/>
    protected override Verdict Check(Template puzzle, string answer)
    {
        var sides = string.Concat(answer.Where(c => !char.IsWhiteSpace(c))).Replace('×', '*').Replace('÷', '/').Replace('−', '-').Split('=');
        if (sides.Length > 2 || (sides.Length == 2 && sides[1] != $"{puzzle.Value}"))
            return Verdict.Wrong($"not an expression or an equation with {puzzle.Value} on the right");
        var expression = sides[0];
        if (expression.Length != puzzle.Text.Length || !expression.Zip(puzzle.Text).All(pair => pair.Second == Hidden ? char.IsAsciiDigit(pair.First) : pair.First == pair.Second))
            return Verdict.Wrong("not the expression that was given with digits in place of ?");
        if (Evaluate(expression) is not { } value)
            return Verdict.Wrong("a division by zero or a remainder of fractions");
        return value.Numerator == puzzle.Value * value.Denominator ? Verdict.Right : Verdict.Wrong("the expression has another value");
    }

    /// <summary>The exact value of digits at even places with operators between them; null where it has none.</summary>
    private static (BigInteger Numerator, BigInteger Denominator)? Evaluate(string expression)
    {
        (BigInteger Top, BigInteger Bottom) sum = (0, 1), term = (expression[0] - '0', 1);
        for (var at = 1; at < expression.Length; at += 2)
        {
            var digit = new BigInteger(expression[at + 1] - '0');
            var operation = expression[at];
            if (operation is '/' or '%' && (digit.IsZero || (operation == '%' && !(term.Top % term.Bottom).IsZero)))
                return null;
            if (operation is '+' or '-')
                sum = Add(sum, term);
            term = operation switch
            {
                '+' => (digit, 1),
                '-' => (-digit, 1),
                '*' => (term.Top * digit, term.Bottom),
                '/' => (term.Top, term.Bottom * digit),
                _ => (BigInteger.Remainder(term.Top / term.Bottom, digit), 1),
            };
        }
        return Reduced(Add(sum, term));
    }

    private static (BigInteger Top, BigInteger Bottom) Add((BigInteger Top, BigInteger Bottom) a, (BigInteger Top, BigInteger Bottom) b) =>
        ((a.Top * b.Bottom) + (b.Top * a.Bottom), a.Bottom * b.Bottom);

    private static (BigInteger, BigInteger) Reduced((BigInteger Top, BigInteger Bottom) value)
    {
        var divisor = BigInteger.GreatestCommonDivisor(value.Top, value.Bottom);
        return (value.Top / divisor, value.Bottom / divisor);
    }

    /// <inheritdoc/>
    protected override Template Read(JsonObject data) => new(data.Text("expression"), data.Number("value", -1_000_000, 1_000_000));

    /// <summary>An expression with hidden digits, and its value.</summary>
    public sealed class Template : Puzzle
    {
        internal Template(string text, int value)
        {
            if (text.Length % 2 == 0 || text.Length > MostNumbers * 2 || !text.Select((c, at) => at % 2 == 0 ? c == Hidden || char.IsAsciiDigit(c) : Operators.Contains(c)).All(right => right))
                throw new FormatException("The expression is not of digits and ? with operators between them.");
            if (!text.Contains(Hidden))
                throw new FormatException("No digit is hidden.");
            (Text, Value) = (text, value);
        }

        /// <summary>Without spaces.</summary>
        internal string Text { get; }

        internal int Value { get; }

        /// <summary>The expression with spaces.</summary>
        public override string ToString() => Spaced(Text);

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["expression"] = Text, ["value"] = Value };

        /// <inheritdoc/>
        public override string CanonicalForm() => $"{Text}={Value}";
    }
}
