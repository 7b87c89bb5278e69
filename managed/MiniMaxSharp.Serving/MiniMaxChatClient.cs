using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.AI;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Tokenization;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;
using TemplateMessage = MiniMaxSharp.Tokenization.ChatMessage;

namespace MiniMaxSharp.Serving;

/// <summary>
/// A model of one's own behind the interface that .NET has for chat: streaming, reasoning, tools, usage. Thread-safe; leaving or
/// cancelling a stream frees its place in the engine at once.
/// </summary>
/// <remarks>
/// Beyond <see cref="ChatOptions"/>' own properties its <see cref="ChatOptions.AdditionalProperties"/> may hold <c>min_p</c>,
/// <c>repetition_penalty</c>, <c>thinking_budget</c> and <c>top_logprobs</c>. An update's raw representation is the
/// <see cref="GenerationUpdate"/> it comes from.
/// </remarks>
public sealed class MiniMaxChatClient : IChatClient
{
    private readonly ServedModel _model;
    private readonly bool _owns;
    private readonly ChatClientMetadata _metadata;

    /// <summary>A client of a model that others may use too.</summary>
    /// <param name="model">Outlives the client.</param>
    public MiniMaxChatClient(ServedModel model)
        : this(model, owns: false)
    {
    }

    private MiniMaxChatClient(ServedModel model, bool owns)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _owns = owns;
        _metadata = new ChatClientMetadata("minimax", defaultModelId: model.Id);
    }

    /// <summary>A client that has a checkpoint to itself, and frees it when disposed.</summary>
    /// <inheritdoc cref="ServedModel.Load"/>
    public static MiniMaxChatClient Load(
        string directory, ServingOptions? options = null, IProgress<float>? progress = null, CancellationToken cancellation = default) =>
        new(ServedModel.Load(directory, options, progress, cancellation), owns: true);

    /// <inheritdoc/>
    public Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        options ??= new ChatOptions();
        Conversation conversation = ChatMapping.Conversation(messages, options);
        int[] prompt = _model.Encode(conversation);
        GenerationOptions generation = _model.Fit(ChatMapping.Generation(options, _model.Options.Defaults), options.MaxOutputTokens, prompt.Length);
        var request = new GenerationRequest(prompt, options.Seed is { } seed ? unchecked((ulong)seed) : Answers.RandomSeed());
        string id = $"chatcmpl-{Guid.NewGuid():N}";
        int tokens = 0;
        bool called = false;
        await foreach (AnswerStep step in _model.Answer(conversation, request, generation, cancellationToken).ConfigureAwait(false))
        {
            tokens++;
            AIContent[] contents = [.. step.Deltas.Where(d => d.Kind != ChatDeltaKind.Reasoning || options.Reasoning?.Output != ReasoningOutput.None).Select(ChatMapping.Content)];
            called |= contents.Any(c => c is FunctionCallContent);
            if (step.Update.Finish is { } finish)
            {
                contents = [.. contents, new UsageContent(new UsageDetails { InputTokenCount = prompt.Length, OutputTokenCount = tokens, TotalTokenCount = prompt.Length + tokens })];
                yield return Update(contents, step.Update, called ? ChatFinishReason.ToolCalls : ChatMapping.Reason(finish));
            }
            else if (contents.Length > 0 || generation.TopLogProbabilities > 0)
            {
                yield return Update(contents, step.Update, null);
            }
        }

        ChatResponseUpdate Update(AIContent[] contents, GenerationUpdate raw, ChatFinishReason? reason) => new(ChatRole.Assistant, contents)
        {
            ResponseId = id,
            MessageId = id,
            ModelId = _model.Id,
            CreatedAt = DateTimeOffset.UtcNow,
            FinishReason = reason,
            RawRepresentation = raw,
        };
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(_model) ? _model
            : serviceType.IsInstanceOfType(_model.Engine) ? _model.Engine
            : null;
    }

    /// <summary>Frees the model if the client loaded it.</summary>
    public void Dispose()
    {
        if (_owns)
        {
            _model.Dispose();
        }
    }
}

/// <summary>Between Microsoft.Extensions.AI's types and ours.</summary>
internal static class ChatMapping
{
    /// <exception cref="NotSupportedException">A content, tool or format that the model has no way to take.</exception>
    public static Conversation Conversation(IEnumerable<ChatMessage> messages, ChatOptions options)
    {
        if (options.ResponseFormat is ChatResponseFormatJson)
        {
            throw new NotSupportedException("The answer's format cannot be forced to be JSON.");
        }

        var result = new List<TemplateMessage>();
        var callNames = new Dictionary<string, string>();
        if (!string.IsNullOrEmpty(options.Instructions))
        {
            result.Add(new TemplateMessage("system", options.Instructions));
        }

        foreach (ChatMessage message in messages)
        {
            foreach (FunctionCallContent call in message.Contents.OfType<FunctionCallContent>())
            {
                callNames[call.CallId] = call.Name;
            }

            result.Add(message.Role == ChatRole.Tool ? ToolResults(message, callNames) : Message(message));
        }

        return new Conversation(
            result,
            options.ToolMode is NoneChatToolMode ? [] : [.. (options.Tools ?? []).Select(Tool)],
            options is { Tools.Count: > 0, ToolMode: RequiredChatToolMode required } ? new ToolChoice(true, required.RequiredFunctionName) : new ToolChoice());
    }

    public static GenerationOptions Generation(ChatOptions options, GenerationOptions defaults)
    {
        AdditionalPropertiesDictionary more = options.AdditionalProperties ?? [];
        bool unthinking = options.Reasoning?.Effort == ReasoningEffort.None;
        return defaults with
        {
            Temperature = options.Temperature ?? defaults.Temperature,
            TopP = options.TopP ?? defaults.TopP,
            TopK = options.TopK ?? defaults.TopK,
            MinP = more.TryGetValue("min_p", out float minP) ? minP : defaults.MinP,
            RepetitionPenalty = more.TryGetValue("repetition_penalty", out float repetition) ? repetition : defaults.RepetitionPenalty,
            PresencePenalty = options.PresencePenalty ?? defaults.PresencePenalty,
            FrequencyPenalty = options.FrequencyPenalty ?? defaults.FrequencyPenalty,
            TopLogProbabilities = more.TryGetValue("top_logprobs", out int top) ? top : defaults.TopLogProbabilities,
            StopStrings = options.StopSequences is { } stop ? [.. stop] : defaults.StopStrings,
            ThinkingBudget = more.TryGetValue("thinking_budget", out int budget) ? new ThinkingBudget(budget)
                : unthinking ? new ThinkingBudget(0)
                : defaults.ThinkingBudget,
        };
    }

    public static AIContent Content(ChatDelta delta) => delta switch
    {
        { ToolCall: { } call } => FunctionCallContent.CreateFromParsedArguments(
            call.Arguments, $"call_{Guid.NewGuid():N}", call.Name, static json => JsonSerializer.Deserialize(json, Info<IDictionary<string, object?>>())),
        { Kind: ChatDeltaKind.Reasoning } => new TextReasoningContent(delta.Text),
        _ => new TextContent(delta.Text),
    };

    public static ChatFinishReason Reason(FinishReason reason) => reason switch
    {
        FinishReason.Stop => ChatFinishReason.Stop,
        FinishReason.Length => ChatFinishReason.Length,
        _ => new ChatFinishReason("repetition"),
    };

    private static TemplateMessage Message(ChatMessage message)
    {
        var calls = new List<ChatToolCall>();
        string text = "";
        foreach (AIContent content in message.Contents)
        {
            switch (content)
            {
                case TextContent part:
                    text += part.Text;
                    break;
                case FunctionCallContent call:
                    calls.Add(new ChatToolCall(call.Name, JsonSerializer.Serialize(call.Arguments ?? new Dictionary<string, object?>(), Info<IDictionary<string, object?>>())));
                    break;
                case TextReasoningContent or UsageContent:
                    // What was thought is not said again: the model was trained to see answers only.
                    break;
                default:
                    throw new NotSupportedException($"A message's content of type {content.GetType().Name} is not supported.");
            }
        }

        return message.Role == ChatRole.Assistant ? TemplateMessage.Assistant(text, calls) : new TemplateMessage(message.Role.Value, text);
    }

    private static TemplateMessage ToolResults(ChatMessage message, Dictionary<string, string> callNames) => new("tool",
    [
        .. message.Contents.OfType<FunctionResultContent>().Select(result => new ChatContent(ResultText(result))
        {
            Name = callNames.GetValueOrDefault(result.CallId)
                ?? throw new ArgumentException($"The result of the call '{result.CallId}' follows no such call."),
        }),
    ]);

    private static string ResultText(FunctionResultContent result) => result switch
    {
        { Exception: { } error } => $"Error: {error.Message}",
        { Result: null } => "",
        { Result: string text } => text,
        { Result: JsonElement { ValueKind: JsonValueKind.String } text } => text.GetString()!,
        { Result: var value } => JsonSerializer.Serialize(value, AIJsonUtilities.DefaultOptions.GetTypeInfo(value.GetType())),
    };

    private static JsonElement Tool(AITool tool) => tool is AIFunctionDeclaration function
        ? ToolJson.Declare(function.Name, function.Description, function.JsonSchema)
        : throw new NotSupportedException($"A tool of type {tool.GetType().Name} is not supported; functions are.");

    private static JsonTypeInfo<T> Info<T>() => (JsonTypeInfo<T>)AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(T));
}
