using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// Translates a regular expression from Oniguruma's Ruby dialect, in which Hugging Face's tokenizers write their
/// patterns, to .NET's. What differs: case is folded in ASCII only, as their JavaScript edition does; <c>^</c> and
/// <c>$</c> are anchors of lines; <c>++</c>, <c>*+</c> and <c>?+</c> are possessive; <c>\h</c> is a hexadecimal digit;
/// <c>\w</c> and <c>\b</c> follow Unicode. What cannot be said in .NET is refused.
/// </summary>
internal sealed class RegexTranslator
{
    /// <summary>
    /// What \w stands for within a character class, and outside of one, where Oniguruma lets Latin-1's raised digits and
    /// fractions in. Of the circled and squared letters, which Unicode counts as alphabetic, those below U+10000.
    /// </summary>
    private const string WordInClass = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9";
    private const string Word = WordInClass + @"\u00B2\u00B3\u00B9\u00BC-\u00BE";
    private const string HexDigit = "0-9A-Fa-f";
    private const string Boundary = $"(?:(?<=[{Word}])(?![{Word}])|(?<![{Word}])(?=[{Word}]))";
    private const string NoBoundary = $"(?:(?<=[{Word}])(?=[{Word}])|(?<![{Word}])(?![{Word}]))";

    private static readonly Dictionary<string, string> s_categories = Lookup(
        @"letter L, uppercaseletter Lu, lowercaseletter Ll, titlecaseletter Lt, modifierletter Lm, otherletter Lo,
        mark M, nonspacingmark Mn, spacingmark Mc, enclosingmark Me,
        number N, decimalnumber Nd, letternumber Nl, othernumber No,
        punctuation P, connectorpunctuation Pc, dashpunctuation Pd, openpunctuation Ps, closepunctuation Pe,
        initialpunctuation Pi, finalpunctuation Pf, otherpunctuation Po,
        symbol S, mathsymbol Sm, currencysymbol Sc, modifiersymbol Sk, othersymbol So,
        separator Z, spaceseparator Zs, lineseparator Zl, paragraphseparator Zp,
        other C, control Cc, format Cf, surrogate Cs, privateuse Co, unassigned Cn");

    private static readonly Dictionary<string, string> s_posix = Lookup(
        $@"digit \p{{Nd}}, space \s, punct \p{{P}}\p{{S}}, cntrl \p{{Cc}}, blank \t\p{{Zs}}, word {WordInClass}, xdigit {HexDigit}");

    private readonly string _pattern;
    private readonly List<(char First, char Last)> _ranges = [];
    private int _position;

    private RegexTranslator(string pattern) => _pattern = pattern;

    private readonly record struct Flags(bool Fold, bool DotAll);

    /// <summary>A pattern for .NET and the characters and ranges beyond ASCII that it names one by one.</summary>
    public readonly record struct Translation(string Pattern, IReadOnlyList<(char First, char Last)> Ranges);

    /// <exception cref="FormatException">The pattern is malformed or beyond what can be translated.</exception>
    public static Translation Translate(string pattern)
    {
        var translator = new RegexTranslator(pattern);
        var result = translator.Alternatives(default);
        return translator.AtEnd ? new Translation(result, translator._ranges) : throw translator.Error("')' without '('");
    }

    private bool AtEnd => _position == _pattern.Length;

    private char Current => _pattern[_position];

    /// <summary>Everything up to the end of the enclosing group.</summary>
    private string Alternatives(Flags flags)
    {
        var result = new StringBuilder();
        while (!AtEnd && Current != ')')
        {
            result.Append(Take('|') ? "|" : Quantified(Atom(flags)));
        }

        return result.ToString();
    }

    private string Quantified(string atom)
    {
        while (Quantifier() is { } quantifier)
        {
            if (quantifier[0] == '{')
            {
                // After an interval '+' repeats the whole once more; it does not make it possessive.
                atom = Take('?') ? $"(?:{atom}{quantifier}?)" : $"(?:{atom}{quantifier})";
            }
            else
            {
                atom = Take('+') ? $"(?>{atom}{quantifier})" : $"(?:{atom}{quantifier}{(Take('?') ? "?" : "")})";
            }
        }

        return atom;
    }

    private string? Quantifier()
    {
        if (AtEnd)
        {
            return null;
        }

        if (Current is '*' or '+' or '?')
        {
            return _pattern[_position++].ToString();
        }

        var interval = IntervalPattern.Match(_pattern, _position);
        if (!interval.Success)
        {
            return null;
        }

        _position += interval.Length;
        return interval.Value.StartsWith("{,", StringComparison.Ordinal) ? "{0" + interval.Value[1..] : interval.Value;
    }

    private static Regex IntervalPattern { get; } = new(@"\G\{([0-9]+(,[0-9]*)?|,[0-9]+)\}", RegexOptions.CultureInvariant);

    private string Atom(Flags flags)
    {
        var current = _pattern[_position++];
        return current switch
        {
            '(' => Group(flags),
            '[' => Class(flags),
            '\\' => Escape(flags),
            '.' => flags.DotAll ? @"[\s\S]" : @"[^\n]",
            '^' or '$' => $"(?:{current})",
            '*' or '+' or '?' => throw Error("nothing to repeat"),
            _ => Literal(current, flags),
        };
    }

    private string Group(Flags flags)
    {
        if (!Take('?'))
        {
            return Close($"(?:{Alternatives(flags)}");
        }

        foreach (var prefix in (ReadOnlySpan<string>)[":", "=", "!", ">", "<=", "<!"])
        {
            if (TakeAll(prefix))
            {
                return Close($"(?{prefix}{Alternatives(flags)}");
            }
        }

        return FlagGroup(flags);
    }

    /// <summary>(?flags:…), or (?flags) which holds up to the end of the enclosing group, alternatives included.</summary>
    private string FlagGroup(Flags flags)
    {
        for (var on = true; ; _position++)
        {
            switch (AtEnd ? '\0' : Current)
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    flags = flags with { Fold = on };
                    break;
                case 'm':
                    flags = flags with { DotAll = on };
                    break;
                case ':':
                    _position++;
                    return Close($"(?:{Alternatives(flags)}");
                case ')':
                    _position++;
                    return $"(?:{Alternatives(flags)})";
                default:
                    throw Error("this kind of group is not supported");
            }
        }
    }

    private string Close(string opened) => Take(')') ? opened + ")" : throw Error("')' is missing");

    private string Escape(Flags flags)
    {
        var current = TakeEscaped();
        switch (current)
        {
            case 'd' or 'D' or 's' or 'S' or 'A' or 'z' or 'Z':
                return $"\\{current}";
            case 'w':
                return $"[{Word}]";
            case 'W':
                return $"[^{Word}]";
            case 'h':
                return $"[{HexDigit}]";
            case 'H':
                return $"[^{HexDigit}]";
            case 'b':
                return Boundary;
            case 'B':
                return NoBoundary;
            case 'p' or 'P':
                return Category(current);
            default:
                return Literal(EscapedCharacter(current), flags);
        }
    }

    private string Literal(char value, Flags flags)
    {
        Note(value, value);
        return flags.Fold && char.IsAsciiLetter(value)
            ? $"[{char.ToLowerInvariant(value)}{char.ToUpperInvariant(value)}]"
            : Quote(value);
    }

    /// <summary>[…] after its opening bracket, flattened: a class within a class is a union.</summary>
    private string Class(Flags flags)
    {
        var opening = Take('^') ? "[^" : "[";
        var contents = ClassContents(flags);
        return contents.Length > 0 ? $"{opening}{contents}]" : throw Error("empty character class");
    }

    private string ClassContents(Flags flags)
    {
        var contents = new StringBuilder();
        for (var first = true; first || !Take(']'); first = false)
        {
            if (AtEnd)
            {
                throw Error("']' is missing");
            }

            if (TakeAll("&&"))
            {
                throw Error("an intersection of character classes is not supported");
            }

            contents.Append(ClassItem(flags));
        }

        return contents.ToString();
    }

    private string ClassItem(Flags flags)
    {
        if (TakeAll("[:"))
        {
            return PosixClass();
        }

        if (Take('['))
        {
            return Take('^') ? throw Error("a negated class within a class is not supported") : ClassContents(flags);
        }

        if (Current == '\\' && _position + 1 < _pattern.Length && "dDsSwWhHpP".Contains(_pattern[_position + 1]))
        {
            _position++;
            return ClassShorthand(TakeEscaped());
        }

        var first = ClassCharacter();
        if (_position + 1 >= _pattern.Length || Current != '-' || _pattern[_position + 1] is ']' or '[')
        {
            return Range(first, first, flags);
        }

        _position++;
        return Range(first, ClassCharacter(), flags);
    }

    private string ClassShorthand(char kind) => kind switch
    {
        'w' => WordInClass,
        'h' => HexDigit,
        'p' or 'P' => Category(kind),
        'W' or 'H' => throw Error($"\\{kind} in a character class is not supported"),
        _ => $"\\{kind}",
    };

    private string PosixClass()
    {
        var end = _pattern.IndexOf(":]", _position, StringComparison.Ordinal);
        var name = end < 0 ? throw Error("':]' is missing") : _pattern[_position..end];
        _position = end + 2;
        return s_posix.TryGetValue(name, out var contents) ? contents : throw Error($"[:{name}:] is not supported");
    }

    private char ClassCharacter()
    {
        var current = _pattern[_position++];
        return current == '\\' ? EscapedCharacter(TakeEscaped()) : current;
    }

    private string Range(char first, char last, Flags flags)
    {
        if (last < first)
        {
            throw Error("a range runs backwards");
        }

        Note(first, last);
        var result = first == last ? Quote(first) : $"{Quote(first)}-{Quote(last)}";
        return flags.Fold ? result + OtherCase(first, last, 'a', 'z', -32) + OtherCase(first, last, 'A', 'Z', 32) : result;
    }

    private static string OtherCase(char first, char last, char from, char to, int shift)
    {
        var (low, high) = (Math.Max(first, from), Math.Min(last, to));
        return low <= high ? $"{(char)(low + shift)}-{(char)(high + shift)}" : "";
    }

    private string Category(char kind)
    {
        var end = _pattern.IndexOf('}', _position);
        if (end < 0 || !Take('{'))
        {
            throw Error($"\\{kind} needs a name in braces");
        }

        var negated = (kind == 'P') ^ Take('^');
        var name = _pattern[_position..end].Trim();
        _position = end + 1;
        var plain = name.Replace("_", "").Replace(" ", "").Replace("-", "").ToLowerInvariant();
        var category = s_categories.Values.FirstOrDefault(value => value.Equals(plain, StringComparison.OrdinalIgnoreCase))
            ?? s_categories.GetValueOrDefault(plain)
            ?? throw Error($"\\p{{{name}}} is not a general category; nothing else is supported");
        return $"\\{(negated ? 'P' : 'p')}{{{category}}}";
    }

    private char TakeEscaped() => AtEnd ? throw Error("the pattern ends in '\\'") : _pattern[_position++];

    private char EscapedCharacter(char current) => current switch
    {
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        'f' => '\f',
        'v' => '\v',
        'a' => '\a',
        'e' => '\e',
        'u' => FromHex(4, 4),
        'x' => Take('{') ? BracedHex() : FromHex(1, 2),
        _ when char.IsAsciiLetterOrDigit(current) => throw Error($"the escape \\{current} is not supported"),
        _ => current,
    };

    private char BracedHex()
    {
        var value = FromHex(1, 8);
        return Take('}') ? value : throw Error("'}' is missing");
    }

    private char FromHex(int least, int most)
    {
        var end = _position;
        while (end < _pattern.Length && end - _position < most && char.IsAsciiHexDigit(_pattern[end]))
        {
            end++;
        }

        if (end - _position < least)
        {
            throw Error("a hexadecimal number is missing");
        }

        var value = uint.Parse(_pattern.AsSpan(_position, end - _position), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        _position = end;
        return value <= char.MaxValue ? (char)value : throw Error($"U+{value:X} is beyond U+FFFF, which is not supported");
    }

    private void Note(char first, char last)
    {
        if (char.IsSurrogate(first) || char.IsSurrogate(last))
        {
            throw Error("characters beyond U+FFFF are not supported");
        }

        if (last >= 0x80)
        {
            _ranges.Add((first, last));
        }
    }

    private static Dictionary<string, string> Lookup(string entries) => entries.Split(',')
        .Select(entry => entry.Trim().Split(' '))
        .ToDictionary(entry => entry[0], entry => entry[1]);

    private static string Quote(char value) => char.IsAsciiLetterOrDigit(value) ? value.ToString() : $"\\u{(int)value:X4}";

    private bool Take(char expected)
    {
        var found = !AtEnd && Current == expected;
        _position += found ? 1 : 0;
        return found;
    }

    private bool TakeAll(string expected)
    {
        var found = string.CompareOrdinal(_pattern, _position, expected, 0, expected.Length) == 0;
        _position += found ? expected.Length : 0;
        return found;
    }

    private FormatException Error(string message) =>
        new($"regular expression '{_pattern}', character {_position}: {message}");
}
