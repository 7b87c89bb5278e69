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
}
