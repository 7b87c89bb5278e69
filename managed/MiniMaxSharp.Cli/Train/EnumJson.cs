using System.Text.Json;
using System.Text.Json.Serialization;

namespace MiniMaxSharp.Cli.Train;

/// <summary>A value of an enumeration by its name in snake case; the message of a wrong one has them all.</summary>
internal sealed class EnumJson<T> : JsonConverter<T>
    where T : struct, Enum
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        string? name = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
        foreach (T value in Enum.GetValues<T>())
        {
            if (Name(value) == name)
            {
                return value;
            }
        }

        throw new JsonException($"the value should be one of {string.Join(", ", Enum.GetValues<T>().Select(Name))}");
    }

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(Name(value));

    private static string Name(T value) => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}
