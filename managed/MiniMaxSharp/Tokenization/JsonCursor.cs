using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace MiniMaxSharp.Tokenization;

/// <summary>A place in a JSON file that knows its path, so that every complaint names the file and the path.</summary>
internal readonly struct JsonCursor
{
    private readonly string _file;
    private readonly string _path;

    private JsonCursor(JsonElement element, string file, string path) => (Element, _file, _path) = (element, file, path);

    public JsonElement Element { get; }

    public bool IsNull => Element.ValueKind == JsonValueKind.Null;

    public bool IsString => Element.ValueKind == JsonValueKind.String;

    public bool IsArray => Element.ValueKind == JsonValueKind.Array;

    /// <exception cref="InvalidDataException">The file is not JSON, or names a property twice.</exception>
    public static JsonCursor Read(string file)
    {
        using var stream = File.OpenRead(file);
        try
        {
            using var document = JsonDocument.Parse(stream, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return new JsonCursor(document.RootElement.Clone(), file, "$");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{file}: not valid JSON: {error.Message}", error);
        }
    }

    public JsonCursor Get(string name) =>
        TryGet(name, out var value) ? value : throw Error($"the property '{name}' is missing");

    /// <summary>The property's value; false when it is missing or null.</summary>
    public bool TryGet(string name, out JsonCursor value)
    {
        if (Element.ValueKind != JsonValueKind.Object)
        {
            throw Error($"expected an object, found {Describe()}");
        }

        var found = Element.TryGetProperty(name, out var element) && element.ValueKind != JsonValueKind.Null;
        value = found ? new JsonCursor(element, _file, $"{_path}.{name}") : default;
        return found;
    }

    public bool GetBool(string name, bool otherwise) => TryGet(name, out var value) ? value.Bool() : otherwise;

    public IEnumerable<JsonCursor> Items()
    {
        if (Element.ValueKind != JsonValueKind.Array)
        {
            throw Error($"expected an array, found {Describe()}");
        }

        var (file, path, element) = (_file, _path, Element);
        return element.EnumerateArray().Select((item, index) => new JsonCursor(item, file, $"{path}[{index}]"));
    }

    public IEnumerable<(string Name, JsonCursor Value)> Properties()
    {
        if (Element.ValueKind != JsonValueKind.Object)
        {
            throw Error($"expected an object, found {Describe()}");
        }

        foreach (var property in Element.EnumerateObject())
        {
            var name = Text(() => property.Name);
            yield return (name, new JsonCursor(property.Value, _file, $"{_path}['{name}']"));
        }
    }

    public string String()
    {
        var element = Element;
        return IsString ? Text(() => element.GetString()!) : throw Error($"expected a string, found {Describe()}");
    }

    public int Int() =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out var value)
            ? value
            : throw Error($"expected an integer of 32 bits, found {Describe()}");

    public bool Bool() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Error($"expected true or false, found {Describe()}"),
    };

    public InvalidDataException Error(string message, Exception? inner = null) => new($"{_file}: {_path}: {message}", inner);

    private string Describe()
    {
        var text = Element.GetRawText();
        return text.Length <= 40 ? text : $"{text[..40]}…";
    }

    /// <summary>Broken UTF-8 and unpaired surrogates come to light only when a string is read.</summary>
    private string Text(Func<string> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException error)
        {
            throw Error("the string is not valid Unicode", error);
        }
    }
}
