using System.Text.RegularExpressions;

namespace MiniMaxSharp.Training.Mathematics;

// Sums, products with or without a sign, units, powers, and what these are made of.
internal sealed partial class MathParser
{
    private static readonly HashSet<string> s_shortUnits =
        ["mm", "cm", "dm", "km", "mg", "kg", "ml", "ft", "lb", "oz", "hr", "cc", "mph", "min", "sec"];

    private MathValue Sum()
    {
        int sign = TakeSign() ?? 1;
        MathValue first = Product();
        if (sign == 1 && Next is not ('+' or '-' or '±' or '∓'))
        {
            return first;
        }

        Expression sum = sign == 1 ? Scalar(first) : Scalar(first).Negated();
        while (TakeSign() is int next)
        {
            Expression term = Scalar(Product());
            sum = sum.Plus(next == 1 ? term : term.Negated(), _effort);
        }

        return new Number(sum);
    }

    // Several signs are their product; null if there is none.
    private int? TakeSign()
    {
        int? product = null;
        while (true)
        {
            SkipSpace();
            int? sign = Next switch { '+' => 1, '-' => -1, '±' => _plusMinus, '∓' => -_plusMinus, _ => null };
            if (sign is null)
            {
                return product;
            }

            product = (product ?? 1) * sign;
            _at++;
        }
    }

    private MathValue Product()
    {
        MathValue first = Power();
        if (first is not Number number)
        {
            SkipSpace();
            return first;
        }

        Expression product = number.Value;
        while (true)
        {
            if (Unit() is { } share)
            {
                product = product.Times(share, _effort);
            }
            else if (Take('*'))
            {
                product = product.Times(Signed(), _effort);
            }
            else if (Take('/'))
            {
                product = product.Over(Signed(), _effort);
            }
            else if (BeginsFactor())
            {
                product = product.Times(Scalar(Power()), _effort);
            }
            else
            {
                return new Number(product);
            }
        }
    }

    private Expression Signed()
    {
        int sign = TakeSign() ?? 1;
        Expression value = Scalar(Power());
        return sign == 1 ? value : value.Negated();
    }

    // What may follow a factor without a sign; a digit may not: 2 3 is no product.
    private bool BeginsFactor()
    {
        SkipSpace();
        return Next is '(' or '√' or '∞' || char.IsLetter(Next) ? !ConjunctionHere().IsMatch(_text, _at) : CommandOfFactor().IsMatch(_text, _at);
    }

    // A unit does not change the number, "percent" does; null where there is none.
    private Expression? Unit()
    {
        SkipSpace();
        Match unit = UnitHere().Match(_text, _at);
        string word = unit.Groups["word"].Value.Trim();
        bool apart = char.IsWhiteSpace(_text[_at - 1]) && word.Length >= 3;
        bool known = unit.Groups["text"].Success || s_shortUnits.Contains(word) || (word.Length > 0 && word[0] >= '\u2e80') || apart;
        if (!unit.Success || !known || ConjunctionHere().IsMatch(_text, _at) || s_functions.Contains(word) || s_constants.Contains(word))
        {
            return null;
        }

        _at += unit.Length;
        return Expression.Of(word.Equals("percent", StringComparison.OrdinalIgnoreCase) ? new Rational(1, 100) : 1);
    }

    private MathValue Power() => Deeper<MathValue>(() =>
    {
        MathValue first = Primary();
        if (first is not Number number)
        {
            return first;
        }

        Expression value = number.Value;
        SkipSpace();
        if (!SkipDegrees() && Take('^'))
        {
            value = value.Power(Exponent(), _effort);
        }

        while (SkipDegrees() || Next == '%')
        {
            if (Take('%'))
            {
                value = value.Times(Expression.Of(new Rational(1, 100)), _effort);
            }
        }

        return new Number(value);
    });

    private bool SkipDegrees()
    {
        SkipSpace();
        Match degrees = DegreesHere().Match(_text, _at);
        _at += degrees.Length;
        return degrees.Success;
    }

    private Expression Exponent()
    {
        int sign = TakeSign() ?? 1;
        Expression power = Next == '{' ? Argument() : char.IsAsciiDigit(Next) ? Tower(Literal(mixed: false)) : Scalar(Power());
        return sign == 1 ? power : power.Negated();
    }

    // 2^3^2 is 2^(3^2).
    private Expression Tower(Expression foot) => Deeper(() => Take('^') ? foot.Power(Exponent(), _effort) : foot);

    private MathValue Primary()
    {
        SkipSpace();
        switch (Next)
        {
            case '(' or '[' or ']':
                return Brackets();
            case '{':
                return Braces("{", "}", alone: false);
            case '\\' when _text.AsSpan(_at).StartsWith(@"\{"):
                return Braces(@"\{", @"\}", alone: true);
            case '∅':
                _at++;
                return new Collection([]);
            case '|':
                return new Number(Absolute());
            case '√':
                _at++;
                return new Number(PlainRoot());
            case '∞':
                _at++;
                return new Number(Expression.Symbol("∞"));
            case '\\':
                return new Number(Command());
            case >= '0' and <= '9' or '.':
                return new Number(Literal(mixed: true));
            default:
                return char.IsLetter(Next) ? new Number(Letters()) : throw Unexpected();
        }
    }

    private Expression Absolute()
    {
        _at++;
        Expression inside = Scalar(Sum());
        Require('|');
        return inside.AsRational() is { } value ? Expression.Of(value.Numerator.Sign < 0 ? -value : value) : Expression.Symbol($"|{inside}|");
    }

    [GeneratedRegex(@"\G(?:(?<text>\\text\s*\{(?<word>[^{}]*)\})|(?<word>[A-Za-z]{2,}|[\u2e80-\uffef]+))(?:\s*\^\s*(?:\d|\{\s*-?\d\s*\}))?(?:\s*/\s*(?:\\text\s*\{[^{}]*\}|[A-Za-z]+)(?:\^\d)?)?")]
    private static partial Regex UnitHere();

    [GeneratedRegex(@"\G(?:\^\s*(?:°|\{\s*°\s*\})|°|degrees?(?![A-Za-z]))")]
    private static partial Regex DegreesHere();

    [GeneratedRegex(@"\G\\(?:frac|sqrt|sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|ln|log|exp|lg)(?![A-Za-z])")]
    private static partial Regex CommandOfFactor();
}
