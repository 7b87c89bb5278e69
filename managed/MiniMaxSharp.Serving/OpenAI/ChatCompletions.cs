using System.Text;
using Microsoft.AspNetCore.Http;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Serving.OpenAI;

/// <summary>POST /v1/chat/completions.</summary>
internal static class ChatCompletions
{
    public static async Task HandleAsync(ServedModel model, HttpContext context, CancellationToken cancellation)
    {
        ChatCompletionRequest request = await Wire.ReadAsync(context, ApiJson.Default.ChatCompletionRequest, cancellation).ConfigureAwait(false);
        Wire.CheckModel(model, request.Model);
        Conversation conversation = Conversation(request);
        int[] prompt = Encode(model, conversation);
        bool logprobs = request.Logprobs == true;
        if (request.TopLogprobs is not null && !logprobs)
        {
            throw ApiException.BadRequest("top_logprobs needs logprobs to be true.", "top_logprobs");
        }

        (GenerationRequest generation, GenerationOptions options) = Sampling.Fit(
            model, request, Sampling.Options(model, request) with { TopLogProbabilities = request.TopLogprobs ?? 0 },
            request.MaxCompletionTokens ?? request.MaxTokens, prompt, Sampling.Seed(request));
        IAsyncEnumerable<AnswerStep> steps = model.Answer(conversation, generation, options, cancellation);
        var answer = new Answer(model, options, logprobs);
        await (request.Stream == true
            ? StreamAsync(context, answer, steps, generation, request.StreamOptions?.IncludeUsage == true, cancellation)
            : WholeAsync(context, answer, steps, generation, cancellation)).ConfigureAwait(false);
    }

    private static async Task WholeAsync(
        HttpContext context, Answer answer, IAsyncEnumerable<AnswerStep> steps, GenerationRequest request, CancellationToken cancellation)
    {
        Sample[] samples = [.. Enumerable.Range(0, request.Samples).Select(_ => new Sample())];
        int tokens = 0;
        await foreach (AnswerStep step in steps.ConfigureAwait(false))
        {
            tokens++;
            samples[step.Update.Sample].Add(step, answer.Logprob(step.Update));
        }

        ChatCompletion completion = answer.Envelope(
            "chat.completion", [.. samples.Select((s, i) => s.Choice(i, answer.HasLogprobs))], new Usage(request.Prompt.Length, tokens));
        await Wire.WriteAsync(context, 200, completion, ApiJson.Default.ChatCompletion, cancellation).ConfigureAwait(false);
    }

    private static async Task StreamAsync(
        HttpContext context, Answer answer, IAsyncEnumerable<AnswerStep> steps, GenerationRequest request, bool usage, CancellationToken cancellation)
    {
        EventStream stream = EventStream.Start(context);
        var calls = new int[request.Samples];
        int tokens = 0;
        for (int i = 0; i < request.Samples; i++)
        {
            await SendAsync(Piece(i, new ResponseMessage("assistant", "", null, null))).ConfigureAwait(false);
        }

        await foreach (AnswerStep step in steps.ConfigureAwait(false))
        {
            tokens++;
            int sample = step.Update.Sample;
            TokenLogprob? logprob = answer.Logprob(step.Update);
            foreach (ChatDelta delta in step.Deltas)
            {
                await SendAsync(Piece(sample, Message(delta, ref calls[sample]), logprob)).ConfigureAwait(false);
                logprob = null;
            }

            // A token whose text is held back still has its log-probability.
            if (logprob is not null)
            {
                await SendAsync(Piece(sample, new ResponseMessage(null, "", null, null), logprob)).ConfigureAwait(false);
            }

            if (step.Update.Finish is { } finish)
            {
                await SendAsync(Piece(sample, new ResponseMessage(null, null, null, null), null, Sampling.Reason(finish, calls[sample] > 0))).ConfigureAwait(false);
            }
        }

        if (usage)
        {
            await SendAsync(answer.Envelope("chat.completion.chunk", [], new Usage(request.Prompt.Length, tokens))).ConfigureAwait(false);
        }

        await stream.DoneAsync(cancellation).ConfigureAwait(false);

        ValueTask SendAsync(ChatCompletion chunk) => stream.SendAsync(chunk, ApiJson.Default.ChatCompletion, cancellation);

        ChatCompletion Piece(int index, ResponseMessage delta, TokenLogprob? logprob = null, string? finish = null) => answer.Envelope(
            "chat.completion.chunk", [new ChatChoice(index, null, delta, logprob is null ? null : new ChatLogprobs([logprob]), finish)]);
    }

    private static ResponseMessage Message(ChatDelta delta, ref int calls) => delta switch
    {
        { ToolCall: { } call } => new ResponseMessage(null, null, null, [Call(call, calls++)]),
        { Kind: ChatDeltaKind.Reasoning } => new ResponseMessage(null, null, delta.Text, null),
        _ => new ResponseMessage(null, delta.Text, null, null),
    };

    private static ToolCall Call(ChatToolCall call, int? index) => new(index, $"call_{Guid.NewGuid():N}", "function", new FunctionCall(call.Name, call.Arguments));

    private static int[] Encode(ServedModel model, Conversation conversation)
    {
        try
        {
            return model.Encode(conversation);
        }
        catch (ArgumentException error)
        {
            throw ApiException.BadRequest(Sampling.Plain(error), "messages");
        }
    }

    private static Conversation Conversation(ChatCompletionRequest request)
    {
        if (request.Messages is not { Count: > 0 } messages)
        {
            throw ApiException.BadRequest("messages should hold at least one message.", "messages");
        }

        if (request.ResponseFormat is { Type: not "text" } format)
        {
            throw ApiException.BadRequest($"The response format '{format.Type}' is not supported; text is.", "response_format");
        }

        RequestedTool choice = request.ToolChoice ?? new RequestedTool("auto");
        var tools = (request.Tools ?? []).Select((tool, i) => tool is { Type: "function", Function.Name: { Length: > 0 } }
            ? tool.Function
            : throw ApiException.BadRequest("A tool should be of type function and have a name.", $"tools[{i}]")).ToList();
        if (choice.Mode is "required" or "function" && !tools.Any(t => choice.Name is null || t.Name == choice.Name))
        {
            throw ApiException.BadRequest("tool_choice asks for a tool that is not among the tools.", "tool_choice");
        }

        return new Conversation(
            Messages(messages),
            choice.Mode == "none" ? [] : [.. tools.Select(t => ToolJson.Declare(t.Name!, t.Description, t.Parameters))],
            new ToolChoice(choice.Mode is "required" or "function", choice.Name));
    }

    private static List<ChatMessage> Messages(IReadOnlyList<RequestMessage> messages)
    {
        var result = new List<ChatMessage>();
        var calls = new Dictionary<string, string>();
        for (int i = 0; i < messages.Count; i++)
        {
            RequestMessage message = messages[i] ?? throw ApiException.BadRequest("A message is null.", $"messages[{i}]");
            switch (message.Role)
            {
                case "system" or "developer":
                    result.Add(new ChatMessage("system", Required(message.Content, i)));
                    break;
                case "user":
                    result.Add(new ChatMessage("user", Required(message.Content, i)));
                    break;
                case "assistant":
                    foreach (ToolCall call in message.ToolCalls ?? [])
                    {
                        calls[call.Id ?? ""] = call.Function?.Name ?? "";
                    }

                    result.Add(Assistant(message, i));
                    break;
                case "tool":
                    AddResult(result, message, calls, i);
                    break;
                default:
                    throw ApiException.BadRequest($"The role '{message.Role}' is none of system, developer, user, assistant and tool.", $"messages[{i}].role");
            }
        }

        return result;
    }

    private static string Required(string? content, int index) =>
        content ?? throw ApiException.BadRequest("The message has no content.", $"messages[{index}].content");

    private static ChatMessage Assistant(RequestMessage message, int index)
    {
        try
        {
            return ChatMessage.Assistant(
                message.Content ?? "", [.. (message.ToolCalls ?? []).Select(c => new ChatToolCall(c.Function?.Name ?? "", c.Function?.Arguments is { Length: > 0 } a ? a : "{}"))]);
        }
        catch (ArgumentException error)
        {
            throw ApiException.BadRequest(Sampling.Plain(error), $"messages[{index}].tool_calls");
        }
    }

    // Results that follow each other are one turn in M1's format.
    private static void AddResult(List<ChatMessage> messages, RequestMessage message, Dictionary<string, string> calls, int index)
    {
        if (message.ToolCallId is null || !calls.TryGetValue(message.ToolCallId, out string? name))
        {
            throw ApiException.BadRequest($"The result of the call '{message.ToolCallId}' follows no such call.", $"messages[{index}].tool_call_id");
        }

        var part = new ChatContent(Required(message.Content, index)) { Name = name };
        if (messages[^1].Role == "tool")
        {
            messages[^1] = messages[^1] with { Content = [.. messages[^1].Content, part] };
        }
        else
        {
            messages.Add(new ChatMessage("tool", [part]));
        }
    }

    /// <summary>What the pieces of one answer have in common.</summary>
    private sealed class Answer(ServedModel model, GenerationOptions options, bool logprobs)
    {
        private readonly string _id = $"chatcmpl-{Guid.NewGuid():N}";
        private readonly long _created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

        public bool HasLogprobs => logprobs;

        public ChatCompletion Envelope(string kind, IReadOnlyList<ChatChoice> choices, Usage? usage = null) => new(_id, kind, _created, model.Id, choices, usage);

        // The token that ends a turn is no part of the answer.
        public TokenLogprob? Logprob(GenerationUpdate update) => logprobs && !(update.Finish == FinishReason.Stop && options.StopTokens.Contains(update.Token))
            ? Of(update.Token, update.LogProbability) with { TopLogprobs = [.. update.Top.Select(t => Of(t.Token, t.LogProbability))] }
            : null;

        private TokenLogprob Of(int token, float logprob) => new(
            Wire.TokenText(model, token), logprob, [.. Wire.TokenBytes(model, token).ToArray().Select(b => (int)b)], null);
    }

    /// <summary>One sample of a whole answer as it grows.</summary>
    private sealed class Sample
    {
        private readonly StringBuilder _reasoning = new();
        private readonly StringBuilder _text = new();
        private readonly List<ToolCall> _calls = [];
        private readonly List<TokenLogprob> _logprobs = [];
        private FinishReason? _finish;

        public void Add(AnswerStep step, TokenLogprob? logprob)
        {
            foreach (ChatDelta delta in step.Deltas)
            {
                if (delta.ToolCall is { } call)
                {
                    _calls.Add(Call(call, null));
                }
                else
                {
                    (delta.Kind == ChatDeltaKind.Reasoning ? _reasoning : _text).Append(delta.Text);
                }
            }

            if (logprob is not null)
            {
                _logprobs.Add(logprob);
            }

            _finish = step.Update.Finish;
        }

        public ChatChoice Choice(int index, bool logprobs) => new(
            index,
            new ResponseMessage(
                "assistant",
                _text.Length == 0 && _calls.Count > 0 ? null : _text.ToString(),
                _reasoning.Length > 0 ? _reasoning.ToString() : null,
                _calls.Count > 0 ? _calls : null),
            null,
            logprobs ? new ChatLogprobs(_logprobs) : null,
            Sampling.Reason(_finish!.Value, _calls.Count > 0));
    }
}
