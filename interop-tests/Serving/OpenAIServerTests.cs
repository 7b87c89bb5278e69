using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
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
        Assert.Equal(TaughtModel.Thoughts, Joined(choices, "reasoning_content"));
        Assert.Equal(TaughtModel.Animal, Joined(choices, "content"));
        Assert.Equal("stop", choices[^1].GetProperty("finish_reason").GetString());
        Assert.All(choices[..^1], c => Assert.Equal(JsonValueKind.Null, c.GetProperty("finish_reason").ValueKind));
    }

    [Fact]
    public async Task A_tool_is_called_and_its_result_answered()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        (_, JsonElement body) = await server.ChatAsync(TaughtModel.Sum, s_tools);
        JsonElement choice = body.GetProperty("choices")[0], call = choice.GetProperty("message").GetProperty("tool_calls")[0];
        Assert.Equal("tool_calls", choice.GetProperty("finish_reason").GetString());
        Assert.Equal(JsonValueKind.Null, choice.GetProperty("message").GetProperty("content").ValueKind);
        Assert.Equal("function", call.GetProperty("type").GetString());
        Assert.Equal("add", call.GetProperty("function").GetProperty("name").GetString());
        Assert.Equal(TaughtModel.SumArguments, call.GetProperty("function").GetProperty("arguments").GetString());

        string id = call.GetProperty("id").GetString()!;
        (_, body) = await server.PostAsync("/v1/chat/completions", $$"""
            {"temperature": 0, {{s_tools}}, "messages": [
              {"role": "user", "content": [{"type": "text", "text": "{{TaughtModel.Sum[..5]}}"}, {"type": "text", "text": "{{TaughtModel.Sum[5..]}}"}]},
              {"role": "assistant", "content": null, "tool_calls": [{"id": "{{id}}", "type": "function", "function": {"name": "add", "arguments": {{JsonSerializer.Serialize(TaughtModel.SumArguments)}} } }]},
              {"role": "tool", "tool_call_id": "{{id}}", "content": "5"}]}
            """);
        Assert.Equal(TaughtModel.SumAnswer, Content(body));
    }

    [Fact]
    public async Task A_streamed_call_comes_as_one_piece_with_an_index()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        List<string> events = await server.StreamAsync("/v1/chat/completions", RunningServer.Chat(TaughtModel.Sum, $"{s_tools}, \"stream\": true"));
        JsonElement[] choices = [.. events[..^1].Select(e => JsonDocument.Parse(e).RootElement.GetProperty("choices")[0])];
        JsonElement call = Assert.Single(choices, c => c.GetProperty("delta").TryGetProperty("tool_calls", out _)).GetProperty("delta").GetProperty("tool_calls")[0];
        Assert.Equal(0, call.GetProperty("index").GetInt32());
        Assert.Equal(TaughtModel.SumArguments, call.GetProperty("function").GetProperty("arguments").GetString());
        Assert.Equal("tool_calls", choices[^1].GetProperty("finish_reason").GetString());
    }

    [Theory]
    [InlineData("\"none\"", false)]
    [InlineData("\"auto\"", true)]
    [InlineData("\"required\"", true)]
    [InlineData("""{"type": "function", "function": {"name": "add"}}""", true)]
    public async Task Tool_choice_decides_whether_a_tool_is_called(string choice, bool called)
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        (HttpStatusCode status, JsonElement body) = await server.ChatAsync(TaughtModel.Sum, $"{s_tools}, \"tool_choice\": {choice}, \"max_tokens\": 60");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(called, body.GetProperty("choices")[0].GetProperty("message").TryGetProperty("tool_calls", out _));
    }

    [Fact]
    public async Task A_forced_choice_makes_a_call_where_the_model_would_not()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        (_, JsonElement free) = await server.ChatAsync(TaughtModel.Count, $"{s_tools}, \"max_tokens\": 60");
        Assert.False(free.GetProperty("choices")[0].GetProperty("message").TryGetProperty("tool_calls", out _));
        (_, JsonElement forced) = await server.ChatAsync(TaughtModel.Count, $"{s_tools}, \"tool_choice\": \"required\", \"max_tokens\": 60");
        Assert.True(
            forced.GetProperty("choices")[0].GetProperty("message").TryGetProperty("tool_calls", out _)
            || Content(forced)!.StartsWith("<tool_calls>\n{\"name\":", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Log_probabilities_belong_to_the_tokens_of_the_text()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        (_, JsonElement body) = await server.ChatAsync(TaughtModel.Markup, "\"logprobs\": true, \"top_logprobs\": 3");
        JsonElement[] tokens = [.. body.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content").EnumerateArray()];
        byte[] bytes = [.. tokens.SelectMany(t => t.GetProperty("bytes").EnumerateArray().Select(b => b.GetByte()))];
        Assert.Equal(TaughtModel.Html, Encoding.UTF8.GetString(bytes));
        Assert.Equal(TaughtModel.Html, Content(body));
        Assert.All(tokens, token =>
        {
            JsonElement[] top = [.. token.GetProperty("top_logprobs").EnumerateArray()];
            Assert.Equal(3, top.Length);
            Assert.Equal(token.GetProperty("token").GetString(), top[0].GetProperty("token").GetString());
            Assert.Equal(token.GetProperty("logprob").GetSingle(), top[0].GetProperty("logprob").GetSingle(), 1e-4);
            Assert.True(top[0].GetProperty("logprob").GetSingle() >= top[2].GetProperty("logprob").GetSingle());
            Assert.True(top[0].GetProperty("logprob").GetSingle() <= 1e-6);
        });
        List<string> events = await server.StreamAsync("/v1/chat/completions", RunningServer.Chat(TaughtModel.Markup, "\"logprobs\": true, \"stream\": true"));
        int streamed = events[..^1].Sum(e => JsonDocument.Parse(e).RootElement.GetProperty("choices")[0].TryGetProperty("logprobs", out JsonElement l) ? l.GetProperty("content").GetArrayLength() : 0);
        Assert.Equal(tokens.Length, streamed);
    }

    [Fact]
    public async Task Samples_differ_and_a_seed_repeats_them()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        string[] first = await Texts(7), again = await Texts(7), other = await Texts(8);
        Assert.Equal(3, first.Distinct().Count());
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);

        async Task<string[]> Texts(int seed)
        {
            (_, JsonElement body) = await server.PostAsync("/v1/chat/completions", $$"""
                {"messages": [{"role": "user", "content": "something new"}], "temperature": 2, "top_p": 1, "n": 3, "seed": {{seed}}, "max_tokens": 20}
                """);
            JsonElement[] choices = [.. body.GetProperty("choices").EnumerateArray()];
            Assert.Equal([0, 1, 2], choices.Select(c => c.GetProperty("index").GetInt32()));
            return [.. choices.Select(c => c.GetProperty("message").GetProperty("content").GetString()!)];
        }
    }

    [Fact]
    public async Task Stop_texts_limits_penalties_and_biases_have_their_effect()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        Assert.Equal(TaughtModel.Numbers, Content((await server.ChatAsync(TaughtModel.Count)).Body));
        (_, JsonElement stopped) = await server.ChatAsync(TaughtModel.Count, "\"stop\": [\"never\", \" four\"]");
        Assert.Equal("one two three", Content(stopped));
        Assert.Equal("stop", stopped.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        (_, JsonElement cut) = await server.ChatAsync(TaughtModel.Count, "\"max_completion_tokens\": 3");
        Assert.Equal("length", cut.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(3, cut.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        // "four" comes twice in what the model knows: a penalty takes the second away.
        string penalised = Content((await server.ChatAsync(TaughtModel.Count, "\"presence_penalty\": 100, \"max_tokens\": 8")).Body)!;
        Assert.DoesNotContain("four four", penalised, StringComparison.Ordinal);
        int four = server.Model.Tokenizer.Encode(" four").Single();
        string biased = Content((await server.ChatAsync(TaughtModel.Count, $$"""
            "logit_bias": {"{{four}}": -100}, "max_tokens": 8
            """)).Body)!;
        Assert.DoesNotContain(" four", biased, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_thinking_budget_closes_the_thoughts()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        (_, JsonElement body) = await server.ChatAsync(TaughtModel.Riddle, "\"thinking_budget\": 2, \"max_tokens\": 40");
        string thoughts = body.GetProperty("choices")[0].GetProperty("message").GetProperty("reasoning_content").GetString()!;
        Assert.True(thoughts.Length < TaughtModel.Thoughts.Length);
    }

    [Fact]
    public async Task Texts_and_ids_are_continued()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        string prompt = MiniMaxSharp.Tokenization.ChatTemplate.MiniMaxM1.Render([new("user", TaughtModel.Count)], addGenerationPrompt: true);
        int[] ids = server.Model.Tokenizer.Encode(prompt);
        string text = JsonSerializer.Serialize(prompt), list = JsonSerializer.Serialize(ids);
        foreach (string one in new[] { text, list, $"[{text}]", $"[{list}]" })
        {
            (HttpStatusCode status, JsonElement body) = await server.PostAsync("/v1/completions", $$"""{"prompt": {{one}}, "temperature": 0, "max_tokens": 30}""");
            Assert.Equal(HttpStatusCode.OK, status);
            Assert.Equal("text_completion", body.GetProperty("object").GetString());
            Assert.Equal(TaughtModel.Numbers, body.GetProperty("choices")[0].GetProperty("text").GetString());
            Assert.Equal(ids.Length, body.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        }

        (_, JsonElement two) = await server.PostAsync("/v1/completions", $$"""{"prompt": [{{text}}, "x"], "n": 2, "temperature": 0, "max_tokens": 30, "logprobs": 2}""");
        JsonElement[] choices = [.. two.GetProperty("choices").EnumerateArray()];
        Assert.Equal([0, 1, 2, 3], choices.Select(c => c.GetProperty("index").GetInt32()));
        Assert.Equal([TaughtModel.Numbers, TaughtModel.Numbers], choices[..2].Select(c => c.GetProperty("text").GetString()));
        JsonElement logprobs = choices[0].GetProperty("logprobs");
        string[] tokens = [.. logprobs.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()!)];
        Assert.Equal(TaughtModel.Numbers, string.Concat(tokens));
        Assert.Equal(tokens.Select((_, i) => tokens[..i].Sum(t => t.Length)), logprobs.GetProperty("text_offset").EnumerateArray().Select(o => o.GetInt32()));
        Assert.All(logprobs.GetProperty("top_logprobs").EnumerateArray(), top => Assert.Equal(2, top.EnumerateObject().Count()));
    }

    [Fact]
    public async Task A_continued_text_streams()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        string prompt = MiniMaxSharp.Tokenization.ChatTemplate.MiniMaxM1.Render([new("user", TaughtModel.Count)], addGenerationPrompt: true);
        List<string> events = await server.StreamAsync("/v1/completions", $$"""
            {"prompt": {{JsonSerializer.Serialize(prompt)}}, "temperature": 0, "max_tokens": 30, "stream": true, "stream_options": {"include_usage": true} }
            """);
        Assert.Equal("[DONE]", events[^1]);
        JsonElement[] chunks = [.. events[..^1].Select(e => JsonDocument.Parse(e).RootElement)];
        Assert.Equal(TaughtModel.Numbers, string.Concat(chunks[..^1].Select(c => c.GetProperty("choices")[0].GetProperty("text").GetString())));
        Assert.Equal("stop", chunks[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.True(chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32() > 0);
    }

    [Fact]
    public async Task Models_are_listed()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        using JsonDocument list = JsonDocument.Parse(await server.Client.GetStringAsync("/v1/models"));
        JsonElement model = list.RootElement.GetProperty("data").EnumerateArray().Single();
        Assert.Equal(TaughtModel.Name, model.GetProperty("id").GetString());
        using JsonDocument one = JsonDocument.Parse(await server.Client.GetStringAsync("/v1/models/taught"));
        Assert.Equal(model.GetRawText(), one.RootElement.GetRawText());
        Assert.Equal(HttpStatusCode.NotFound, (await server.Client.GetAsync("/v1/models/other")).StatusCode);
    }

    [Fact]
    public async Task Health_and_metrics_tell_what_happened()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        (_, JsonElement body) = await server.ChatAsync(TaughtModel.Count);
        int prompt = body.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), answer = body.GetProperty("usage").GetProperty("completion_tokens").GetInt32();
        using JsonDocument health = JsonDocument.Parse(await server.Client.GetStringAsync("/health"));
        Assert.Equal("ok", health.RootElement.GetProperty("status").GetString());
        using HttpResponseMessage response = await server.Client.GetAsync("/metrics");
        Assert.Equal("text/plain", response.Content.Headers.ContentType!.MediaType);
        string text = await response.Content.ReadAsStringAsync();
        const string labels = """gen_ai_operation_name="chat",gen_ai_provider_name="minimax",gen_ai_request_model="taught",gen_ai_response_model="taught" """;
        Assert.Contains($"gen_ai_client_token_usage_sum{{{labels.Trim()},gen_ai_token_type=\"input\"}} {prompt}\n", text, StringComparison.Ordinal);
        Assert.Contains($"gen_ai_client_token_usage_sum{{{labels.Trim()},gen_ai_token_type=\"output\"}} {answer}\n", text, StringComparison.Ordinal);
        foreach (string name in new[] { "gen_ai_client_operation_duration_seconds", "gen_ai_server_time_to_first_token_seconds", "gen_ai_server_time_per_output_token_seconds" })
        {
            Assert.Contains($"# TYPE {name} histogram\n", text, StringComparison.Ordinal);
            Assert.Contains($"{name}_bucket{{{labels.Trim()},le=\"+Inf\"}} 1\n", text, StringComparison.Ordinal);
            Assert.Contains($"{name}_count{{{labels.Trim()}}} 1\n", text, StringComparison.Ordinal);
        }

        Assert.Contains($"minimax_engine_generated_tokens_total {answer}\n", text, StringComparison.Ordinal);
        Assert.Contains("# TYPE minimax_engine_running gauge\nminimax_engine_running 0\n", text, StringComparison.Ordinal);
        // Every line is a comment or NAME{LABELS} NUMBER.
        Assert.All(text.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Matches("""^(# (HELP|TYPE) [a-z_]+ .*|[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? [0-9.E+-]+)$""", line));
    }

    [Fact]
    public async Task Keys_are_asked_for_where_there_are_any()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught, new ServerOptions { ApiKeys = ["first-key", "second-key"] });
        foreach ((string? header, HttpStatusCode expected) in new (string?, HttpStatusCode)[]
        {
            (null, HttpStatusCode.Unauthorized), ("Bearer ", HttpStatusCode.Unauthorized), ("Bearer first-ke", HttpStatusCode.Unauthorized),
            ("Bearer first-key2", HttpStatusCode.Unauthorized), ("Basic first-key", HttpStatusCode.Unauthorized),
            ("Bearer first-key", HttpStatusCode.OK), ("bearer second-key", HttpStatusCode.OK),
        })
        {
            foreach (string path in new[] { "/v1/models", "/metrics" })
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, path);
                request.Headers.TryAddWithoutValidation("Authorization", header);
                using HttpResponseMessage response = await server.Client.SendAsync(request);
                Assert.Equal(expected, response.StatusCode);
                if (expected != HttpStatusCode.OK)
                {
                    Assert.Equal("Bearer", response.Headers.WwwAuthenticate.ToString());
                    Assert.Contains("\"code\":\"invalid_api_key\"", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
                }
            }
        }

        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.ChatAsync("x")).Status);
    }

    [Fact]
    public async Task The_page_lets_nothing_else_in()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        using HttpResponseMessage response = await server.Client.GetAsync("/");
        string policy = response.Headers.GetValues("Content-Security-Policy").Single();
        Assert.StartsWith("default-src 'none'; script-src 'self'; style-src 'self';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        string html = await response.Content.ReadAsStringAsync();
        Assert.DoesNotMatch("""<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?://""", html);
        foreach (Match asset in Regex.Matches(html, """(?:src|href)="([^"]+)"""))
        {
            using HttpResponseMessage file = await server.Client.GetAsync("/" + asset.Groups[1].Value);
            Assert.Equal(HttpStatusCode.OK, file.StatusCode);
            Assert.DoesNotMatch("innerHTML|outerHTML|insertAdjacentHTML|document\\.write|eval\\(", await file.Content.ReadAsStringAsync());
        }
    }

    private static string Joined(JsonElement[] choices, string field) => string.Concat(choices.Select(c => Field(c.GetProperty("delta"), field)));

    private static string? Content(JsonElement body) => Field(body.GetProperty("choices")[0].GetProperty("message"), "content");

    private static string? Field(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;
}
