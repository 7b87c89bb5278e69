using System.Net;
using System.Text.Json;
using MiniMaxSharp.Serving;

namespace MiniMaxSharp.Tests.Serving;

/// <summary>OpenAI's interface over real sockets, on a model that gives known answers.</summary>
[Collection(ServingCollection.Name)]
public sealed class OpenAIServerTests(TaughtModel taught)
{
    private static readonly string s_tools = $$"""
        "tools": [{"type": "function", "function": {{TaughtModel.Tool}}}]
        """;

    [Fact]
    public async Task A_chat_is_answered_with_reasoning_apart()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        (HttpStatusCode status, JsonElement body) = await server.ChatAsync(TaughtModel.Riddle);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("chat.completion", body.GetProperty("object").GetString());
        JsonElement choice = body.GetProperty("choices")[0];
        Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
        JsonElement message = choice.GetProperty("message");
        Assert.Equal("assistant", message.GetProperty("role").GetString());
        Assert.Equal(TaughtModel.Animal, message.GetProperty("content").GetString());
        Assert.Equal(TaughtModel.Thoughts, message.GetProperty("reasoning_content").GetString());
        JsonElement usage = body.GetProperty("usage");
        Assert.Equal(usage.GetProperty("prompt_tokens").GetInt32() + usage.GetProperty("completion_tokens").GetInt32(), usage.GetProperty("total_tokens").GetInt32());
    }

    [Fact]
    public async Task A_stream_joins_to_the_whole_answer()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        List<string> events = await server.StreamAsync(
            "/v1/chat/completions", RunningServer.Chat(TaughtModel.Riddle, """ "stream": true, "stream_options": {"include_usage": true} """));
        Assert.Equal("[DONE]", events[^1]);
        JsonElement[] chunks = [.. events[..^1].Select(e => JsonDocument.Parse(e).RootElement)];
        Assert.All(chunks, c => Assert.Equal("chat.completion.chunk", c.GetProperty("object").GetString()));
        Assert.Single(chunks.Select(c => c.GetProperty("id").GetString()).Distinct());
        Assert.Empty(chunks[^1].GetProperty("choices").EnumerateArray());
        Assert.True(chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32() > 0);
        JsonElement[] choices = [.. chunks[..^1].Select(c => c.GetProperty("choices")[0])];
        Assert.Equal("assistant", choices[0].GetProperty("delta").GetProperty("role").GetString());
        Assert.Equal(TaughtModel.Thoughts, string.Concat(choices.Select(c => Field(c.GetProperty("delta"), "reasoning_content"))));
        Assert.Equal(TaughtModel.Animal, string.Concat(choices.Select(c => Field(c.GetProperty("delta"), "content"))));
        Assert.Equal("stop", choices[^1].GetProperty("finish_reason").GetString());
        Assert.All(choices[..^1], c => Assert.Equal(JsonValueKind.Null, c.GetProperty("finish_reason").ValueKind));
    }

    private static string? Field(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;
}
