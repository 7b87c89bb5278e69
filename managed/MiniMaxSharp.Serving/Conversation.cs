using System.Security.Cryptography;
using System.Text.Json;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Serving;

/// <summary>How far a model is free to call tools.</summary>
/// <param name="Required">It has to call one.</param>
/// <param name="Name">It has to call this one.</param>
internal sealed record ToolChoice(bool Required = false, string? Name = null);

/// <summary>A conversation that is to go on, whatever interface it came through.</summary>
internal sealed record Conversation(IReadOnlyList<ChatMessage> Messages, IReadOnlyList<JsonElement> Tools, ToolChoice Choice)
{
    /// <summary>
    /// What is put into the model's mouth: an answer that has begun to call a tool goes on to call it. It ends where a token of the
    /// model's own would: the space after a colon belongs to what follows.
    /// </summary>
    public string Beginning => Choice switch
    {
        { Name: { } name } => $"<tool_calls>\n{{\"name\": \"{JsonEncodedText.Encode(name)}\", \"arguments\":",
        { Required: true } => "<tool_calls>\n{\"name\":",
        _ => "",
    };
}

/// <summary>A new token, and what it completes of the answer.</summary>
internal readonly record struct AnswerStep(GenerationUpdate Update, IReadOnlyList<ChatDelta> Deltas);

/// <summary>Answers to conversations and continuations of texts: the one path from every interface to the engine.</summary>
internal static class Answers
{
    /// <summary>The tokens of a conversation.</summary>
    /// <exception cref="ArgumentException">The template cannot write it.</exception>
    public static int[] Encode(this ServedModel model, Conversation conversation) => model.Tokenizer.Encode(
        model.Template.Render(conversation.Messages, conversation.Tools, addGenerationPrompt: true) + conversation.Beginning);

    /// <summary>Options with a number of new tokens that fits, where the caller names none.</summary>
    public static GenerationOptions Fit(this ServedModel model, GenerationOptions options, int? maxTokens, int promptLength, int samples = 1)
    {
        // Memory is given out in pages, so a few tokens of it are lost at the end.
        long room = Math.Min(model.Context - promptLength, (model.Options.Engine.CacheTokens - promptLength) / samples - 64);
        return options with
        {
            StopTokens = [.. options.StopTokens.Union(model.StopTokens)],
            MaxNewTokens = maxTokens ?? (int)Math.Clamp(room, 1, model.Options.Defaults.MaxNewTokens),
        };
    }

    /// <summary>A seed that nobody can foresee.</summary>
    public static ulong RandomSeed() => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));

    /// <summary>The answer, taken apart into reasoning, text and calls of tools.</summary>
    /// <exception cref="ArgumentException">The request can never run; thrown by the call itself.</exception>
    public static IAsyncEnumerable<AnswerStep> Answer(
        this ServedModel model, Conversation conversation, GenerationRequest request, GenerationOptions options, CancellationToken cancellation)
    {
        var parsers = new ChatStreamParser[request.Samples];
        for (int i = 0; i < parsers.Length; i++)
        {
            parsers[i] = new ChatStreamParser();
            parsers[i].Append(conversation.Beginning);
        }

        return model.Generate("chat", request, options, Parse, cancellation);

        IReadOnlyList<ChatDelta> Parse(GenerationUpdate update)
        {
            ChatStreamParser parser = parsers[update.Sample];
            IReadOnlyList<ChatDelta> deltas = parser.Append(update.Text);
            deltas = update.Finish is null ? deltas : [.. deltas, .. parser.Flush()];
            return conversation.Tools.Count > 0 ? deltas : [.. deltas.Select(Uncalled)];
        }
    }

    /// <summary>The text that follows a prompt.</summary>
    /// <exception cref="ArgumentException">The request can never run; thrown by the call itself.</exception>
    public static IAsyncEnumerable<AnswerStep> Continue(
        this ServedModel model, GenerationRequest request, GenerationOptions options, CancellationToken cancellation) =>
        model.Generate("text_completion", request, options, update => update.Text.Length > 0 ? [new(ChatDeltaKind.Text, update.Text)] : [], cancellation);

    private static IAsyncEnumerable<AnswerStep> Generate(
        this ServedModel model, string operation, GenerationRequest request, GenerationOptions options,
        Func<GenerationUpdate, IReadOnlyList<ChatDelta>> parse, CancellationToken cancellation)
    {
        return Measure(model.Engine.GenerateAsync(request, options, cancellation));

        async IAsyncEnumerable<AnswerStep> Measure(IAsyncEnumerable<GenerationUpdate> updates)
        {
            using Telemetry.Operation measured = model.Telemetry.Start(operation, request, options);
            await using IAsyncEnumerator<GenerationUpdate> each = updates.GetAsyncEnumerator(CancellationToken.None);
            while (await Next().ConfigureAwait(false))
            {
                measured.Token(each.Current);
                yield return new AnswerStep(each.Current, parse(each.Current));
            }

            measured.Complete();

            async Task<bool> Next()
            {
                try
                {
                    return await each.MoveNextAsync().ConfigureAwait(false);
                }
                catch (Exception error)
                {
                    measured.Fail(error);
                    throw;
                }
            }
        }
    }

    // Nobody who offered no tool can make anything of a call: to them it is what the model wrote.
    private static ChatDelta Uncalled(ChatDelta delta) => delta.ToolCall is { } call
        ? new ChatDelta(ChatDeltaKind.Text, ChatMessage.Assistant("", [call]).Content[0].Text!)
        : delta;
}
