namespace MiniMaxSharp.Tasks;

/// <summary>What a response earns.</summary>
/// <param name="FormatOk">Whether thought and answer stand in their tags.</param>
/// <param name="Verdict">Whether the answer that was found is right.</param>
public readonly record struct Score(bool FormatOk, Verdict Verdict)
{
    /// <summary>1 if the format holds and the answer is right, else 0 (SynLogic).</summary>
    public double Reward => FormatOk && Verdict.Correct ? 1 : 0;
}

/// <summary>The form of a response, and the one policy by which an answer is taken out of it.</summary>
public static class ResponseFormat
{
    /// <summary>Opens the thought.</summary>
    public const string ThinkOpen = "<think>";

    /// <summary>Closes the thought.</summary>
    public const string ThinkClose = "</think>";

    /// <summary>Opens the answer.</summary>
    public const string AnswerOpen = "<answer>";

    /// <summary>Closes the answer.</summary>
    public const string AnswerClose = "</answer>";

    /// <summary>The thought of a quick demonstration.</summary>
    public const string QuickThought = "easy";

    /// <summary>The four tags in the order in which they stand.</summary>
    public static IReadOnlyList<string> Tags { get; } = [ThinkOpen, ThinkClose, AnswerOpen, AnswerClose];

    /// <summary>A response in the right form.</summary>
    public static string Respond(string thought, string answer) =>
        $"{ThinkOpen} {thought} {ThinkClose} {AnswerOpen} {answer} {AnswerClose}";

    /// <summary>Whether the response is one thought and then one answer, each tag once, and nothing but white space outside.</summary>
    public static bool Holds(string response)
    {
        var text = response.AsSpan().Trim();
        foreach (var tag in Tags)
        {
            if (text.Count(tag) != 1)
                return false;
        }
        var (close, open) = (text.IndexOf(ThinkClose), text.IndexOf(AnswerOpen));
        return text.StartsWith(ThinkOpen) && text.EndsWith(AnswerClose) && close < open
            && text[(close + ThinkClose.Length)..open].IsWhiteSpace();
    }

    /// <summary>
    /// The last answer in tags; without one, the last fenced block or <c>\boxed{}</c>, whichever begins later;
    /// null if there is none of them.
    /// </summary>
    public static string? Extract(string response)
    {
        if (Between(response, AnswerOpen, AnswerClose) is { } tagged)
            return tagged.Text;
        var (fence, box) = (Fenced(response), Boxed(response));
        return (fence?.Start ?? -1) > (box?.Start ?? -1) ? fence?.Text : box?.Text;
    }

    /// <summary>Format and verdict of a response to an instance.</summary>
    public static Score Score(TaskInstance instance, string response)
    {
        var verdict = Extract(response) is { } answer
            ? TaskRegistry.Get(instance.Task).Verify(instance, answer)
            : Verdict.Wrong("no answer found");
        return new Score(Holds(response), verdict);
    }

    private static (int Start, string Text)? Between(string text, string open, string close)
    {
        var end = text.LastIndexOf(close, StringComparison.Ordinal);
        var start = end <= 0 ? -1 : text.LastIndexOf(open, end - 1, StringComparison.Ordinal);
        return start < 0 ? null : (start, text[(start + open.Length)..end].Trim());
    }

    private static (int Start, string Text)? Fenced(string text)
    {
        if (Between(text, "```", "```") is not { } fence)
            return null;
        var line = fence.Text.IndexOf('\n');
        var info = line < 0 ? "" : fence.Text[..line];
        var named = text[fence.Start + 3] is not ('\n' or '\r') && info.Length > 0 && info.All(char.IsAsciiLetterOrDigit);
        return named ? (fence.Start, fence.Text[(line + 1)..].Trim()) : fence;
    }

    private static (int Start, string Text)? Boxed(string text)
    {
        const string Open = @"\boxed{";
        var start = text.LastIndexOf(Open, StringComparison.Ordinal);
        if (start < 0)
            return null;
        var depth = 1;
        for (var i = start + Open.Length; i < text.Length; i++)
        {
            depth += text[i] switch { '{' => 1, '}' => -1, _ => 0 };
            if (depth == 0)
                return (start, text[(start + Open.Length)..i].Trim());
        }
        return null;
    }
}
