using System.Text;
using System.Text.Json;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Cli;

/// <summary>Files with a JSON object on each line. Broken UTF-8 in them becomes U+FFFD; empty lines are passed over.</summary>
internal static class JsonLines
{
    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 1000 };

    /// <summary>Writes what becomes of each line; the output appears when all are done, or not at all.</summary>
    /// <exception cref="InvalidDataException">A line is not JSON or not what it should be; names the file and the line.</exception>
    public static void Convert(string input, string output, Func<JsonElement, string> convert) => AtomicFile.Write(output, stream =>
    {
        using var writer = new StreamWriter(stream, bufferSize: 1 << 16, leaveOpen: true) { NewLine = "\n" };
        var number = 0;
        foreach (string line in Read(input))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            try
            {
                using JsonDocument document = JsonDocument.Parse(line, s_options);
                writer.WriteLine(convert(document.RootElement));
            }
            catch (Exception error) when (error is JsonException or ArgumentException or InvalidOperationException or InvalidDataException)
            {
                throw new InvalidDataException($"{input}, line {number}: {error.Message}", error);
            }
        }
    });

    /// <summary>A property that must be there.</summary>
    public static JsonElement Get(JsonElement line, string name) =>
        TryGet(line, name) ?? throw new InvalidDataException($"the property '{name}' is missing");

    /// <summary>A property, the last of its name; null where it is missing or null.</summary>
    public static JsonElement? TryGet(JsonElement line, string name)
    {
        if (line.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidDataException($"expected an object, found {line.ValueKind}");
        }

        // JsonElement's own search stumbles over other names that are not valid Unicode.
        JsonElement value = line.EnumerateObject().LastOrDefault(property => JsonText.NameOf(property) == name).Value;
        return value.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null ? null : value;
    }

    public static JsonElement Expect(this JsonElement element, JsonValueKind kind, string name) =>
        element.ValueKind == kind ? element : throw new InvalidDataException($"'{name}' must be of kind {kind}, not {element.ValueKind}");

    /// <summary>Only a line feed ends a line: a carriage return alone is white space of JSON.</summary>
    private static IEnumerable<string> Read(string path)
    {
        using var reader = new StreamReader(path, Encoding.UTF8);
        var line = new StringBuilder();
        var buffer = new char[1 << 16];
        for (int count; (count = reader.Read(buffer)) > 0;)
        {
            int start = 0;
            for (int length; (length = buffer.AsSpan(start, count - start).IndexOf('\n')) >= 0; start += length + 1)
            {
                yield return line.Append(buffer, start, length).ToString();
                line.Clear();
            }

            line.Append(buffer, start, count - start);
        }

        yield return line.ToString();
    }
}
