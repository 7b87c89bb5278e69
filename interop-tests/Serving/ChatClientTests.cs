using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Serving;

namespace MiniMaxSharp.Tests.Serving;

/// <summary>The interface that .NET has for chat, on a model that gives known answers.</summary>
[Collection(ServingCollection.Name)]
public sealed class ChatClientTests(TaughtModel taught)
{
    private static readonly ChatOptions s_greedy = new() { Temperature = 0 };

    [Fact]
    public async Task An_answer_has_reasoning_text_usage_and_a_reason()
    {
        await using ServedModel model = taught.Load();
        using var client = new MiniMaxChatClient(model);
        ChatResponse response = await client.GetResponseAsync(TaughtModel.Riddle, s_greedy);
        Assert.Equal(TaughtModel.Animal, response.Text);
        AIContent[] contents = [.. response.Messages.Single().Contents];
        Assert.Equal(TaughtModel.Thoughts, Assert.IsType<TextReasoningContent>(contents[0]).Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        Assert.Equal(TaughtModel.Name, response.ModelId);
        Assert.Equal(response.Usage!.InputTokenCount + response.Usage.OutputTokenCount, response.Usage.TotalTokenCount);
        Assert.True(response.Usage.OutputTokenCount > 5);
    }

    [Fact]
    public async Task A_stream_comes_in_pieces()
    {
        await using ServedModel model = taught.Load();
        using var client = new MiniMaxChatClient(model);
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(TaughtModel.Count, s_greedy))
        {
            updates.Add(update);
        }

        Assert.True(updates.Count > 5);
        Assert.Equal(TaughtModel.Numbers, string.Concat(updates.Select(u => u.Text)));
        Assert.Single(updates.Select(u => u.ResponseId).Distinct());
        Assert.Equal(ChatFinishReason.Stop, updates[^1].FinishReason);
        Assert.IsType<GenerationUpdate>(updates[0].RawRepresentation);
    }

    [Fact]
    public async Task Tools_are_called_and_their_results_answered()
    {
        await using ServedModel model = taught.Load();
        using var client = new MiniMaxChatClient(model);
        var options = new ChatOptions { Temperature = 0, Tools = [new Declared()] };
        List<ChatMessage> messages = [new(ChatRole.User, TaughtModel.Sum)];
        ChatResponse response = await client.GetResponseAsync(messages, options);
        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
        FunctionCallContent call = Assert.Single(response.Messages.Single().Contents.OfType<FunctionCallContent>());
        Assert.Equal("add", call.Name);
        Assert.Equal([2, 3], new[] { "a", "b" }.Select(n => ((JsonElement)call.Arguments![n]!).GetInt32()));
        messages.AddRange(response.Messages);
        messages.Add(new ChatMessage(ChatRole.Tool, [new FunctionResultContent(call.CallId, 5)]));
        Assert.Equal(TaughtModel.SumAnswer, (await client.GetResponseAsync(messages, options)).Text);

        options.ToolMode = ChatToolMode.None;
        Assert.DoesNotContain((await client.GetResponseAsync(TaughtModel.Sum, options)).Messages.Single().Contents, c => c is FunctionCallContent);
        options.ToolMode = ChatToolMode.RequireSpecific("add");
        Assert.Contains((await client.GetResponseAsync(TaughtModel.Sum, options)).Messages.Single().Contents, c => c is FunctionCallContent);
    }

    [Fact]
    public async Task Options_have_their_effect()
    {
        await using ServedModel model = taught.Load();
        using var client = new MiniMaxChatClient(model);
        ChatResponse stopped = await client.GetResponseAsync(TaughtModel.Count, new ChatOptions { Temperature = 0, StopSequences = [" four"] });
        Assert.Equal("one two three", stopped.Text);
        ChatResponse cut = await client.GetResponseAsync(TaughtModel.Count, new ChatOptions { Temperature = 0, MaxOutputTokens = 3 });
        Assert.Equal((ChatFinishReason.Length, 3), (cut.FinishReason!.Value, (int)cut.Usage!.OutputTokenCount!));
        ChatResponse penalised = await client.GetResponseAsync(TaughtModel.Count, new ChatOptions { Temperature = 0, PresencePenalty = 100, MaxOutputTokens = 8 });
        Assert.DoesNotContain("four four", penalised.Text, StringComparison.Ordinal);
        ChatResponse greedy = await client.GetResponseAsync(TaughtModel.Count, new ChatOptions { Temperature = 2, TopK = 1 });
        Assert.Equal(TaughtModel.Numbers, greedy.Text);
        var wild = new ChatOptions { Temperature = 2, TopP = 1, Seed = 3, MaxOutputTokens = 20 };
        string one = (await client.GetResponseAsync("anything", wild)).Text;
        Assert.Equal(one, (await client.GetResponseAsync("anything", wild)).Text);
        wild.Seed = 4;
        Assert.NotEqual(one, (await client.GetResponseAsync("anything", wild)).Text);
        ChatResponse likely = await client.GetResponseAsync("anything", new ChatOptions { Temperature = 2, AdditionalProperties = new() { ["min_p"] = 1f }, MaxOutputTokens = 10 });
        Assert.Equal((await client.GetResponseAsync("anything", new ChatOptions { Temperature = 0, MaxOutputTokens = 10 })).Text, likely.Text);
        ChatResponse quick = await client.GetResponseAsync(
            TaughtModel.Riddle, new ChatOptions { Temperature = 0, AdditionalProperties = new() { ["thinking_budget"] = 2 }, MaxOutputTokens = 40 });
        Assert.True(quick.Messages.Single().Contents.OfType<TextReasoningContent>().Single().Text.Length < TaughtModel.Thoughts.Length);
        ChatResponse silent = await client.GetResponseAsync(TaughtModel.Riddle, new ChatOptions { Temperature = 0, Reasoning = new() { Output = ReasoningOutput.None } });
        Assert.DoesNotContain(silent.Messages.Single().Contents, c => c is TextReasoningContent);
    }

    [Fact]
    public async Task Cancelling_or_leaving_a_stream_frees_its_slot()
    {
        await using ServedModel model = taught.Load(new ServingOptions { Defaults = new GenerationOptions { LogitProcessors = [new Endless(taught.WordId)], MaxNewTokens = 30000 } });
        using var client = new MiniMaxChatClient(model);
        using var cancellation = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("x", cancellationToken: cancellation.Token))
            {
                await cancellation.CancelAsync();
            }
        });
        await IdleAsync(model);
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("x"))
        {
            Assert.Equal(1, model.Engine.Status.Running);
            break;
        }

        await IdleAsync(model);
    }

    [Fact]
    public async Task What_cannot_be_done_is_refused()
    {
        await using ServedModel model = taught.Load();
        using var client = new MiniMaxChatClient(model);
        await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync("x", new ChatOptions { ResponseFormat = ChatResponseFormat.Json }));
        await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync("x", new ChatOptions { Tools = [new HostedWebSearchTool()] }));
        await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync([new ChatMessage(ChatRole.User, [new DataContent("data:image/png;base64,AA==")])]));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync([new ChatMessage(ChatRole.Tool, [new FunctionResultContent("unknown", 5)])]));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => client.GetResponseAsync("x", new ChatOptions { Temperature = -1 }));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync("x", new ChatOptions { MaxOutputTokens = 50000 }));
        await IdleAsync(model);
    }

    [Fact]
    public async Task Metrics_and_spans_go_by_their_conventional_names()
    {
        await using ServedModel model = taught.Load();
        using var client = new MiniMaxChatClient(model);
        var measured = new List<(string Name, double Value, Dictionary<string, object?> Tags)>();
        using var meters = new MeterListener();
        meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == "MiniMaxSharp")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        meters.SetMeasurementEventCallback<int>((i, value, tags, _) => measured.Add((i.Name, value, tags.ToArray().ToDictionary())));
        meters.SetMeasurementEventCallback<double>((i, value, tags, _) => measured.Add((i.Name, value, tags.ToArray().ToDictionary())));
        meters.Start();
        var spans = new List<Activity>();
        using var activities = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "MiniMaxSharp",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(activities);

        ChatResponse response = await client.GetResponseAsync(TaughtModel.Count, new ChatOptions { Temperature = 0, MaxOutputTokens = 100 });
        Assert.Equal(
            [("gen_ai.client.token.usage", response.Usage!.InputTokenCount), ("gen_ai.client.token.usage", response.Usage.OutputTokenCount)],
            measured.Where(m => m.Tags.ContainsKey("gen_ai.token.type")).Select(m => (m.Name, (long?)m.Value)));
        Assert.Equal(
            ["gen_ai.client.operation.duration", "gen_ai.server.time_per_output_token", "gen_ai.server.time_to_first_token"],
            measured.Select(m => m.Name).Where(n => n != "gen_ai.client.token.usage").Order());
        Assert.All(measured, m => Assert.Equal(("chat", "taught"), (m.Tags["gen_ai.operation.name"], m.Tags["gen_ai.request.model"])));

        Activity span = Assert.Single(spans);
        Assert.Equal("chat taught", span.DisplayName);
        Assert.Equal(ActivityStatusCode.Unset, span.Status);
        Assert.Equal(100, span.GetTagItem("gen_ai.request.max_tokens"));
        Assert.Equal((int)response.Usage.OutputTokenCount!, span.GetTagItem("gen_ai.usage.output_tokens"));
        Assert.Equal(["stop"], (string[])span.GetTagItem("gen_ai.response.finish_reasons")!);

        using var cancelled = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(TaughtModel.Count, s_greedy, cancelled.Token))
            {
                await cancelled.CancelAsync();
            }
        });
        Assert.Equal((ActivityStatusCode.Error, "cancelled"), (spans[^1].Status, spans[^1].GetTagItem("error.type")));
    }

    [Fact]
    public async Task A_container_gives_client_and_model()
    {
        await using ServiceProvider services = new ServiceCollection().AddMiniMax(taught.Folder, new ServingOptions { ModelId = "other name" }).BuildServiceProvider();
        IChatClient client = services.GetRequiredService<IChatClient>();
        Assert.Equal(TaughtModel.Animal, (await client.GetResponseAsync(TaughtModel.Riddle, s_greedy)).Text);
        Assert.Equal("other name", client.GetService<ChatClientMetadata>()!.DefaultModelId);
        Assert.Same(services.GetRequiredService<ServedModel>(), client.GetService<ServedModel>());
        Assert.Same(client, client.GetService<IChatClient>());
        Assert.Null(client.GetService<IChatClient>("key"));
    }

    private static async Task IdleAsync(ServedModel model)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (model.Engine.Status is not { Running: 0, Waiting: 0 })
        {
            await Task.Delay(5, limit.Token);
        }
    }

    private sealed class Declared : AIFunctionDeclaration
    {
        public override string Name => "add";

        public override string Description => "Adds two numbers.";

        public override JsonElement JsonSchema => TaughtModel.Tool.GetProperty("parameters");
    }

    private sealed class Endless(int word) : ILogitProcessor
    {
        public void Process(ReadOnlySpan<int> prompt, ReadOnlySpan<int> answer, Span<float> logits) => logits[word] += 1000;
    }
}
