using System.Buffers;
using System.Text.Json;

namespace MiniMaxSharp.Serving;

/// <summary>A tool as M1's prompts describe it: name, description and the schema of its arguments.</summary>
internal static class ToolJson
{
    public static JsonElement Declare(string name, string? description, JsonElement? parameters)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("name", name);
            if (!string.IsNullOrEmpty(description))
            {
                writer.WriteString("description", description);
            }

            if (parameters is { ValueKind: JsonValueKind.Object } schema)
            {
                writer.WritePropertyName("parameters");
                schema.WriteTo(writer);
            }

            writer.WriteEndObject();
        }

        using var document = JsonDocument.Parse(buffer.WrittenMemory);
        return document.RootElement.Clone();
    }
}
