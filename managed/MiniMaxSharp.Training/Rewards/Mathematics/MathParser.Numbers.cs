using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;

namespace MiniMaxSharp.Training.Mathematics;

// Numbers as they are written: thousands, decimals, periods, powers of ten, and mixed ones.
internal sealed partial class MathParser
{
    private Expression Literal(bool mixed)
    {
        Match literal = (_brackets == 0 ? NumberWithThousands() : NumberHere()).Match(_text, _at);
        if (!literal.Success)
        {
            throw Unexpected();
        }

        _at += literal.Length;
        string whole = literal.Groups["whole"].Value.Replace(",", "", StringComparison.Ordinal), decimals = literal.Groups["decimals"].Value;
        Rational value = Digits(whole + decimals) * Rational.PowerOfTen(-decimals.Length);
        if (literal.Groups["period"] is { Success: true } period)
        {
            // 0.1(23) = 0.1 + 23 / (99 · 10)
            Rational nines = Rational.PowerOfTen(period.Length) + -Rational.One;
            value += Digits(period.Value) / nines * Rational.PowerOfTen(-decimals.Length);
        }

        if (literal.Groups["exponent"] is { Success: true } exponent)
        {
            value *= Rational.PowerOfTen(BigInteger.Parse(exponent.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture));
        }

        return Expression.Of(mixed && literal.Length == literal.Groups["whole"].Length ? value + FractionAfterWhole() : value);
    }

    // 2 1/3 and 2\frac{1}{3} are sums if the fraction is a proper one.
    private Rational FractionAfterWhole()
    {
        Match match = MixedHere().Match(_text, _at);
        if (!match.Success)
        {
            return Rational.Zero;
        }

        Rational above = Digits(match.Groups["above"].Value), below = Digits(match.Groups["below"].Value);
        if (above.Numerator >= below.Numerator)
        {
            return Rational.Zero;
        }

        _at += match.Length;
        return above / below;
    }

    private static Rational Digits(string digits) =>
        new(BigInteger.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture), 1);

    [GeneratedRegex(@"\G(?:(?<whole>[0-9]+)(?:\.(?<decimals>[0-9]*))?|\.(?<decimals>[0-9]+))(?:\\overline\s*\{(?<period>[0-9]+)\})?(?:[eE](?<exponent>[+-]?[0-9]+))?")]
    private static partial Regex NumberHere();

    [GeneratedRegex(@"\G(?:(?<whole>[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.(?<decimals>[0-9]*))?|\.(?<decimals>[0-9]+))(?:\\overline\s*\{(?<period>[0-9]+)\})?(?:[eE](?<exponent>[+-]?[0-9]+))?")]
    private static partial Regex NumberWithThousands();

    [GeneratedRegex(@"\G(?:\s+(?<above>[0-9]+)\s*/\s*(?<below>[0-9]+)|\s*\\frac\s*(?:\{\s*(?<above>[0-9]+)\s*\}|(?<above>[0-9]))\s*(?:\{\s*(?<below>[0-9]+)\s*\}|(?<below>[0-9])))")]
    private static partial Regex MixedHere();
}
