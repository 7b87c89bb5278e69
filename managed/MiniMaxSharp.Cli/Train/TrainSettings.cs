using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace MiniMaxSharp.Cli.Train;

/// <summary>
/// What all kinds of training are told: <c>model</c>, a folder with checkpoint and tokenizer; <c>output</c>, where the result goes;
/// <c>learning_rate</c>, <c>seed</c>, <c>device</c> by its name. What is left out has the value below; the properties have setters because
/// source-generated reading would lose the values of init-only ones.
/// </summary>
internal abstract record TrainSettings
{
    public required string Model { get; set; }

    public required string Output { get; set; }

    public float LearningRate { get; set; } = 1e-4f;

    public ulong Seed { get; set; }

    public string Device { get; set; } = "cpu";

    /// <summary>Throws on a setting that makes no sense; the message names it.</summary>
    public virtual void Validate() => ArgumentOutOfRangeException.ThrowIfNegativeOrZero(LearningRate, "learning_rate");

    /// <summary>All settings, those that were left out as well.</summary>
    public abstract JsonObject ToJson();

    /// <summary>Reads a file of settings.</summary>
    /// <exception cref="InvalidDataException">It is not one; names the file, and the line where there is one.</exception>
    protected static T Load<T>(string path, JsonTypeInfo<T> type)
        where T : TrainSettings
    {
        try
        {
            T settings = JsonSerializer.Deserialize(File.ReadAllText(path), type) ?? throw new JsonException("the file is empty");
            settings.Validate();
            return settings;
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path}, line {error.LineNumber + 1 ?? 1}: {Reason(error)}", error);
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{path}: {Reason(error)}", error);
        }
    }

    // The library's options have the names of the settings, in another spelling.
    private static string Reason(ArgumentException error) => error.ParamName is { } name && name.Any(char.IsUpper)
        ? error.Message.Replace(name, JsonNamingPolicy.SnakeCaseLower.ConvertName(name), StringComparison.Ordinal)
        : error.Message;

    // Without the place that the reader adds: it counts lines from 0.
    private static string Reason(JsonException error)
    {
        string reason = error.Message.Split(" Path: $")[0];
        return error.Path is { Length: > 2 } path && !reason.Contains(path[2..], StringComparison.Ordinal) ? $"'{path[2..]}': {reason}" : reason;
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    RespectNullableAnnotations = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(ReinforcementSettings))]
[JsonSerializable(typeof(SupervisedSettings))]
[JsonSerializable(typeof(PreferenceSettings))]
internal sealed partial class TrainJson : JsonSerializerContext;
