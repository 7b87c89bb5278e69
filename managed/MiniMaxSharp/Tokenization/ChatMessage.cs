namespace MiniMaxSharp.Tokenization;

/// <summary>One part of a message.</summary>
/// <param name="Text">The part's text; null where the part has none, such as an image.</param>
public sealed record ChatContent(string? Text)
{
    /// <summary>The kind of part; an answer consists of its parts of kind <c>text</c>.</summary>
    public string Type { get; init; } = "text";

    /// <summary>The tool whose result this is; parts of a tool's message need it.</summary>
    public string? Name { get; init; }
}

/// <summary>One message of a conversation.</summary>
/// <param name="Role"><c>system</c>, <c>user</c>, <c>assistant</c> or <c>tool</c>.</param>
/// <param name="Content">Its parts, in order.</param>
public sealed record ChatMessage(string Role, IReadOnlyList<ChatContent> Content)
{
    /// <summary>A message of one part, a text.</summary>
    /// <param name="role">Who speaks.</param>
    /// <param name="text">What is said.</param>
    public ChatMessage(string role, string text)
        : this(role, [new ChatContent(text)])
    {
    }

    /// <summary>
    /// An assistant's message that calls tools. M1's template knows no calls: they are part of the answer's text, in the
    /// block that the model writes and <see cref="ChatStreamParser"/> reads. The results come back as messages of role
    /// <c>tool</c>, with the tool's name in each part.
    /// </summary>
    /// <param name="text">What is said before the calls; may be empty.</param>
    /// <param name="calls">The calls, in order; without any the message is the text alone.</param>
    /// <exception cref="ArgumentException">Arguments are not a JSON object.</exception>
    public static ChatMessage Assistant(string text, IReadOnlyList<ChatToolCall> calls)
    {
        if (calls.Count == 0)
        {
            return new ChatMessage("assistant", text);
        }

        var block = $"{ChatStreamParser.CallsTag}\n{string.Concat(calls.Select(Line))}{ChatStreamParser.CallsEndTag}";
        return new ChatMessage("assistant", text.Length > 0 ? $"{text}\n{block}" : block);
    }

    private static string Line(ChatToolCall call)
    {
        // Line breaks of JSON stand between its tokens, where a space does as well.
        var arguments = call.Arguments.Replace('\n', ' ').Replace('\r', ' ').Trim();
        var line = $"{{\"name\": {TemplateJson.Quote(call.Name)}, \"arguments\": {arguments}}}";
        return ChatStreamParser.ReadCall(line) == call with { Arguments = arguments }
            ? line + "\n"
            : throw new ArgumentException($"A call needs a name and arguments that are a JSON object, not '{call.Name}' and '{arguments}'.", nameof(call));
    }
}
