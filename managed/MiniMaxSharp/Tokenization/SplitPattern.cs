using System.Globalization;
using System.Text.RegularExpressions;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// A regular expression that counts in code points, as Hugging Face's do, on .NET's engine, which counts in UTF-16
/// units: before matching, every surrogate pair becomes one stand-in of its general category, a character below
/// U+10000 that the pattern does not name; likewise a character too new for the runtime. An unpaired surrogate stays
/// what it is.
/// </summary>
internal sealed class SplitPattern
{
    private readonly Regex _regex;
    private readonly char[] _standIns;

    private SplitPattern(string source, string pattern, IReadOnlyList<(char First, char Last)> named)
    {
        const RegexOptions options =
            RegexOptions.CultureInvariant | RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.Compiled;
        _regex = new Regex(pattern, options);
        _standIns = FindStandIns(named);
        for (var category = (UnicodeCategory)0; (int)category < _standIns.Length; category++)
        {
            if (_standIns[(int)category] == '\0' && NeedsStandIn(category))
            {
                throw new FormatException($"pattern '{source}': it names every character of category {category}, which is not supported");
            }
        }
    }

    /// <exception cref="FormatException">The pattern is malformed or cannot be translated to .NET.</exception>
    public static SplitPattern FromRegex(string pattern)
    {
        var (translated, named) = RegexTranslator.Translate(pattern);
        try
        {
            return new SplitPattern(pattern, translated, named);
        }
        catch (RegexParseException error)
        {
            throw new FormatException($"regular expression '{pattern}': {error.Message}", error);
        }
    }

    /// <summary>A pattern that matches the text itself.</summary>
    public static SplitPattern FromText(string text) =>
        new(text, Regex.Escape(text), [.. text.Select(character => (character, character))]);

    /// <summary>The matches in order, as ranges of the text.</summary>
    public List<(int Start, int End)> Matches(ReadOnlySpan<char> text)
    {
        if (text.ContainsAny(Unicode17.NotJudgedByRuntime))
        {
            return MatchesWithStandIns(text);
        }

        var matches = new List<(int Start, int End)>();
        foreach (var match in _regex.EnumerateMatches(text))
        {
            matches.Add((match.Index, match.Index + match.Length));
        }

        return matches;
    }

    private List<(int Start, int End)> MatchesWithStandIns(ReadOnlySpan<char> text)
    {
        var replaced = new char[text.Length];
        var origin = new int[text.Length + 1];
        var count = 0;
        for (var i = 0; i < text.Length; i++, count++)
        {
            origin[count] = i;
            var paired = i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]);
            replaced[count] = paired ? StandIn(char.ConvertToUtf32(text[i], text[++i]))
                : Unicode17.IsNew(text[i]) ? StandIn(text[i])
                : text[i];
        }

        origin[count] = text.Length;
        var matches = new List<(int Start, int End)>();
        foreach (var match in _regex.EnumerateMatches(replaced.AsSpan(0, count)))
        {
            matches.Add((origin[match.Index], origin[match.Index + match.Length]));
        }

        return matches;
    }

    private char StandIn(int codePoint) => _standIns[(int)Unicode17.CategoryOf(codePoint)];

    private static char[] FindStandIns(IReadOnlyList<(char First, char Last)> named)
    {
        var standIns = new char[(int)UnicodeCategory.OtherNotAssigned + 1];
        for (var candidate = '\uFFFD'; candidate >= '\u0080'; candidate--)
        {
            ref var standIn = ref standIns[(int)char.GetUnicodeCategory(candidate)];
            if (standIn == '\0' && !named.Any(range => range.First <= candidate && candidate <= range.Last))
            {
                standIn = candidate;
            }
        }

        return standIns;
    }

    /// <summary>The categories that have members beyond U+FFFF.</summary>
    private static bool NeedsStandIn(UnicodeCategory category) => category is not (
        UnicodeCategory.TitlecaseLetter or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Control or UnicodeCategory.Surrogate
        or UnicodeCategory.ConnectorPunctuation or UnicodeCategory.EnclosingMark
        or UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation);
}
