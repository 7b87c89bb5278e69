using System.Text.RegularExpressions;

namespace MiniMaxSharp.Training.Mathematics;

// Commands of LaTeX, functions, roots, constants and unknowns.
internal sealed partial class MathParser
{
    private Expression Command()
    {
        Match name = CommandName().Match(_text, _at);
        _at += name.Length;
        switch (name.Groups["name"].Value)
        {
            case "frac":
                Expression numerator = Argument();
                return numerator.Over(Argument(), _effort);
            case "sqrt":
                return Root();
            case { Length: > 0 } function when s_functions.Contains(function):
                return Function(function);
            default:
                _at -= name.Length;
                throw Unexpected();
        }
    }

    private Expression Root()
    {
        SkipSpace();
        if (!Take('['))
        {
            return Argument().Root(2);
        }

        Rational? degree = Scalar(Sum()).AsRational();
        Require(']');
        return degree is { IsInteger: true } n && n.Numerator > 1 && n.Numerator <= 64
            ? Argument().Root((int)n.Numerator)
            : throw new FormatException("the degree of a root is no whole number from 2 to 64");
    }

    // sqrt12 and √12 mean what they look like: no LaTeX here.
    private Expression PlainRoot()
    {
        SkipSpace();
        return (char.IsAsciiDigit(Next) ? Literal(mixed: false) : Argument()).Root(2);
    }

    // Not worked out: equal if the argument is. A power may stand before the argument.
    private Expression Function(string name) => Deeper(() =>
    {
        SkipSpace();
        string index = Take('_') ? $"_{Argument()}" : "";
        Expression? power = Take('^') ? Exponent() : null;
        SkipSpace();
        Expression value = Expression.Symbol($"{name}{index}({Scalar(Power())})");
        return power is null ? value : value.Power(power, _effort);
    });

    // As LaTeX takes arguments: a group, a command or a single character.
    private Expression Argument() => Deeper(() =>
    {
        SkipSpace();
        if (Next == '{')
        {
            _at++;
            Expression inside = Scalar(Sum());
            Require('}');
            return inside;
        }

        if (char.IsAsciiDigit(Next))
        {
            return Expression.Of(_text[_at++] - '0');
        }

        return Scalar(Primary());
    });

    private Expression Letters()
    {
        string run = LettersHere().Match(_text, _at).Value;
        if (s_functions.Contains(run))
        {
            _at += run.Length;
            return Function(run);
        }

        if (s_constants.Contains(run))
        {
            _at += run.Length;
            return run switch { "pi" => Expression.Symbol("π"), "sqrt" => PlainRoot(), _ => Expression.Symbol("∞") };
        }

        Match symbol = SymbolHere().Match(_text, _at);
        _at += symbol.Length;
        return Expression.Symbol(symbol.Value.Replace("{", "", StringComparison.Ordinal).Replace("}", "", StringComparison.Ordinal));
    }

    [GeneratedRegex(@"\G\\(?<name>[A-Za-z]*)")]
    private static partial Regex CommandName();

    [GeneratedRegex(@"\G\p{L}(?:_(?:\w|\{\w{1,20}\}))?")]
    private static partial Regex SymbolHere();
}
