using System.Text.Encodings.Web;
using System.Text.Json;

namespace MiniMaxSharp.Checkpoints;

/// <summary>Small JSON files beside a checkpoint: an object, no key twice.</summary>
internal static class JsonFile
{
    private const long MaxBytes = 100_000_000;

    /// <exception cref="CheckpointFormatException">The file is too large or not a JSON object.</exception>
    public static JsonElement ReadObject(string path)
    {
        long length = new FileInfo(path).Length;
        if (length > MaxBytes)
        {
            throw new CheckpointFormatException($"{path}: {length} bytes; more than {MaxBytes} are refused.");
        }

        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { AllowDuplicateProperties = false });
            RequireUnicode(json.RootElement);
            return json.RootElement.ValueKind == JsonValueKind.Object
                ? json.RootElement.Clone()
                : throw new CheckpointFormatException($"{path}: a JSON object was expected, not {json.RootElement.ValueKind}.");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new CheckpointFormatException($"{path}: not valid JSON: {error.Message}", error);
        }
    }

    /// <summary>Writes an object atomically, indented as Hugging Face's files are.</summary>
    public static void WriteObject(string path, Action<Utf8JsonWriter> write) => AtomicFile.Write(path, stream =>
    {
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            Indented = true,
            NewLine = "\n",
        });
        writer.WriteStartObject();
        write(writer);
        writer.WriteEndObject();
    });

    // Broken UTF-8 and unpaired surrogates come to light only when a string is decoded; InvalidOperationException is the answer then.
    private static void RequireUnicode(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                _ = element.GetString();
                break;
            case JsonValueKind.Array:
                foreach (JsonElement item in element.EnumerateArray())
                {
                    RequireUnicode(item);
                }

                break;
            case JsonValueKind.Object:
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    _ = property.Name;
                    RequireUnicode(property.Value);
                }

                break;
        }
    }
}
