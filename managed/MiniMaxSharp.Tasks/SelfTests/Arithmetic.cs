using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks;

/// <summary>Values of expressions for <see cref="SecondOpinion"/>: two stacks (Dijkstra's shunting yard) and exact fractions, where the verifiers descend recursively.</summary>
internal static class Arithmetic
{
    private readonly record struct Fraction(BigInteger Top, BigInteger Bottom);

    internal static bool MakesTarget(JsonObject data, string answer)
    {
        var symbols = Symbols(answer);
        return symbols.Where(symbol => char.IsAsciiDigit(symbol[0])).Order(StringComparer.Ordinal)
                .SequenceEqual(data.Numbers("numbers", 1, 99).Select(number => $"{number}").Order(StringComparer.Ordinal))
            && Value(symbols) is { } value && value.Top == data.Number("target", 1, 99) * value.Bottom;
    }

    internal static bool FillsTemplate(JsonObject data, string answer)
    {
        var sides = string.Concat(answer.Where(c => !char.IsWhiteSpace(c))).Split('=');
        var (template, wanted) = (data.Text("expression"), data.Number("value", -1_000_000, 1_000_000));
        return sides.Length <= 2 && (sides.Length == 1 || sides[1] == $"{wanted}") && sides[0].Length == template.Length
            && sides[0].Zip(template).All(pair => pair.First == pair.Second || (pair.Second == '?' && char.IsAsciiDigit(pair.First)))
            && Value(Symbols(sides[0])) is { } value && value.Top == wanted * value.Bottom;
    }

    private static List<string> Symbols(string text)
    {
        var (symbols, number) = (new List<string>(), new StringBuilder());
        foreach (var c in text + " ")
        {
            if (char.IsAsciiDigit(c))
            {
                number.Append(c);
                continue;
            }
            if (number.Length > 0)
                symbols.Add($"{number}");
            number.Clear();
            if (!char.IsWhiteSpace(c))
                symbols.Add($"{c}");
        }
        return symbols;
    }

    private static Fraction? Value(IEnumerable<string> symbols)
    {
        var (values, operators, wantsOperand) = (new Stack<Fraction>(), new Stack<char>(), true);
        foreach (var symbol in symbols)
        {
            var isNumber = BigInteger.TryParse(symbol, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
            if (wantsOperand != (isNumber || symbol == "("))
                return null;
            wantsOperand = symbol == "(" || "+-*/%".Contains(symbol[0]);
            if (isNumber)
                values.Push(new(number, 1));
            else if (symbol == "(")
                operators.Push('(');
            else if (Rank(symbol[0]) is not { } rank || !Reduce(values, operators, rank) || (symbol == ")" && (!operators.TryPop(out var open) || open != '(')))
                return null;
            else if (symbol != ")")
                operators.Push(symbol[0]);
        }
        return !wantsOperand && Reduce(values, operators, 0) && operators.Count == 0 ? values.Pop() : null;
    }

    private static int? Rank(char symbol) => symbol switch { '*' or '/' or '%' => 2, '+' or '-' => 1, ')' => 0, _ => null };

    /// <summary>Carries out what binds at least as tightly as <paramref name="rank"/>, up to an open parenthesis; false if that cannot be.</summary>
    private static bool Reduce(Stack<Fraction> values, Stack<char> operators, int rank)
    {
        while (operators.TryPeek(out var operation) && operation != '(' && Rank(operation) >= rank)
        {
            operators.Pop();
            var (b, a) = (values.Pop(), values.Pop());
            if (Apply(operation, a, b) is not { } value)
                return false;
            values.Push(value);
        }
        return true;
    }

    private static Fraction? Apply(char operation, Fraction a, Fraction b) => operation switch
    {
        '+' => new(a.Top * b.Bottom + b.Top * a.Bottom, a.Bottom * b.Bottom),
        '-' => new(a.Top * b.Bottom - b.Top * a.Bottom, a.Bottom * b.Bottom),
        '*' => new(a.Top * b.Top, a.Bottom * b.Bottom),
        '/' when !b.Top.IsZero => new(a.Top * b.Bottom, a.Bottom * b.Top),
        '%' when !b.Top.IsZero && (a.Top % a.Bottom).IsZero && (b.Top % b.Bottom).IsZero => new(a.Top / a.Bottom % (b.Top / b.Bottom), 1),
        _ => null,
    };
}
