using System.Globalization;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// game_of_24 of SynLogic (arXiv 2505.19641): make a target from given numbers by + − × ÷, each number once.
/// Difficulty sets how many numbers there are (3 to 6), their size (up to 20) and the target's (up to 36).
/// Every puzzle can be solved through whole numbers up to 36, but any expression with exactly the right value will do.
/// The answer is the expression. Canonical up to the order of the numbers.
/// </summary>
public sealed class GameOf24 : ReasoningTask<GameOf24.Numbers>
{
    /// <summary>No number, target or intermediate result is larger: so the words for numbers are few.</summary>
    private const int Largest = 36;

    private const int Fewest = 3;
    private const int Most = 6;
    private const string Operators = "+-*/";

    private readonly record struct Level(int Count, int LargestNumber, int LeastTarget, int LargestTarget);

    private static readonly Level[] Levels =
    [
        new(3, 9, 6, 24), new(3, 12, 6, 30), new(3, 13, 10, 36), new(4, 9, 10, 24), new(4, 13, 24, 24),
        new(4, 13, 20, 36), new(5, 10, 24, 24), new(5, 13, 20, 36), new(6, 13, 24, 36), new(6, 20, 24, 36),
    ];

    /// <inheritdoc/>
    public override string Name => "game_of_24";

    /// <inheritdoc/>
    public override string Description => "an expression over given numbers that makes a target";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
    [
        "make", "from", "+", "-", "*", "/", "(", ")", "=", ":", ";", "|", "->", "_", "yes", "no",
        .. Enumerable.Range(0, Largest + 1).Select(number => $"{number}"),
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Numbers, string>> English { get; } =
    [
        p => $"Use each of the numbers {string.Join(", ", p.Given)} exactly once, with + - * / and parentheses, to make {p.Target}. Answer with the expression alone.",
        p => $"Combine {string.Join(", ", p.Given)} by addition, subtraction, multiplication and division so that the result is {p.Target}. Every number has to be used once. Write only the expression.",
        p => $"Numbers: {string.Join(' ', p.Given)}\nTarget: {p.Target}\nFind an arithmetic expression over these numbers, each used exactly once, whose value is the target. Allowed are + - * / and parentheses. Give the expression without an equals sign.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Numbers, string>> Chinese { get; } =
    [
        p => $"请用 {string.Join("、", p.Given)} 这些数字（每个恰好用一次）和 + - * / 以及括号，算出 {p.Target}。只写算式。",
        p => $"数字：{string.Join(' ', p.Given)}\n目标：{p.Target}\n每个数字必须且只能使用一次，可用加减乘除和括号。写出值等于目标的算式，不要写等号。",
    ];

    /// <inheritdoc/>
    protected override (Numbers Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        while (true)
        {
            var given = Enumerable.Range(0, level.Count).Select(_ => rng.Between(1, level.LargestNumber)).ToArray();
            if (Collapse(given, rng) is not { } target || target < level.LeastTarget || target > level.LargestTarget)
                continue;
            var puzzle = new Numbers(given, target);
            return (puzzle, puzzle.Solution.Text);
        }
    }

    /// <summary>Puts the numbers together at random; null when that leaves the whole numbers in range.</summary>
    private static int? Collapse(int[] given, Rng rng)
    {
        var numbers = given.ToList();
        while (numbers.Count > 1)
        {
            var (a, b) = (Draw(numbers, rng), Draw(numbers, rng));
            if (Apply(rng.Pick(Operators.ToArray()), a, b) is not (> 0 and var result))
                return null;
            numbers.Add(result);
        }
        return numbers[0];
    }

    private static int Draw(List<int> numbers, Rng rng)
    {
        var at = rng.Below(numbers.Count);
        var number = numbers[at];
        numbers.RemoveAt(at);
        return number;
    }

    /// <summary>The operation on two numbers, the larger one first; null where it leaves the whole numbers in range.</summary>
    private static int? Apply(char operation, int a, int b)
    {
        var (large, small) = (Math.Max(a, b), Math.Min(a, b));
        int? result = operation switch
        {
            '+' => large + small,
            '-' => large - small,
            '*' => large * small,
            _ => small > 0 && large % small == 0 ? large / small : null,
        };
        return result <= Largest ? result : null;
    }

    /// <inheritdoc/>
    protected override string Compact(Numbers puzzle) => $"make {puzzle.Target} from {string.Join(' ', puzzle.Given)}";

    /// <summary>
    /// With more than three numbers, first moves that are known to lead on. The last three are searched: one number
    /// is put aside, and + − × ÷ of target and that number stand beside + − × ÷ of the other two. A value on both
    /// sides is what the two have to make.
    /// </summary>
    protected override string Reason(Numbers puzzle, string solution)
    {
        var lines = new List<string>();
        var (numbers, last) = (puzzle.Given.ToList(), puzzle.Solution.Moves.Count - 2);
        foreach (var move in puzzle.Solution.Moves.Take(last))
        {
            var before = string.Join(' ', numbers);
            move.ApplyTo(numbers);
            lines.Add($"{before} : {move} -> {string.Join(' ', numbers)} ;");
        }
        foreach (var aside in Enumerable.Range(0, Fewest))
        {
            var (x, a, b) = Aside(numbers, aside);
            var tables = $"{puzzle.Target} {x} : {Table(puzzle.Target, x)} | {a} {b} : {Table(a, b)}";
            if (Finish(puzzle.Target, x, a, b) is not { } finish)
            {
                lines.Add($"{tables} no ;");
                continue;
            }
            lines.Add($"{tables} yes {finish[0]} ; {finish[1]}");
            break;
        }
        return string.Join(' ', lines);
    }

    private static string Table(int a, int b) => string.Join(' ', Operators.Select(operation => Apply(operation, a, b)?.ToString(CultureInfo.InvariantCulture) ?? "_"));

    private static (int Aside, int A, int B) Aside(List<int> three, int aside) =>
        (three[aside], three[aside == 0 ? 1 : 0], three[aside == 2 ? 1 : 2]);

    /// <summary>Two moves that make the target of three numbers, <paramref name="a"/> and <paramref name="b"/> first.</summary>
    private static Move[]? Finish(int target, int x, int a, int b)
    {
        foreach (var operation in Operators)
        {
            if (Apply(operation, a, b) is not { } value)
                continue;
            foreach (var inverse in Operators)
            {
                if (Apply(inverse, target, x) == value)
                    return [Move.Of(operation, a, b), Inverted(inverse, target, x, value)];
            }
        }
        return null;
    }

    /// <summary>The move from value and x to the target, where value came from target and x by the inverse operation.</summary>
    private static Move Inverted(char inverse, int target, int x, int value) => inverse switch
    {
        '+' => new('-', value, x, target),
        '-' => target >= x ? new('+', value, x, target) : new('-', x, value, target),
        '*' => new('/', value, x, target),
        _ => target >= x ? new('*', value, x, target) : new('/', x, value, target),
    };

    /// <inheritdoc/>
    protected override Verdict Check(Numbers puzzle, string answer)
    {
        var reader = new ExpressionReader(answer, [.. puzzle.Given]);
        return reader.Read() switch
        {
            (_, _, { } fault) => Verdict.Wrong(fault),
            var (top, bottom, _) => top == puzzle.Target * bottom ? Verdict.Right : Verdict.Wrong($"the value is not {puzzle.Target}"),
        };
    }

    /// <inheritdoc/>
    protected override Numbers Read(JsonObject data)
    {
        var given = data.Numbers("numbers", 1, Largest);
        return given.Length is >= Fewest and <= Most
            ? new Numbers(given, data.Number("target", 1, Largest))
            : throw new FormatException($"There are {given.Length} numbers, not {Fewest} to {Most}.");
    }

    /// <summary>One operation on two numbers and its result.</summary>
    internal readonly record struct Move(char Operation, int A, int B, int Result)
    {
        internal static Move Of(char operation, int a, int b) =>
            new(operation, Math.Max(a, b), Math.Min(a, b), Apply(operation, a, b) ?? throw new InvalidOperationException("The move leaves the whole numbers in range."));

        /// <summary>Takes both numbers away and puts the result first.</summary>
        internal void ApplyTo(List<int> numbers)
        {
            numbers.Remove(A);
            numbers.Remove(B);
            numbers.Insert(0, Result);
        }

        public override string ToString() => $"{A} {Operation} {B} = {Result}";
    }

    /// <summary>Moves that make the target, and the expression they amount to.</summary>
    internal sealed record Line(IReadOnlyList<Move> Moves, string Text);

    /// <summary>Numbers and a target.</summary>
    public sealed class Numbers : Puzzle
    {
        internal Numbers(IReadOnlyList<int> given, int target)
        {
            (Given, Target) = (given, target);
            var moves = new List<Move>();
            if (!Solve([.. given], moves, []))
                throw new FormatException($"{target} cannot be made from {string.Join(' ', given)} through whole numbers up to {Largest}.");
            Solution = new Line(moves, Write(moves));
        }

        internal IReadOnlyList<int> Given { get; }

        internal int Target { get; }

        /// <summary>The first solution in the order of the search.</summary>
        internal Line Solution { get; }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["numbers"] = Given.ToJsonArray(), ["target"] = Target };

        /// <inheritdoc/>
        public override string CanonicalForm() => $"{Target}:{string.Join(',', Given.Order())}";

        private bool Solve(List<int> numbers, List<Move> moves, HashSet<string> dead)
        {
            if (numbers.Count == Fewest)
                return Finish(numbers, moves);
            if (!dead.Add(string.Join(',', numbers.Order())))
                return false;
            for (var i = 0; i < numbers.Count; i++)
            {
                for (var j = i + 1; j < numbers.Count; j++)
                {
                    foreach (var operation in Operators)
                    {
                        if (Apply(operation, numbers[i], numbers[j]) is not > 0)
                            continue;
                        moves.Add(Move.Of(operation, numbers[i], numbers[j]));
                        List<int> next = [.. numbers];
                        moves[^1].ApplyTo(next);
                        if (Solve(next, moves, dead))
                            return true;
                        moves.RemoveAt(moves.Count - 1);
                    }
                }
            }
            return false;
        }

        private bool Finish(List<int> numbers, List<Move> moves)
        {
            for (var aside = 0; aside < Fewest; aside++)
            {
                var (x, a, b) = Aside(numbers, aside);
                if (GameOf24.Finish(Target, x, a, b) is not { } finish)
                    continue;
                moves.AddRange(finish);
                return true;
            }
            return false;
        }

        private string Write(List<Move> moves)
        {
            var terms = Given.Select(number => (Value: number, Text: $"{number}")).ToList();
            foreach (var move in moves)
            {
                var (a, b) = (Take(move.A), Take(move.B));
                terms.Insert(0, (move.Result, $"( {a} {move.Operation} {b} )"));
            }
            return terms[0].Text[2..^2];

            string Take(int value)
            {
                var at = terms.FindIndex(term => term.Value == value);
                var text = terms[at].Text;
                terms.RemoveAt(at);
                return text;
            }
        }
    }

    /// <summary>
    /// Reads and evaluates an expression in exact fractions. A number that is not (or no longer) to be had ends the
    /// reading, so values stay below 36⁶ and cannot overflow.
    /// </summary>
    private sealed class ExpressionReader(string text, List<int> unused)
    {
        private const int DeepestNesting = 64;
        private int _at;
        private int _depth;
        private string? _fault;

        /// <summary>Numerator and denominator, or what is wrong.</summary>
        internal (long Top, long Bottom, string? Fault) Read()
        {
            var (top, bottom) = Sum();
            SkipSpace();
            if (_fault is null && _at < text.Length)
                _fault = $"'{text[_at]}' is out of place";
            if (_fault is null && unused.Count > 0)
                _fault = $"{unused[0]} is not used";
            return (top, bottom, _fault);
        }

        private (long Top, long Bottom) Sum()
        {
            var left = Product();
            while (_fault is null && Peek() is '+' or '-' or '−')
            {
                var sign = text[_at++] == '+' ? 1 : -1;
                var right = Product();
                left = ((left.Top * right.Bottom) + (sign * right.Top * left.Bottom), left.Bottom * right.Bottom);
            }
            return left;
        }

        private (long Top, long Bottom) Product()
        {
            var left = Factor();
            while (_fault is null && Peek() is '*' or '/' or '×' or '÷')
            {
                var times = text[_at++] is '*' or '×';
                var right = Factor();
                if (!times && right.Top == 0)
                    return Fail("something is divided by zero");
                left = times ? (left.Top * right.Top, left.Bottom * right.Bottom) : (left.Top * right.Bottom, left.Bottom * right.Top);
            }
            return left;
        }

        private (long Top, long Bottom) Factor()
        {
            if (char.IsAsciiDigit(Peek()))
                return Number();
            if (Peek() != '(' || ++_depth > DeepestNesting)
                return Fail("an operand is missing or nested too deeply");
            _at++;
            var inner = Sum();
            if (_fault is null && Peek() != ')')
                return Fail("a parenthesis is not closed");
            _at++;
            _depth--;
            return inner;
        }

        private (long Top, long Bottom) Number()
        {
            var start = _at;
            while (_at < text.Length && char.IsAsciiDigit(text[_at]))
                _at++;
            return int.TryParse(text.AsSpan(start, _at - start), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && unused.Remove(number)
                ? (number, 1)
                : Fail($"{text[start.._at]} is not to be had, or not so often");
        }

        private (long Top, long Bottom) Fail(string fault)
        {
            _fault ??= fault;
            return (0, 1);
        }

        /// <summary>The next character that is not white space; '\0' at the end.</summary>
        private char Peek()
        {
            SkipSpace();
            return _at < text.Length ? text[_at] : '\0';
        }

        private void SkipSpace()
        {
            while (_at < text.Length && char.IsWhiteSpace(text[_at]))
                _at++;
        }
    }
}
