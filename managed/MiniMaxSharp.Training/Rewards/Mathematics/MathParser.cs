using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;

namespace MiniMaxSharp.Training.Mathematics;

/// <summary>
/// Reads an answer by recursive descent over the characters of <see cref="MathNotation.Unify"/>:
/// <code>
/// list     = item { (, | ; | and | or) item }
/// item     = words | name = sides | union { sign union }
/// union    = sum { ∪ sum }
/// sum      = [+ | - | ±] product { (+ | - | ±) product }
/// product  = power { (* | / | nothing) power | unit }
/// power    = primary [^ power] [% | °]
/// primary  = number | letter | √ | \frac | function | |sum| | brackets | set
/// </code>
/// Every level goes through <see cref="Deeper{T}"/>, so that no text exhausts the stack.
/// </summary>
internal sealed partial class MathParser
{
    private const int MaxDepth = 100;
    private const char End = '\0';

    private static readonly HashSet<string> s_functions =
        ["sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "ln", "log", "exp", "lg"];

    private static readonly HashSet<string> s_constants = ["pi", "sqrt", "inf", "infinity", "infty"];

    private static readonly HashSet<string> s_shortUnits =
        ["mm", "cm", "dm", "km", "mg", "kg", "ml", "ft", "lb", "oz", "hr", "cc", "mph", "min", "sec"];

    private readonly string _text;
    private readonly Effort _effort;
    private readonly int _plusMinus;
    private int _at;
    private int _depth;
    private int _brackets;

    private MathParser(string text, Effort effort, int plusMinus)
    {
        _text = text;
        _effort = effort;
        _plusMinus = plusMinus;
    }

    private char Next => _at < _text.Length ? _text[_at] : End;

    /// <summary>Reads the whole text. With ± in it, both readings are members of the answer, all signs turned at once.</summary>
    /// <exception cref="FormatException">It is nothing that is known here, or too complex.</exception>
    public static MathValue Parse(string text, Effort effort)
    {
        IReadOnlyList<MathValue> upper = new MathParser(text, effort, 1).Whole();
        if (text.AsSpan().IndexOfAny('±', '∓') < 0)
        {
            return Collection.Of(upper, effort);
        }

        IReadOnlyList<MathValue> lower = new MathParser(text, effort, -1).Whole();
        return Collection.Of([.. upper.SelectMany(Members), .. lower.SelectMany(Members)], effort);
    }

    private static IEnumerable<MathValue> Members(MathValue value) => value switch
    {
        Collection set => set.Items,
        Relation { IsAssignment: true } assignment => Members(assignment.Right),
        _ => [value],
    };

    private List<MathValue> Whole()
    {
        var items = new List<MathValue> { Item() };
        while (Separator())
        {
            items.Add(Item());
        }

        return Next == End ? items : throw Unexpected();
    }

    private bool Separator()
    {
        bool comma = Take(',') || Take(';');
        return Conjunction() || comma;
    }

    private bool Conjunction()
    {
        SkipSpace();
        Match word = ConjunctionHere().Match(_text, _at);
        _at += word.Length;
        return word.Success;
    }

    private MathValue Item() => Deeper(() =>
    {
        SkipSpace();
        if (NameHere().Match(_text, _at) is { Success: true } name)
        {
            _at += name.Length;
            string bare = Space().Replace(name.Groups["name"].Value, "");
            SkipSpace();
            MathValue right = TryWords() ?? Union();
            while (Take('='))
            {
                right = Union();
            }

            return new Relation('=', true, new Number(Expression.Symbol(bare)), right);
        }

        return TryWords() ?? Comparison();
    });

    // Letters, and \text with whatever it holds, up to where an item ends.
    private Words? TryWords()
    {
        string run = LettersHere().Match(_text, _at).Value;
        if (!WordsHere().IsMatch(_text, _at) || s_functions.Contains(run) || s_constants.Contains(run))
        {
            return null;
        }

        var words = new StringBuilder();
        int at = _at;
        while (at < _text.Length && _text[at] is var c && c is not (',' or ';' or ')' or ']' or '}') && !_text.AsSpan(at).StartsWith(@"\}"))
        {
            if (TextHere().Match(_text, at) is { Success: true } dressed)
            {
                words.Append(dressed.Groups["inside"].ValueSpan);
                at += dressed.Length;
            }
            else if (char.IsLetterOrDigit(c) || c is ' ' or '-' or '\'' or '’' or '.' or ':')
            {
                words.Append(c);
                at++;
            }
            else
            {
                return null;
            }
        }

        _at = at;
        return new Words(Space().Replace(words.ToString(), " ").Trim(' ', '.', '(', ')').ToLowerInvariant());
    }

    private MathValue Comparison()
    {
        int start = _at;
        var sides = new List<(MathValue Value, string Text)>();
        var signs = new List<char>();
        while (true)
        {
            MathValue side = Union();
            sides.Add((side, _text[start.._at].Trim()));
            if (Next is not ('=' or '<' or '>' or '≤' or '≥' or '≠'))
            {
                break;
            }

            signs.Add(_text[_at++]);
            start = _at;
        }

        return signs.Count switch
        {
            0 => sides[0].Value,
            _ when Interval(sides, signs) is { } interval => interval,
            1 => new Relation(signs[0], false, sides[0].Value, sides[1].Value),
            _ => throw new FormatException("more than one sign of comparison"),
        };
    }

    // x > 3, 1 ≤ x < 2: what an unknown lies between is an interval.
    private static Bracketed? Interval(List<(MathValue Value, string Text)> sides, List<char> signs)
    {
        if (signs.TrueForAll(s => s is '>' or '≥'))
        {
            sides.Reverse();
            signs = [.. signs.AsEnumerable().Reverse().Select(s => s == '>' ? '<' : '≤')];
        }

        int unknown = sides.FindIndex(s => UnknownHere().IsMatch(s.Text));
        if (sides.Count > 3 || unknown < 0 || (sides.Count == 3 && unknown != 1) || !signs.TrueForAll(s => s is '<' or '≤'))
        {
            return null;
        }

        Expression infinity = Expression.Symbol("∞");
        (MathValue low, char open) = unknown == 0 ? (new Number(infinity.Negated()), '(') : (sides[0].Value, signs[0] == '<' ? '(' : '[');
        (MathValue high, char close) = unknown == sides.Count - 1 ? (new Number(infinity), ')') : (sides[^1].Value, signs[^1] == '<' ? ')' : ']');
        return new Bracketed(open, close, [low, high]);
    }

    private MathValue Union()
    {
        MathValue first = Sum();
        if (Next != '∪')
        {
            return first;
        }

        var parts = new List<MathValue>(Parts(first));
        while (Take('∪'))
        {
            parts.AddRange(Parts(Sum()));
        }

        return Collection.Of(parts, _effort);

        static IEnumerable<MathValue> Parts(MathValue value) => value is Collection set ? set.Items : [value];
    }

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

    private MathValue Brackets()
    {
        char open = _text[_at++];
        List<MathValue> items = Inside(() => Next is ')' or ']' or '[');
        char close = Next;
        _at++;
        return items.Count > 1
            ? new Bracketed(open == ']' ? '(' : open, close == '[' ? ')' : close, [.. items])
            : items.Count == 1 && (open, close) is ('(', ')') or ('[', ']') ? items[0] : throw Unexpected();
    }

    private MathValue Braces(string open, string close, bool alone)
    {
        _at += open.Length;
        List<MathValue> items = Inside(() => _text.AsSpan(_at).StartsWith(close));
        _at += close.Length;
        return items.Count == 1 && !alone ? items[0] : new Collection([.. items]);
    }

    private List<MathValue> Inside(Func<bool> closed)
    {
        _brackets++;
        SkipSpace();
        var items = new List<MathValue>();
        while (!closed())
        {
            items.Add(Item());
            if (!closed() && !Take(',') && !Take(';'))
            {
                throw Unexpected();
            }
        }

        _brackets--;
        return items;
    }

    private Expression Absolute()
    {
        _at++;
        Expression inside = Scalar(Sum());
        Require('|');
        return inside.AsRational() is { } value ? Expression.Of(value.Numerator.Sign < 0 ? -value : value) : Expression.Symbol($"|{inside}|");
    }

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

    // sqrt12 and √12 mean what they look like: no LaTeX here.
    private Expression PlainRoot()
    {
        SkipSpace();
        return (char.IsAsciiDigit(Next) ? Literal(mixed: false) : Argument()).Root(2);
    }

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

    private static Expression Scalar(MathValue value) =>
        value is Number number ? number.Value : throw new FormatException("a tuple, a set, a relation or a word where a number is needed");

    private T Deeper<T>(Func<T> read)
    {
        if (++_depth > MaxDepth)
        {
            throw Effort.TooComplex();
        }

        T value = read();
        _depth--;
        return value;
    }

    private bool Take(char sign)
    {
        SkipSpace();
        if (Next != sign || sign == End)
        {
            return false;
        }

        _at++;
        return true;
    }

    private void Require(char sign)
    {
        if (!Take(sign))
        {
            throw Unexpected();
        }
    }

    private void SkipSpace()
    {
        while (char.IsWhiteSpace(Next))
        {
            _at++;
        }
    }

    private FormatException Unexpected() =>
        new(_at >= _text.Length ? "the answer ends too soon" : $"'{_text[_at]}' at character {_at + 1} of '{_text}' is not expected");

    [GeneratedRegex(@"\G(?:(?:and|or)(?![A-Za-z])|\\text\s*\{\s*(?:and|or)\s*\})", RegexOptions.IgnoreCase)]
    private static partial Regex ConjunctionHere();

    // A name with an argument or none, or a tuple of names, and the sign that says what it is.
    [GeneratedRegex(@"\G(?<name>\(\s*\p{L}(?:\s*,\s*\p{L}){1,5}\s*\)|(?:\p{L}|\p{L}{3,20})(?:_(?:\w|\{\w{1,20}\}))?\s*(?:\(\s*\p{L}(?:\s*,\s*\p{L}){0,5}\s*\))?)\s*[=∈]")]
    private static partial Regex NameHere();

    [GeneratedRegex(@"^\p{L}(?:_(?:\w|\{\w{1,20}\}))?$")]
    private static partial Regex UnknownHere();

    [GeneratedRegex(@"\G(?:\\text\b|\p{L}{3}|no\b)", RegexOptions.IgnoreCase)]
    private static partial Regex WordsHere();

    [GeneratedRegex(@"\G\\text\s*\{(?<inside>[^{}]*)\}")]
    private static partial Regex TextHere();

    [GeneratedRegex(@"\G(?:(?<text>\\text\s*\{(?<word>[^{}]*)\})|(?<word>[A-Za-z]{2,}|[\u2e80-\uffef]+))(?:\s*\^\s*(?:\d|\{\s*-?\d\s*\}))?(?:\s*/\s*(?:\\text\s*\{[^{}]*\}|[A-Za-z]+)(?:\^\d)?)?")]
    private static partial Regex UnitHere();

    [GeneratedRegex(@"\G(?:\^\s*(?:°|\{\s*°\s*\})|°|degrees?(?![A-Za-z]))")]
    private static partial Regex DegreesHere();

    [GeneratedRegex(@"\G\\(?:frac|sqrt|sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|ln|log|exp|lg)(?![A-Za-z])")]
    private static partial Regex CommandOfFactor();

    [GeneratedRegex(@"\G\\(?<name>[A-Za-z]*)")]
    private static partial Regex CommandName();

    [GeneratedRegex(@"\G[A-Za-z]+")]
    private static partial Regex LettersHere();

    [GeneratedRegex(@"\G\p{L}(?:_(?:\w|\{\w{1,20}\}))?")]
    private static partial Regex SymbolHere();

    [GeneratedRegex(@"\G(?:(?<whole>[0-9]+)(?:\.(?<decimals>[0-9]*))?|\.(?<decimals>[0-9]+))(?:\\overline\s*\{(?<period>[0-9]+)\})?(?:[eE](?<exponent>[+-]?[0-9]+))?")]
    private static partial Regex NumberHere();

    [GeneratedRegex(@"\G(?:(?<whole>[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.(?<decimals>[0-9]*))?|\.(?<decimals>[0-9]+))(?:\\overline\s*\{(?<period>[0-9]+)\})?(?:[eE](?<exponent>[+-]?[0-9]+))?")]
    private static partial Regex NumberWithThousands();

    [GeneratedRegex(@"\G(?:\s+(?<above>[0-9]+)\s*/\s*(?<below>[0-9]+)|\s*\\frac\s*(?:\{\s*(?<above>[0-9]+)\s*\}|(?<above>[0-9]))\s*(?:\{\s*(?<below>[0-9]+)\s*\}|(?<below>[0-9])))")]
    private static partial Regex MixedHere();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
