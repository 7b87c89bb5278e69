using System.Text.Json;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Training;

/// <summary>
/// Users' data: a file with a JSON object on each line, in one of three forms, which may be mixed:
/// {"messages": [{"role", "content"}, …], "tools": […]}, {"prompt", "completion"} (a user's message and its answer) and {"text"}.
/// A message's content is a text or a list of parts; an assistant's may have <c>tool_calls</c> as OpenAI writes them, a tool's needs its <c>name</c>.
/// </summary>
public static class TrainingData
{
    /// <summary>The examples, in the order of the file.</summary>
    /// <exception cref="InvalidDataException">A line is not one of the forms, or there is none; names the file and the line.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IReadOnlyList<TrainingExample> Read(string path) => JsonLines.Read(path, Example);

    /// <summary>The examples as tokens, see <see cref="TrainingExample.Encode"/>.</summary>
    public static IReadOnlyList<TrainingSequence> Encode(IEnumerable<TrainingExample> examples, Tokenizer tokenizer, int maxTokens) =>
        [.. examples.SelectMany(example => example.Encode(tokenizer, maxTokens))];

    private static TrainingExample Example(JsonElement line, string source)
    {
        JsonLines.Allow(line, "messages", "tools", "prompt", "completion", "text");
        switch (JsonLines.TryGet(line, "messages"), JsonLines.TryText(line, "prompt"), JsonLines.TryText(line, "text"))
        {
            case ({ } messages, null, null) when JsonLines.TryGet(line, "completion") is null:
                return new ChatExample(Messages(messages), Tools(line), source);
            case (null, { } prompt, null) when JsonLines.TryGet(line, "tools") is null:
                return new ChatExample([new ChatMessage("user", prompt), new ChatMessage("assistant", JsonLines.Text(line, "completion"))], [], source);
            case (null, null, { } text) when JsonLines.TryGet(line, "completion") is null && JsonLines.TryGet(line, "tools") is null:
                return new TextExample(text, source);
            default:
                throw new ArgumentException("a line has either 'messages' (and 'tools'), or 'prompt' and 'completion', or 'text'");
        }
    }

    internal static ChatMessage[] Messages(JsonElement messages) =>
        [.. JsonLines.Expect(messages, JsonValueKind.Array, "'messages'").EnumerateArray().Select(Message)];

    private static JsonElement[] Tools(JsonElement line) => JsonLines.TryGet(line, "tools") is { } tools
        ? [.. JsonLines.Expect(tools, JsonValueKind.Array, "'tools'").EnumerateArray().Select(tool => tool.Clone())]
        : [];

    private static ChatMessage Message(JsonElement message)
    {
        JsonLines.Allow(message, "role", "content", "name", "tool_calls", "tool_call_id");
        string role = JsonLines.Text(message, "role");
        ChatContent[] content = JsonLines.TryGet(message, "content") switch
        {
            null => [],
            { ValueKind: JsonValueKind.String } text => [new ChatContent(text.GetString()) { Name = JsonLines.TryText(message, "name") }],
            { } parts => [.. JsonLines.Expect(parts, JsonValueKind.Array, "'content'").EnumerateArray().Select(Part)],
        };
        if (JsonLines.TryGet(message, "tool_calls") is not { } calls)
        {
            return new ChatMessage(role, content);
        }

        return role == "assistant"
            ? ChatMessage.Assistant(
                string.Concat(content.Select(part => part.Text)),
                [.. JsonLines.Expect(calls, JsonValueKind.Array, "'tool_calls'").EnumerateArray().Select(Call)])
            : throw new ArgumentException($"a message of role '{role}' calls no tools");
    }

    private static ChatContent Part(JsonElement part)
    {
        JsonLines.Allow(part, "type", "text", "name");
        return new ChatContent(JsonLines.Text(part, "text")) { Type = JsonLines.Text(part, "type"), Name = JsonLines.TryText(part, "name") };
    }

    private static ChatToolCall Call(JsonElement call)
    {
        JsonElement function = JsonLines.TryGet(call, "function") ?? throw new ArgumentException("a call's 'function' is missing");
        JsonElement arguments = JsonLines.TryGet(function, "arguments") ?? throw new ArgumentException("a call's 'arguments' are missing");
        return new ChatToolCall(
            JsonLines.Text(function, "name"),
            arguments.ValueKind == JsonValueKind.String ? arguments.GetString()! : arguments.GetRawText());
    }
}
