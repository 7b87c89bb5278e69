using System.Text.Json;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks;

/// <summary>Fields of untrusted JSON; each failure is a <see cref="FormatException"/> that names the field.</summary>
internal static class JsonFields
{
    internal static string Text(this JsonObject data, string field) => AsText(Field(data, field), field);

    internal static int Number(this JsonObject data, string field, int low, int high) => AsNumber(Field(data, field), field, low, high);

    internal static JsonObject Object(this JsonObject data, string field) =>
        Field(data, field) as JsonObject ?? throw new FormatException($"Field '{field}' is not an object.");

    internal static string[] Texts(this JsonObject data, string field) => [.. Items(data, field).Select(item => AsText(item, field))];

    internal static int[] Numbers(this JsonObject data, string field, int low, int high) =>
        [.. Items(data, field).Select(item => AsNumber(item, field, low, high))];

    internal static JsonArray ToJsonArray(this IEnumerable<string> items) =>
        new([.. items.Select(item => (JsonNode)JsonValue.Create(item)!)]);

    internal static JsonArray ToJsonArray(this IEnumerable<int> items) =>
        new([.. items.Select(item => (JsonNode)JsonValue.Create(item))]);

    private static JsonArray Items(JsonObject data, string field) =>
        Field(data, field) as JsonArray ?? throw new FormatException($"Field '{field}' is not an array.");

    private static JsonNode Field(JsonObject data, string field) =>
        Lookup(data, field) ?? throw new FormatException($"Field '{field}' is missing.");

    private static JsonNode? Lookup(JsonObject data, string field)
    {
        try
        {
            return data[field];
        }
        catch (ArgumentException e)
        {
            // JsonObject finds duplicate keys only when it is first asked.
            throw new FormatException($"The object around field '{field}' holds a key twice.", e);
        }
    }

    private static string AsText(JsonNode? node, string field)
    {
        if (node is not JsonValue value || value.GetValueKind() != JsonValueKind.String)
            throw new FormatException($"Field '{field}' is not text.");
        try
        {
            return value.GetValue<string>();
        }
        catch (InvalidOperationException e)
        {
            throw new FormatException($"Field '{field}' is not valid Unicode.", e);
        }
    }

    private static int AsNumber(JsonNode? node, string field, int low, int high) =>
        node is JsonValue value && value.TryGetValue<int>(out var number) && number >= low && number <= high
            ? number
            : throw new FormatException($"Field '{field}' is not a whole number from {low} to {high}.");
}
