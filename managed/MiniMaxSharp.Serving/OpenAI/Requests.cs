using System.Text.Json;
using System.Text.Json.Serialization;

namespace MiniMaxSharp.Serving.OpenAI;

/// <summary>What chat and text completions have in common. Fields that are not here are ignored, as OpenAI's server does.</summary>
internal abstract record SamplingRequest
{
    public string? Model { get; init; }

    public float? Temperature { get; init; }

    public float? TopP { get; init; }

    public int? TopK { get; init; }

    public float? MinP { get; init; }

    public float? PresencePenalty { get; init; }

    public float? FrequencyPenalty { get; init; }

    public float? RepetitionPenalty { get; init; }

    public Dictionary<string, float>? LogitBias { get; init; }

    [JsonConverter(typeof(TextsConverter))]
    public IReadOnlyList<string>? Stop { get; init; }

    public long? Seed { get; init; }

    public int? MaxTokens { get; init; }

    public int? N { get; init; }

    public bool? Stream { get; init; }

    public StreamOptions? StreamOptions { get; init; }

    /// <summary>Tokens of thinking at most; an extension of ours.</summary>
    public int? ThinkingBudget { get; init; }
}

internal sealed record ChatCompletionRequest : SamplingRequest
{
    public IReadOnlyList<RequestMessage>? Messages { get; init; }

    public int? MaxCompletionTokens { get; init; }

    public bool? Logprobs { get; init; }

    public int? TopLogprobs { get; init; }

    public IReadOnlyList<ToolDefinition>? Tools { get; init; }

    [JsonConverter(typeof(ToolChoiceConverter))]
    public RequestedTool? ToolChoice { get; init; }

    public ResponseFormat? ResponseFormat { get; init; }
}

internal sealed record CompletionRequest : SamplingRequest
{
    [JsonConverter(typeof(PromptsConverter))]
    public IReadOnlyList<Prompt>? Prompt { get; init; }

    public int? Logprobs { get; init; }

    public bool? Echo { get; init; }

    public int? BestOf { get; init; }

    public string? Suffix { get; init; }
}

internal sealed record StreamOptions(bool? IncludeUsage);

internal sealed record ResponseFormat(string? Type);

internal sealed record RequestMessage(
    string? Role,
    [property: JsonConverter(typeof(ContentConverter))] string? Content,
    IReadOnlyList<ToolCall>? ToolCalls,
    string? ToolCallId);

internal sealed record ToolDefinition(string? Type, FunctionDefinition? Function);

internal sealed record FunctionDefinition(string? Name, string? Description, JsonElement? Parameters);

/// <summary><c>none</c>, <c>auto</c>, <c>required</c>, or <c>function</c> with the name of one.</summary>
internal sealed record RequestedTool(string Mode, string? Name = null);

/// <summary>A text, or the ids of one.</summary>
internal sealed record Prompt(string? Text, int[]? Ids);

/// <summary>A text, or an array of texts.</summary>
internal sealed class TextsConverter : JsonConverter<IReadOnlyList<string>>
{
    public override IReadOnlyList<string> Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return [reader.GetString()!];
        }

        var texts = new List<string>();
        Json.Expect(ref reader, JsonTokenType.StartArray, "a string or an array of strings");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            Json.Expect(ref reader, JsonTokenType.String, "a string or an array of strings");
            texts.Add(reader.GetString()!);
        }

        return texts;
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<string> value, JsonSerializerOptions options) => throw new NotSupportedException();
}

/// <summary>A message's content: a text, or parts of type text, which are joined.</summary>
internal sealed class ContentConverter : JsonConverter<string?>
{
    private const string Expected = "a string or an array of parts of type text";

    public override string? Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return reader.GetString();
        }

        Json.Expect(ref reader, JsonTokenType.StartArray, Expected);
        var text = new System.Text.StringBuilder();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            Json.Expect(ref reader, JsonTokenType.StartObject, Expected);
            ContentPart part = JsonSerializer.Deserialize(ref reader, ApiJson.Default.ContentPart)!;
            text.Append(part is { Type: "text", Text: { } more } ? more : throw new JsonException($"The content should be {Expected}, not of type '{part.Type}'."));
        }

        return text.ToString();
    }

    public override void Write(Utf8JsonWriter writer, string? value, JsonSerializerOptions options) => writer.WriteStringValue(value);
}

internal sealed record ContentPart(string? Type, string? Text);

internal sealed class ToolChoiceConverter : JsonConverter<RequestedTool>
{
    public override RequestedTool Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            string mode = reader.GetString()!;
            return mode is "none" or "auto" or "required" ? new RequestedTool(mode) : throw new JsonException($"The tool choice '{mode}' is none of none, auto and required.");
        }

        Json.Expect(ref reader, JsonTokenType.StartObject, "a string or an object");
        ToolDefinition tool = JsonSerializer.Deserialize(ref reader, ApiJson.Default.ToolDefinition)!;
        return tool is { Type: "function", Function.Name: { } name } ? new RequestedTool("function", name) : throw new JsonException("A tool choice names a function.");
    }

    public override void Write(Utf8JsonWriter writer, RequestedTool value, JsonSerializerOptions options) => throw new NotSupportedException();
}

/// <summary>A text, texts, ids, or lists of ids.</summary>
internal sealed class PromptsConverter : JsonConverter<IReadOnlyList<Prompt>>
{
    private const string Expected = "a string, an array of strings, of token ids, or of arrays of token ids";

    public override IReadOnlyList<Prompt> Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return [new Prompt(reader.GetString(), null)];
        }

        Json.Expect(ref reader, JsonTokenType.StartArray, Expected);
        var prompts = new List<Prompt>();
        var ids = new List<int>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.String when ids.Count == 0:
                    prompts.Add(new Prompt(reader.GetString(), null));
                    break;
                case JsonTokenType.StartArray when ids.Count == 0:
                    prompts.Add(new Prompt(null, Ids(ref reader)));
                    break;
                case JsonTokenType.Number when prompts.Count == 0:
                    ids.Add(reader.GetInt32());
                    break;
                default:
                    throw new JsonException($"The prompt should be {Expected}.");
            }
        }

        return ids.Count > 0 ? [new Prompt(null, [.. ids])] : prompts;
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<Prompt> value, JsonSerializerOptions options) => throw new NotSupportedException();

    private static int[] Ids(ref Utf8JsonReader reader)
    {
        var ids = new List<int>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            Json.Expect(ref reader, JsonTokenType.Number, Expected);
            ids.Add(reader.GetInt32());
        }

        return [.. ids];
    }
}

internal static class Json
{
    public static void Expect(ref Utf8JsonReader reader, JsonTokenType type, string expected)
    {
        if (reader.TokenType != type)
        {
            throw new JsonException($"The value should be {expected}.");
        }
    }
}
