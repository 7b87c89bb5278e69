using System.Globalization;
using System.Text.RegularExpressions;

namespace MiniMaxSharp.Training;

/// <summary>Takes the verdict out of what a judge wrote. A judge may think first, and may dress its verdict up.</summary>
internal static partial class JudgeReply
{
    private const int QuotedCharacters = 400;

    /// <summary>1 to 5: the last one that is named as the grade, or the only thing that is said.</summary>
    /// <exception cref="InvalidDataException">There is none; the message quotes the reply.</exception>
    public static int Grade(string reply) => int.Parse(
        Find(reply, NamedGrade(), BareGrade()) ?? throw Unreadable("a grade from 1 to 5", reply), CultureInfo.InvariantCulture);

    /// <summary>1 if the first is better, −1 if the second is, 0 for a tie.</summary>
    /// <exception cref="InvalidDataException">It says none of these; the message quotes the reply.</exception>
    public static int Preference(string reply) =>
        (Find(reply, NamedPreference(), BarePreference()) ?? throw Unreadable("a verdict A, B or tie", reply)).ToUpperInvariant() switch
        {
            "A" => 1,
            "B" => -1,
            _ => 0,
        };

    private static string? Find(string reply, Regex named, Regex bare)
    {
        int thought = reply.LastIndexOf("</think>", StringComparison.Ordinal);
        string said = thought < 0 ? reply : reply[(thought + "</think>".Length)..];
        Match match = named.Matches(said).LastOrDefault() ?? bare.Match(said);
        return match.Success ? match.Groups["verdict"].Value : null;
    }

    private static InvalidDataException Unreadable(string wanted, string reply) => new(
        $"The judge was asked for {wanted} and replied: {(reply.Length > QuotedCharacters ? $"…{reply[^QuotedCharacters..]}" : reply)}");

    // "Grade: 4", "**Score** = 4/5", "the grade is [[4]]", "[[4]]"; not "grade: 4.5" nor "grade: 45".
    [GeneratedRegex(@"\b(?:grade|score|rating)\b(?:\s+(?:is|of))?[\s*_:=""'\[\](){}]{0,12}(?<verdict>[1-5])(?!\d|\.\d)|\[\[\s*(?<verdict>[1-5])\s*\]\]", RegexOptions.IgnoreCase)]
    private static partial Regex NamedGrade();

    [GeneratedRegex(@"^[\s*_\[\]()]*(?<verdict>[1-5])(?:\s*/\s*5)?[\s*_\[\]().]*$")]
    private static partial Regex BareGrade();

    // "Verdict: A", "the better one is **B**", "Verdict: a tie", "[[A]]"; the letter is a capital one, for "a" is a word.
    [GeneratedRegex(@"\b(?:verdict|winner|better|preference)\b(?:\s+(?:is|one|response|answer))*[\s*_:=""'\[\](){}]{0,12}(?:(?:an?\s+)?(?<verdict>tie|draw)|(?:(?:response|answer)[\s_]+)?(?<verdict>(?-i:A|B))(?!\s+(?:better|clear|tie|draw)))\b|\[\[\s*(?<verdict>A|B|tie)\s*\]\]", RegexOptions.IgnoreCase)]
    private static partial Regex NamedPreference();

    [GeneratedRegex(@"^[\s*_\[\]()]*(?:(?:response|answer)[\s_]+)?(?<verdict>A|B|tie|draw)[\s*_\[\]().]*$", RegexOptions.IgnoreCase)]
    private static partial Regex BarePreference();
}
