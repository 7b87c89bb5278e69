using System.Text.Json;
using System.Text.Json.Serialization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>How hard puzzles are: a level from 1 to 10, or null for what the <see cref="DifficultyController"/> makes of it.</summary>
[JsonConverter(typeof(Json))]
internal readonly record struct Difficulty(int? Level)
{
    private const string Curriculum = "curriculum";

    internal sealed class Json : JsonConverter<Difficulty>
    {
        public override Difficulty Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
        {
            JsonTokenType.Number when reader.TryGetInt32(out int level) && level is >= 1 and <= 10 => new Difficulty(level),
            JsonTokenType.String when reader.ValueTextEquals(Curriculum) => new Difficulty(null),
            _ => throw new JsonException($"the value should be a number from 1 to 10 or \"{Curriculum}\""),
        };

        public override void Write(Utf8JsonWriter writer, Difficulty value, JsonSerializerOptions options)
        {
            if (value.Level is { } level)
            {
                writer.WriteNumberValue(level);
            }
            else
            {
                writer.WriteStringValue(Curriculum);
            }
        }
    }
}
