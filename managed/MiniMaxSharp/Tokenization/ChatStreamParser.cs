using System.Text;
using System.Text.Json;

namespace MiniMaxSharp.Tokenization;

/// <summary>What a piece of a model's output is.</summary>
public enum ChatDeltaKind
{
    /// <summary>The model thinks, between <c>&lt;think&gt;</c> and <c>&lt;/think&gt;</c>.</summary>
    Reasoning,

    /// <summary>The model answers.</summary>
    Text,

    /// <summary>The model calls a tool.</summary>
    ToolCall,
}

/// <summary>A call of a tool.</summary>
/// <param name="Name">The tool's name.</param>
/// <param name="Arguments">The arguments: the text of a JSON object.</param>
public sealed record ChatToolCall(string Name, string Arguments);

/// <summary>A piece of a model's output.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">The text to append to what came before of this kind; empty for a call.</param>
/// <param name="ToolCall">The call, for that kind alone.</param>
public sealed record ChatDelta(ChatDeltaKind Kind, string Text, ChatToolCall? ToolCall = null);

/// <summary>
/// Takes a model's output apart as it comes: reasoning, answer, calls of tools. What it gives, joined, does not depend on
/// where the text was cut. For one caller at a time.
/// </summary>
/// <remarks>
/// <para>
/// Calls stand in a block <c>&lt;tool_calls&gt;…&lt;/tool_calls&gt;</c> outside of reasoning, one JSON object a line:
/// <c>{"name": "add", "arguments": {"a": 1}}</c>; without <c>arguments</c> they are <c>{}</c>. A block is held back until
/// it closes (a closing tag within a JSON string does not count) and holds for all its calls or none: a malformed,
/// empty or unfinished one comes out as text, to the letter.
/// </para>
/// <para>
/// White space that touches a tag is dropped, on both sides: what follows <c>&lt;think&gt;</c> and a block of calls, what
/// precedes <c>&lt;/think&gt;</c>. All other is kept, that at the very beginning and end of the output too.
/// </para>
/// </remarks>
public sealed class ChatStreamParser
{
    internal const string ThinkTag = "<think>";
    internal const string ThinkEndTag = "</think>";
    internal const string CallsTag = "<tool_calls>";
    internal const string CallsEndTag = "</tool_calls>";

    private readonly List<ChatDelta> _deltas = [];
    private readonly StringBuilder _text = new();
    private readonly StringBuilder _space = new();
    private readonly StringBuilder _tag = new();
    private readonly StringBuilder _block = new();
    private Mode _mode;
    private bool _afterTag;
    private bool _inString;
    private bool _escaped;

    /// <param name="thinkingOpen">Whether the prompt has opened the reasoning already.</param>
    public ChatStreamParser(bool thinkingOpen = false)
    {
        _mode = thinkingOpen ? Mode.Reasoning : Mode.Text;
        _afterTag = thinkingOpen;
    }

    private enum Mode
    {
        Text,
        Reasoning,
        Calls,
    }

    /// <summary>What this text completes, in order; none of it is empty.</summary>
    /// <param name="text">The next piece of the output, of any length.</param>
    public IReadOnlyList<ChatDelta> Append(string text)
    {
        foreach (var character in text)
        {
            if (_mode == Mode.Calls)
            {
                TakeInBlock(character);
            }
            else
            {
                Take(character);
            }
        }

        return TakeDeltas();
    }

    /// <summary>The end of the output: what was held back in case a tag followed.</summary>
    public IReadOnlyList<ChatDelta> Flush()
    {
        if (_mode == Mode.Calls)
        {
            ReleaseBlock();
        }

        ReleaseTag();
        ReleaseSpace();
        return TakeDeltas();
    }

    private void Take(char character)
    {
        // Only the first character of a tag is '<', so a tag that comes to nothing hides no other.
        if (character == '<')
        {
            ReleaseTag();
            _tag.Append(character);
        }
        else if (_tag.Length == 0)
        {
            TakePlain(character);
        }
        else
        {
            _tag.Append(character);
            TakeTag();
        }
    }

    private void TakeTag()
    {
        ReadOnlySpan<string> tags = _mode == Mode.Text ? [ThinkTag, CallsTag] : [ThinkEndTag];
        foreach (var tag in tags)
        {
            if (tag.Length >= _tag.Length && _tag.Equals(tag.AsSpan(0, _tag.Length)))
            {
                if (tag.Length == _tag.Length)
                {
                    Enter(tag);
                }

                return;
            }
        }

        ReleaseTag();
    }

    private void Enter(string tag)
    {
        _tag.Clear();
        if (tag == CallsTag)
        {
            // The white space before it stays until the block turns out to be one.
            _block.Append(tag);
            (_mode, _inString, _escaped) = (Mode.Calls, false, false);
            return;
        }

        EndText();
        PassTag();
        _mode = tag == ThinkTag ? Mode.Reasoning : Mode.Text;
    }

    private void TakeInBlock(char character)
    {
        _block.Append(character);
        if (character == '\n')
        {
            // No JSON string spans lines: a broken one ends here.
            _inString = false;
        }
        else if (character == '"' && !_escaped)
        {
            _inString = !_inString;
        }

        _escaped = character == '\\' && _inString && !_escaped;
        if (character == '>' && !_inString && EndsIn(_block, CallsEndTag))
        {
            CloseBlock();
        }
    }

    private void CloseBlock()
    {
        var calls = ReadCalls(_block.ToString(CallsTag.Length, _block.Length - CallsTag.Length - CallsEndTag.Length));
        if (calls.Count == 0)
        {
            ReleaseBlock();
            return;
        }

        _mode = Mode.Text;
        EndText();
        PassTag();
        _block.Clear();
        _deltas.AddRange(calls.Select(call => new ChatDelta(ChatDeltaKind.ToolCall, "", call)));
    }

    /// <summary>The calls of a block; none where one is malformed.</summary>
    private static List<ChatToolCall> ReadCalls(string block)
    {
        var calls = new List<ChatToolCall>();
        foreach (var line in block.Split('\n').Where(line => !string.IsNullOrWhiteSpace(line)))
        {
            if (ReadCall(line) is not { } call)
            {
                return [];
            }

            calls.Add(call);
        }

        return calls;
    }

    /// <summary>The call that a line writes; null where it is malformed.</summary>
    internal static ChatToolCall? ReadCall(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return document.RootElement is { ValueKind: JsonValueKind.Object } call
                && call.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String
                && name.GetString() is { Length: > 0 } tool
                && ReadArguments(call) is { } arguments
                    ? new ChatToolCall(tool, arguments)
                    : null;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or ArgumentException)
        {
            // Not JSON, or not valid Unicode.
            return null;
        }
    }

    private static string? ReadArguments(JsonElement call) =>
        !call.TryGetProperty("arguments", out var arguments) ? "{}"
        : arguments.ValueKind == JsonValueKind.Object ? arguments.GetRawText()
        : null;

    private void ReleaseBlock()
    {
        _mode = Mode.Text;
        ReleaseSpace();
        _text.Append(_block);
        _block.Clear();
        _afterTag = false;
    }

    private void ReleaseTag()
    {
        foreach (var chunk in _tag.GetChunks())
        {
            foreach (var character in chunk.Span)
            {
                TakePlain(character);
            }
        }

        _tag.Clear();
    }

    private void TakePlain(char character)
    {
        if (!char.IsWhiteSpace(character))
        {
            ReleaseSpace();
            _text.Append(character);
            _afterTag = false;
        }
        else if (!_afterTag)
        {
            _space.Append(character);
        }
    }

    private void ReleaseSpace()
    {
        _text.Append(_space);
        _space.Clear();
    }

    private void PassTag()
    {
        _space.Clear();
        _afterTag = true;
    }

    private void EndText()
    {
        if (_text.Length > 0)
        {
            _deltas.Add(new ChatDelta(_mode == Mode.Reasoning ? ChatDeltaKind.Reasoning : ChatDeltaKind.Text, _text.ToString()));
            _text.Clear();
        }
    }

    private ChatDelta[] TakeDeltas()
    {
        EndText();
        ChatDelta[] deltas = [.. _deltas];
        _deltas.Clear();
        return deltas;
    }

    private static bool EndsIn(StringBuilder text, string end)
    {
        for (var i = 1; i <= end.Length; i++)
        {
            // From the end, where a character of a StringBuilder is found at once.
            if (text[^i] != end[^i])
            {
                return false;
            }
        }

        return true;
    }
}
