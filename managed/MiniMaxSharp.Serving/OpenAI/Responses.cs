using System.Text.Json.Serialization;

namespace MiniMaxSharp.Serving.OpenAI;

internal sealed record ErrorBody(ErrorDetail Error);

internal sealed record ErrorDetail(
    string Message,
    string Type,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Param,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Code);

internal sealed record ModelList(string Object, IReadOnlyList<ModelCard> Data);

internal sealed record ModelCard(string Id, string Object, long Created, string OwnedBy, long ContextLength);

internal sealed record Health(string Status, string Model, int Running, int Waiting);

internal sealed record Usage(int PromptTokens, int CompletionTokens)
{
    public int TotalTokens => PromptTokens + CompletionTokens;
}

/// <summary>A whole answer (object <c>chat.completion</c>), or a piece of one (<c>chat.completion.chunk</c>).</summary>
internal sealed record ChatCompletion(string Id, string Object, long Created, string Model, IReadOnlyList<ChatChoice> Choices, Usage? Usage = null);

/// <summary>One sample: <c>message</c> in a whole answer, <c>delta</c> in a piece.</summary>
internal sealed record ChatChoice(
    int Index,
    ResponseMessage? Message,
    ResponseMessage? Delta,
    ChatLogprobs? Logprobs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? FinishReason);

internal sealed record ResponseMessage(
    string? Role, [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Content, string? ReasoningContent, IReadOnlyList<ToolCall>? ToolCalls);

internal sealed record ToolCall(int? Index, string? Id, string? Type, FunctionCall? Function);

internal sealed record FunctionCall(string? Name, string? Arguments);

internal sealed record ChatLogprobs(IReadOnlyList<TokenLogprob> Content);

internal sealed record TokenLogprob(string Token, float Logprob, int[] Bytes, IReadOnlyList<TokenLogprob>? TopLogprobs);

/// <summary>A continued text, or a piece of one; both are of object <c>text_completion</c>.</summary>
internal sealed record Completion(string Id, string Object, long Created, string Model, IReadOnlyList<CompletionChoice> Choices, Usage? Usage = null);

internal sealed record CompletionChoice(
    int Index,
    string Text,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] CompletionLogprobs? Logprobs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? FinishReason);

internal sealed record CompletionLogprobs(
    IReadOnlyList<string> Tokens, IReadOnlyList<float> TokenLogprobs, IReadOnlyList<Dictionary<string, float>> TopLogprobs, IReadOnlyList<int> TextOffset);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ChatCompletionRequest))]
[JsonSerializable(typeof(CompletionRequest))]
[JsonSerializable(typeof(ContentPart))]
[JsonSerializable(typeof(ChatCompletion))]
[JsonSerializable(typeof(Completion))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(ErrorBody))]
[JsonSerializable(typeof(Health))]
internal sealed partial class ApiJson : JsonSerializerContext;
