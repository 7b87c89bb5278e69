using System.Text.Json;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Cli;

/// <summary>
/// minimax render. A message's content is a text or a list of parts; a tool's text takes its <c>name</c> from the message.
/// What the template has no place for, such as <c>tool_calls</c>, is passed over, as the template does.
/// </summary>
internal static class RenderCommand
{
    public static int Run(string directory, string input, string output)
    {
        ChatTemplate template = ChatTemplate.Load(directory);
        JsonLines.Convert(input, output, line =>
        {
            List<ChatMessage> messages = [.. JsonLines.Get(line, "messages").Expect(JsonValueKind.Array, "messages").EnumerateArray().Select(Message)];
            JsonElement[]? tools = JsonLines.TryGet(line, "tools") is { } list ? [.. list.Expect(JsonValueKind.Array, "tools").EnumerateArray()] : null;
            return $"{{\"rendered\":{JsonText.Quote(template.Render(messages, tools, Flag(line, "add_generation_prompt")))}}}";
        });
        return 0;
    }

    private static ChatMessage Message(JsonElement message) =>
        new(JsonText.Of(JsonLines.Get(message, "role").Expect(JsonValueKind.String, "role")), JsonLines.TryGet(message, "content") switch
        {
            null => [],
            { ValueKind: JsonValueKind.String } text => [new ChatContent(JsonText.Of(text)) { Name = Text(message, "name") }],
            { } parts => [.. parts.Expect(JsonValueKind.Array, "content").EnumerateArray().Select(Part)],
        });

    private static ChatContent Part(JsonElement part) =>
        new(Text(part, "text")) { Type = Text(part, "type") ?? "", Name = Text(part, "name") };

    private static string? Text(JsonElement element, string name) =>
        JsonLines.TryGet(element, name) is { } text ? JsonText.Of(text.Expect(JsonValueKind.String, name)) : null;

    private static bool Flag(JsonElement line, string name) => JsonLines.TryGet(line, name) switch
    {
        null or { ValueKind: JsonValueKind.False } => false,
        { ValueKind: JsonValueKind.True } => true,
        { } other => throw new InvalidDataException($"'{name}' must be true or false, not {other.ValueKind}"),
    };
}
