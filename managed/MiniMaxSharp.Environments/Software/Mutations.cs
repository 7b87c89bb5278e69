using System.Globalization;
using System.Text.RegularExpressions;

namespace MiniMaxSharp.Environments;

/// <summary>A small change of a source that a hurried programmer might have made.</summary>
/// <param name="Kind">What is wrong with it.</param>
/// <param name="Start">Where it begins.</param>
/// <param name="Length">How many characters it replaces.</param>
/// <param name="Replacement">What it puts there.</param>
internal readonly record struct Mutation(string Kind, int Start, int Length, string Replacement)
{
    internal string Apply(string text) => string.Concat(text.AsSpan(0, Start), Replacement, text.AsSpan(Start + Length));
}

/// <summary>
/// Finds places for mutations by patterns of tokens alone, which C# and Python share enough of; strings and comments are left
/// alone. Many a mutation does not build or changes nothing: whoever uses them has to try.
/// </summary>
internal static partial class Mutations
{
    private static readonly (string Kind, string From, string To)[] Replacements =
    [
        ("comparison off by one", "<", "<="), ("comparison off by one", "<=", "<"), ("comparison off by one", ">", ">="), ("comparison off by one", ">=", ">"),
        ("swapped comparison", "==", "!="), ("swapped comparison", "!=", "=="), ("swapped comparison", "<", ">"), ("swapped comparison", ">", "<"),
        ("wrong operator", "+", "-"), ("wrong operator", "-", "+"), ("wrong operator", "*", "+"), ("wrong operator", "%", "*"), ("wrong operator", "/", "%"),
        ("wrong operator", "//", "%"), ("wrong operator", "+=", "-="), ("wrong operator", "-=", "+="), ("wrong operator", "*=", "+="),
        ("wrong connective", "and", "or"), ("wrong connective", "or", "and"), ("wrong connective", "&&", "||"), ("wrong connective", "||", "&&"),
        ("wrong function", "min", "max"), ("wrong function", "max", "min"), ("wrong function", "Min", "Max"), ("wrong function", "Max", "Min"),
        ("wrong function", "any", "all"), ("wrong function", "all", "any"), ("wrong function", "Any", "All"),
        ("wrong constant", "True", "False"), ("wrong constant", "False", "True"), ("wrong constant", "true", "false"), ("wrong constant", "false", "true"),
        ("wrong jump", "continue", "break"), ("dropped negation", "not ", ""), ("dropped negation", "!", ""),
    ];

    private static readonly string[] Connectives = ["and", "or", "&&", "||"];
    private static readonly string[] Openings = ["(", "[", "{"];
    private static readonly string[] Closings = [")", "]", "}"];

    /// <summary>All mutations of a source, in order of place.</summary>
    internal static IReadOnlyList<Mutation> Of(string text, ProgramLanguage language)
    {
        var tokens = (language == ProgramLanguage.Python ? PythonTokens() : CSharpTokens()).Matches(text).Where(token => !token.Groups["skip"].Success).ToArray();
        return [.. Enumerable.Range(0, tokens.Length).SelectMany(i => Replaced(text, tokens[i]).Concat(Counted(tokens[i])).Concat(Dropped(tokens, i)).Concat(Swapped(tokens, i)))];
    }

    private static IEnumerable<Mutation> Replaced(string text, Match token) => Replacements
        .Where(replacement => replacement.From == token.Value && !IsBracket(text, token))
        .Select(replacement => new Mutation(replacement.Kind, token.Index, token.Length, replacement.To));

    /// <summary>Whether it encloses type arguments: comparisons have spaces around them.</summary>
    private static bool IsBracket(string text, Match token) => token.Value is "<" or ">" && (token.Index == 0 || text[token.Index - 1] != ' ');

    private static IEnumerable<Mutation> Counted(Match token)
    {
        if (!int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number == int.MaxValue)
            yield break;
        yield return new("wrong constant", token.Index, token.Length, (number + 1).ToString(CultureInfo.InvariantCulture));
        if (number > 0)
            yield return new("wrong constant", token.Index, token.Length, (number - 1).ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>A connective and the condition after it, up to where that ends.</summary>
    private static IEnumerable<Mutation> Dropped(Match[] tokens, int i)
    {
        if (i == 0 || !Connectives.Contains(tokens[i].Value))
            yield break;
        var depth = 0;
        for (var j = i + 1; j < tokens.Length; j++)
        {
            if (depth == 0 && (Closings.Contains(tokens[j].Value) || Connectives.Contains(tokens[j].Value) || tokens[j].Value is ":" or ";" or "," or "?"))
            {
                var end = tokens[j - 1].Index + tokens[j - 1].Length;
                var start = tokens[i - 1].Index + tokens[i - 1].Length;
                yield return new("dropped condition", start, end - start, "");
                yield break;
            }
            depth += Openings.Contains(tokens[j].Value) ? 1 : Closings.Contains(tokens[j].Value) ? -1 : 0;
        }
    }

    /// <summary>Two arguments of one token each: <c>(a, b</c> becomes <c>(b, a</c>.</summary>
    private static IEnumerable<Mutation> Swapped(Match[] tokens, int i)
    {
        if (i + 4 >= tokens.Length || tokens[i].Value != "(" || tokens[i + 2].Value != "," || tokens[i + 4].Value is not (")" or ","))
            yield break;
        var (first, second) = (tokens[i + 1], tokens[i + 3]);
        if (char.IsLetterOrDigit(first.Value[0]) && char.IsLetterOrDigit(second.Value[0]) && first.Value != second.Value)
            yield return new("swapped arguments", first.Index, second.Index + second.Length - first.Index, $"{second.Value}, {first.Value}");
    }

    [GeneratedRegex("""
        (?<skip>\#[^\n]*|[rbf]{0,2}(?:\"\"\"[\s\S]*?\"\"\"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
        |\bnot\ |\w+(?:\.\d+)?|<=|>=|==|!=|//|\*\*|[+\-*]=|->|[^\s\w]
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex PythonTokens();

    [GeneratedRegex("""
        (?<skip>//[^\n]*|/\*[\s\S]*?\*/|[$@]{0,2}"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])+')
        |\w+|<=|>=|==|!=|=>|&&|\|\||\+\+|--|\?\?|\.\.|[+\-*]=|[^\s\w]
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex CSharpTokens();
}
