using System.Text;
using System.Text.Json;

namespace MiniMaxSharp.Training;

/// <summary>Files with a JSON object on each line; every complaint names the file and the line.</summary>
internal static class JsonLines
{
    private static readonly JsonDocumentOptions s_options = new() { AllowDuplicateProperties = false, MaxDepth = 1000 };

    /// <summary>What the function makes of each line; it is told where the line stands.</summary>
    /// <exception cref="InvalidDataException">A line is empty, not JSON or not what the function expects, or there is none.</exception>
    public static IReadOnlyList<T> Read<T>(string path, Func<JsonElement, string, T> convert)
    {
        // A character a byte, so that the JSON reader itself sees, and refuses, bytes that are not UTF-8.
        using var reader = new StreamReader(path, Encoding.Latin1, detectEncodingFromByteOrderMarks: false);
        var items = new List<T>();
        for (int number = 1; reader.ReadLine() is { } line; number++)
        {
            string source = $"{path}, line {number}";
            try
            {
                using JsonDocument document = JsonDocument.Parse(Bytes(line, number), s_options);
                items.Add(convert(document.RootElement, source));
            }
            catch (JsonException error)
            {
                // The reader's own place counts lines from 0 and knows one line only.
                throw new InvalidDataException($"{source}: {error.Message.Split(" LineNumber:")[0]}", error);
            }
            catch (Exception error) when (error is ArgumentException or InvalidOperationException or NotSupportedException)
            {
                throw new InvalidDataException($"{source}: {error.Message}", error);
            }
        }

        return items.Count > 0 ? items : throw new InvalidDataException($"{path} has no lines.");
    }

    /// <summary>Refuses properties of other names, unless they are null.</summary>
    public static void Allow(JsonElement item, params ReadOnlySpan<string> names)
    {
        foreach (JsonProperty property in Expect(item, JsonValueKind.Object, "a line or message").EnumerateObject())
        {
            if (!names.Contains(property.Name) && property.Value.ValueKind != JsonValueKind.Null)
            {
                throw new ArgumentException($"the property '{property.Name}' is not known here; {string.Join(", ", names.ToArray())} are");
            }
        }
    }

    /// <summary>A property; null where it is missing or null.</summary>
    public static JsonElement? TryGet(JsonElement item, string name) =>
        item.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public static string Text(JsonElement item, string name) =>
        TryText(item, name) ?? throw new ArgumentException($"'{name}' is missing");

    public static string? TryText(JsonElement item, string name) =>
        TryGet(item, name) is { } text ? Expect(text, JsonValueKind.String, $"'{name}'").GetString() : null;

    public static JsonElement Expect(JsonElement item, JsonValueKind kind, string name) =>
        item.ValueKind == kind ? item : throw new ArgumentException($"{name} must be of kind {kind}, not {item.ValueKind}");

    private static ReadOnlyMemory<byte> Bytes(string line, int number)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(line);
        return number == 1 && bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? bytes.AsMemory(Encoding.UTF8.Preamble.Length) : bytes;
    }
}
