using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// cryptarithm of SynLogic (arXiv 2505.19641): letters stand for different digits, and no number begins with 0.
/// Difficulty sets the number of letters (3 to 8) and of operators (1 or 2 of + - *, * before the others). A search proves
/// that just one assignment solves the puzzle; the verifier goes by the rules. The answer is the equation in
/// digits. Canonical up to renaming of letters and, where all operators are + or all are *, the order of operands.
/// </summary>
public sealed class Cryptarithm : ReasoningTask<Cryptarithm.Equation>
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    private const int MostOperands = 3;
    private const int LongestOperand = 6;
    private const int LongestResult = 9;

    /// <summary>Letters, most operators, which operators, and how long operands are.</summary>
    private readonly record struct Level(int Letters, int MostOperators, string Operators, int Shortest, int Longest);

    private static readonly Level[] Levels =
    [
        new(3, 1, "+", 2, 3), new(4, 1, "+", 2, 3), new(4, 1, "+-", 2, 4), new(5, 1, "+-", 3, 4), new(5, 1, "+-*", 3, 4),
        new(6, 1, "+-*", 3, 5), new(6, 2, "+-", 3, 5), new(7, 2, "+-", 4, 5), new(7, 2, "+-*", 4, 6), new(8, 2, "+-*", 4, 6),
    ];

    /// <inheritdoc/>
    public override string Name => "cryptarithm";

    /// <inheritdoc/>
    public override string Description => "digits for the letters of an equation";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["solve", "+", "-", "*", "=", .. Alphabet.Select(letter => $"{letter}"), .. Enumerable.Range(0, 10).Select(digit => $"{digit}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Equation, string>> English { get; } =
    [
        p => $"Each letter stands for a digit, different letters for different digits, and no number begins with 0:\n{p}\nFind the digits. Answer with the equation in digits.",
        p => $"Solve the cryptarithm {p}. Replace every letter by one digit from 0 to 9, the same everywhere and not shared with another letter; leading digits are not zero. Multiplication comes before addition and subtraction. Write the equation that results.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Equation, string>> Chinese { get; } =
    [
        p => $"下面的算式中，每个字母代表一个数字，不同字母代表不同数字，各数首位不为 0：\n{p}\n求出各字母的值，写出用数字表示的等式。",
        p => $"字母算式谜：{p}。请把每个字母换成 0 到 9 的一个数字，相同字母对应相同数字，不同字母对应不同数字，最高位不能是零，先乘后加减。答案为替换后的等式。",
    ];

    /// <inheritdoc/>
    protected override (Equation Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        while (true)
        {
            if (Draw(level, rng) is not { } digits)
                continue;
            var letters = rng.Sample(Alphabet, 10);
            var text = string.Concat(digits.Select(c => char.IsAsciiDigit(c) ? letters[c - '0'] : c));
            var (operands, operators, result) = Parse(text)!.Value;
            if (new Search(operands, operators, result).Count() == 1)
                return (new Equation(operands, operators, result), string.Join(' ', digits.AsEnumerable()));
        }
    }

    /// <summary>A true equation with as many digits as the level wants; null if chance gave another number.</summary>
    private static string? Draw(Level level, Rng rng)
    {
        var allowed = rng.Sample(Enumerable.Range(0, 10), level.Letters);
        var operators = Enumerable.Range(0, rng.Between(1, level.MostOperators)).Select(_ => rng.Pick(level.Operators.ToArray())).ToArray();
        if (operators.Count(c => c == '*') > 1)
            return null;
        var operands = Enumerable.Range(0, operators.Length + 1).Select(at => Number(Length(at))).ToArray();
        if (operands.Any(operand => operand[0] == '0') || Evaluate([.. operands.Select(long.Parse)], operators) is not (> 0 and var value))
            return null;
        var text = $"{operands[0]}{string.Concat(operators.Zip(operands.Skip(1), (operation, operand) => $"{operation}{operand}"))}={value}";
        return $"{value}".Length <= LongestResult && text.Where(char.IsAsciiDigit).Distinct().Count() == level.Letters ? text : null;

        int Length(int at) => at > 0 && operators[at - 1] == '*' ? rng.Between(1, 2) : rng.Between(level.Shortest, level.Longest);

        string Number(int length) => string.Concat(Enumerable.Range(0, length).Select(_ => rng.Pick(allowed)));
    }

    private static long Evaluate(long[] numbers, IReadOnlyList<char> operators, long modulus = long.MaxValue)
    {
        var (sum, term, sign) = (0L, numbers[0], 1);
        for (var i = 0; i < operators.Count; i++)
        {
            if (operators[i] == '*')
            {
                term = term * numbers[i + 1] % modulus;
                continue;
            }
            sum += sign * term;
            (term, sign) = (numbers[i + 1], operators[i] == '+' ? 1 : -1);
        }
        return (sum + (sign * term)) % modulus;
    }

    /// <summary>Operands, operators and result of a text without spaces; null if it is not of that form.</summary>
    private static (string[] Operands, char[] Operators, string Result)? Parse(string text)
    {
        var sides = text.Split('=');
        if (sides.Length != 2)
            return null;
        var operands = sides[0].Split('+', '-', '*');
        var numbers = operands.Append(sides[1]).ToArray();
        return operands.Length is >= 2 and <= MostOperands && operands.All(operand => operand.Length is > 0 and <= LongestOperand)
            && sides[1].Length is > 0 and <= LongestResult && (Are(char.IsAsciiDigit) || Are(char.IsAsciiLetterUpper))
            ? (operands, [.. sides[0].Where(c => c is '+' or '-' or '*')], sides[1])
            : null;

        bool Are(Func<char, bool> kind) => numbers.All(number => number.All(kind));
    }

    /// <inheritdoc/>
    protected override string Compact(Equation puzzle) => $"solve {string.Join(' ', puzzle.Text.AsEnumerable())}";

    /// <inheritdoc/>
    protected override Verdict Check(Equation puzzle, string answer)
    {
        var text = string.Concat(answer.Where(c => !char.IsWhiteSpace(c))).Replace('×', '*').Replace('−', '-');
        if (Parse(text) is not var (operands, operators, result) || text.Length != puzzle.Text.Length || !text.Any(char.IsAsciiDigit))
            return Verdict.Wrong("not the equation in digits");
        var pairs = puzzle.Text.Zip(text).Distinct().ToArray();
        if (pairs.Any(pair => char.IsAsciiLetter(pair.First) ? !char.IsAsciiDigit(pair.Second) : pair.First != pair.Second))
            return Verdict.Wrong("not of the form of the given equation");
        if (pairs.DistinctBy(pair => pair.First).Count() < pairs.Length || pairs.DistinctBy(pair => pair.Second).Count() < pairs.Length)
            return Verdict.Wrong("letters and digits do not correspond one to one");
        if (operands.Append(result).Any(number => number[0] == '0'))
            return Verdict.Wrong("a number begins with 0");
        return Evaluate([.. operands.Select(long.Parse)], operators) == long.Parse(result) ? Verdict.Right : Verdict.Wrong("the equation does not hold");
    }

    /// <inheritdoc/>
    protected override Equation Read(JsonObject data)
    {
        var text = data.Text("equation").Replace(" ", "");
        if (Parse(text) is not var (operands, operators, result) || !text.Any(char.IsAsciiLetterUpper) || text.Where(char.IsAsciiLetterUpper).Distinct().Count() > 10)
            throw new FormatException($"'{text}' is not an equation of words with at most ten letters.");
        return new Search(operands, operators, result).Count() == 1
            ? new Equation(operands, operators, result)
            : throw new FormatException($"'{text}' has not just one solution.");
    }

    /// <summary>
    /// Counts solutions up to two. Digits are tried from the last column to the first: after a column is complete, both
    /// sides must agree modulo a power of ten, which + - and * allow to tell.
    /// </summary>
    private sealed class Search
    {
        private const int Patience = 3_000_000; // digits tried

        private readonly int[][] _operands; // letters as numbers, the last letter first
        private readonly int[] _result;
        private readonly IReadOnlyList<char> _operators;
        private readonly int[] _digits;
        private readonly bool[] _leads;
        private readonly int[] _columns; // how many columns are complete once so many letters have digits
        private int _found, _tried;

        internal Search(string[] operands, IReadOnlyList<char> operators, string result)
        {
            var words = operands.Append(result).ToArray();
            var width = words.Max(word => word.Length);
            var letters = Enumerable.Range(1, width).SelectMany(back => words.Where(word => word.Length >= back).Select(word => word[^back])).Distinct().ToList();
            (_operands, _result, _operators) = ([.. operands.Select(Numbered)], Numbered(result), operators);
            (_digits, _leads) = (new int[letters.Count], [.. letters.Select(letter => words.Any(word => word[0] == letter))]);
            var needed = Enumerable.Range(1, width).Select(back => words.Max(word => Numbered(word).Take(back).Max() + 1)).ToArray();
            _columns = [.. Enumerable.Range(0, letters.Count + 1).Select(known => needed.TakeWhile(need => need <= known).Count())];

            int[] Numbered(string word) => [.. word.Reverse().Select(letter => letters.IndexOf(letter))];
        }

        /// <summary>0, 1, or 2 for several; also 2 if the search takes too long.</summary>
        internal int Count()
        {
            Assign(0, 0);
            return _tried > Patience ? 2 : _found;
        }

        private void Assign(int letter, int used)
        {
            if (letter == _digits.Length)
            {
                _found += Holds(long.MaxValue) ? 1 : 0;
                return;
            }
            for (var digit = _leads[letter] ? 1 : 0; digit < 10 && _found < 2 && ++_tried <= Patience; digit++)
            {
                if ((used & (1 << digit)) != 0)
                    continue;
                _digits[letter] = digit;
                if (_columns[letter + 1] == _columns[letter] || Holds(Power(_columns[letter + 1])))
                    Assign(letter + 1, used | (1 << digit));
            }
        }

        private bool Holds(long modulus)
        {
            var numbers = new long[_operands.Length];
            for (var i = 0; i < numbers.Length; i++)
                numbers[i] = Value(_operands[i], modulus);
            return (Evaluate(numbers, _operators, modulus) - Value(_result, modulus)) % modulus == 0;
        }

        private long Value(int[] letters, long modulus)
        {
            var (value, power) = (0L, 1L);
            for (var i = 0; i < letters.Length && power < modulus; i++, power *= 10)
                value += _digits[letters[i]] * power;
            return value;
        }

        private static long Power(int exponent)
        {
            var power = 1L;
            while (exponent-- > 0)
                power *= 10;
            return power;
        }
    }

    /// <summary>Words with operators between them, and a word for the result. Just one assignment of digits solves it.</summary>
    public sealed class Equation : Puzzle
    {
        private readonly string[] _operands;
        private readonly char[] _operators;
        private readonly string _result;

        internal Equation(string[] operands, char[] operators, string result) =>
            (_operands, _operators, _result, Text) = (operands, operators, result, Written(operands, operators, result));

        /// <summary>Without spaces.</summary>
        internal string Text { get; }

        /// <summary>The equation with spaces around its signs.</summary>
        public override string ToString() => string.Concat(Text.Select(c => char.IsAsciiLetterUpper(c) ? $"{c}" : $" {c} "));

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["equation"] = ToString() };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var free = _operators.All(c => c == '+') || _operators.All(c => c == '*');
            return (free ? Orders([.. Enumerable.Range(0, _operands.Length)]) : [[.. Enumerable.Range(0, _operands.Length)]])
                .Select(order => Renamed(Written([.. order.Select(at => _operands[at])], _operators, _result))).Min(StringComparer.Ordinal)!;
        }

        private static IEnumerable<int[]> Orders(int[] items) => items.Length == 1
            ? [items]
            : items.SelectMany(first => Orders([.. items.Where(item => item != first)]).Select(rest => (int[])[first, .. rest]));

        private static string Renamed(string text)
        {
            var letters = string.Concat(text.Where(char.IsAsciiLetterUpper).Distinct());
            return string.Concat(text.Select(c => char.IsAsciiLetterUpper(c) ? Alphabet[letters.IndexOf(c)] : c));
        }

        private static string Written(string[] operands, char[] operators, string result) =>
            $"{operands[0]}{string.Concat(operators.Zip(operands.Skip(1), (operation, operand) => $"{operation}{operand}"))}={result}";
    }
}
