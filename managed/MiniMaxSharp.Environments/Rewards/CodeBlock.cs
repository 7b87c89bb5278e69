namespace MiniMaxSharp.Environments;

/// <summary>Fenced blocks of a response.</summary>
internal static class CodeBlock
{
    private const string Fence = "```";
    private const string ThinkClose = "</think>";

    /// <summary>
    /// The last closed block that names one of these languages, or else the last that names none; null if there is neither.
    /// What stands before the end of the thought does not count.
    /// </summary>
    internal static string? Last(string response, IReadOnlyList<string> languages)
    {
        var blocks = All(response[(response.LastIndexOf(ThinkClose, StringComparison.Ordinal) is >= 0 and var end ? end : 0)..]);
        var (named, unnamed) = (blocks.Where(block => languages.Contains(block.Language)), blocks.Where(block => block.Language == ""));
        return named.Concat(unnamed).Any() ? (named.Any() ? named : unnamed).Last().Text : null;
    }

    private static List<(string Language, string Text)> All(string text)
    {
        var blocks = new List<(string, string)>();
        (string Language, List<string> Lines)? open = null;
        foreach (var line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            if (open is { } block && line.Trim() == Fence)
            {
                blocks.Add((block.Language, string.Concat(block.Lines.Select(inner => $"{inner}\n"))));
                open = null;
            }
            else if (open is { } inside)
                inside.Lines.Add(line);
            else if (line.TrimStart().StartsWith(Fence, StringComparison.Ordinal))
                open = (line.Trim()[Fence.Length..].Trim().ToLowerInvariant(), []);
        }
        return blocks;
    }
}
