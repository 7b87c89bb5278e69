using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Serving;

namespace MiniMaxSharp.Tests.Serving;

/// <summary>Bad input, bad clients, limits and stops: a clear error each, the server stays up, no slot leaks.</summary>
[Collection(ServingCollection.Name)]
public sealed class RobustnessTests(TaughtModel taught)
{
    private const string Chat = "/v1/chat/completions", Text = "/v1/completions";

    // An answer that ends at its limit only.
    private string Endless(int tokens = 30000) => $$"""
        "logit_bias": {"{{taught.WordId}}": 1000}, "max_tokens": {{tokens}}
        """;

    [Theory]
    [InlineData(Chat, "", 400, null, "invalid_json")]
    [InlineData(Chat, "{", 400, null, "invalid_json")]
    [InlineData(Chat, "null", 400, null, null)]
    [InlineData(Chat, "[]", 400, null, "invalid_json")]
    [InlineData(Chat, "{}", 400, "messages", null)]
    [InlineData(Chat, """{"messages": []}""", 400, "messages", null)]
    [InlineData(Chat, """{"messages": [null]}""", 400, "messages[0]", null)]
    [InlineData(Chat, """{"messages": "hi"}""", 400, "messages", "invalid_json")]
    [InlineData(Chat, """{"messages": [{"role": "robot", "content": "x"}]}""", 400, "messages[0].role", null)]
    [InlineData(Chat, """{"messages": [{"role": "user"}]}""", 400, "messages[0].content", null)]
    [InlineData(Chat, """{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}""", 400, "messages[0].content", "invalid_json")]
    [InlineData(Chat, """{"messages": [{"role": "user", "content": "\ud800"}]}""", 400, "messages[0].content", "invalid_json")]
    [InlineData(Chat, """{"messages": [{"role": "tool", "content": "5", "tool_call_id": "unknown"}]}""", 400, "messages[0].tool_call_id", null)]
    [InlineData(Chat, """{"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "not json"}}]}]}""", 400, "messages[0].tool_calls", null)]
    [InlineData(Chat, """{"model": "gpt", "messages": [{"role": "user", "content": "x"}]}""", 404, "model", "model_not_found")]
    [InlineData(Chat, """{"temperature": "hot", "messages": [{"role": "user", "content": "x"}]}""", 400, "temperature", "invalid_json")]
    [InlineData(Chat, """{"temperature": -1, "messages": [{"role": "user", "content": "x"}]}""", 400, "temperature", "invalid_value")]
    [InlineData(Chat, """{"top_p": 1.5, "messages": [{"role": "user", "content": "x"}]}""", 400, "top_p", "invalid_value")]
    [InlineData(Chat, """{"max_tokens": 0, "messages": [{"role": "user", "content": "x"}]}""", 400, "max_tokens", null)]
    [InlineData(Chat, """{"max_tokens": 1e30, "messages": [{"role": "user", "content": "x"}]}""", 400, "max_tokens", "invalid_json")]
    [InlineData(Chat, """{"max_tokens": 50000, "messages": [{"role": "user", "content": "x"}]}""", 400, null, "context_length_exceeded")]
    [InlineData(Chat, """{"n": 0, "messages": [{"role": "user", "content": "x"}]}""", 400, "n", null)]
    [InlineData(Chat, """{"n": 1000, "messages": [{"role": "user", "content": "x"}]}""", 400, null, "invalid_value")]
    [InlineData(Chat, """{"stop": "", "messages": [{"role": "user", "content": "x"}]}""", 400, "stop", "invalid_value")]
    [InlineData(Chat, """{"stop": [1], "messages": [{"role": "user", "content": "x"}]}""", 400, "stop", "invalid_json")]
    [InlineData(Chat, """{"top_logprobs": 3, "messages": [{"role": "user", "content": "x"}]}""", 400, "top_logprobs", null)]
    [InlineData(Chat, """{"logprobs": true, "top_logprobs": 21, "messages": [{"role": "user", "content": "x"}]}""", 400, "top_logprobs", "invalid_value")]
    [InlineData(Chat, """{"logit_bias": {"99999": 1}, "messages": [{"role": "user", "content": "x"}]}""", 400, "logit_bias", null)]
    [InlineData(Chat, """{"tools": [{"type": "magic"}], "messages": [{"role": "user", "content": "x"}]}""", 400, "tools[0]", null)]
    [InlineData(Chat, """{"tool_choice": "required", "messages": [{"role": "user", "content": "x"}]}""", 400, "tool_choice", null)]
    [InlineData(Chat, """{"tool_choice": "perhaps", "messages": [{"role": "user", "content": "x"}]}""", 400, "tool_choice", "invalid_json")]
    [InlineData(Chat, """{"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "x"}]}""", 400, "response_format", null)]
    [InlineData(Text, """{"prompt": [99999]}""", 400, null, "invalid_value")]
    [InlineData(Text, """{"prompt": [-1]}""", 400, null, "invalid_value")]
    [InlineData(Text, """{"prompt": [99999999999]}""", 400, "prompt", "invalid_json")]
    [InlineData(Text, """{"prompt": [1, "x"]}""", 400, "prompt", "invalid_json")]
    [InlineData(Text, """{"prompt": ""}""", 400, null, "invalid_value")]
    [InlineData(Text, """{"prompt": []}""", 400, "prompt", null)]
    [InlineData(Text, """{"prompt": "x", "echo": true}""", 400, null, null)]
    [InlineData("/v1/embeddings", "{}", 404, null, "unknown_url")]
    public async Task Bad_input_is_refused_with_what_is_wrong(string path, string json, int status, string? parameter, string? code)
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        (HttpStatusCode actual, JsonElement body) = await server.PostAsync(path, json);
        JsonElement error = body.GetProperty("error");
        Assert.Equal((status, parameter, code), ((int)actual, error.GetProperty("param").GetString(), error.GetProperty("code").GetString()));
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
        Assert.DoesNotContain("(Parameter", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await server.ChatAsync(TaughtModel.Riddle)).Status);
    }

    [Fact]
    public async Task Ids_that_the_model_has_and_the_tokenizer_lacks_are_no_text()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        int strange = server.Model.Tokenizer.VocabularySize;
        (HttpStatusCode status, JsonElement body) = await server.PostAsync(
            Text, $$"""{"prompt": [{{strange}}], "max_tokens": 3, "thinking_budget": 1, "logprobs": 1, "logit_bias": {"{{strange}}": 1000} }""");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("", body.GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.Equal(3, body.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task Figures_are_in_the_message()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught, serving: new ServingOptions { Engine = new EngineOptions { CacheTokens = 1000 } });
        Assert.Contains("99999", Message((await server.PostAsync(Text, """{"prompt": [1, 99999]}""")).Body), StringComparison.Ordinal);
        Assert.Contains("40000", Message((await server.ChatAsync("x", "\"max_tokens\": 50000")).Body), StringComparison.Ordinal);
        Assert.Contains("1000", Message((await server.ChatAsync("x", "\"max_tokens\": 2000")).Body), StringComparison.Ordinal);
        string prompt = string.Join(' ', Enumerable.Range(0, 50000));
        (HttpStatusCode status, JsonElement body) = await server.ChatAsync(prompt);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("context_length_exceeded", body.GetProperty("error").GetProperty("code").GetString());

        static string Message(JsonElement body) => body.GetProperty("error").GetProperty("message").GetString()!;
    }

    [Fact]
    public async Task What_is_too_large_or_not_json_is_refused()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught, new ServerOptions { MaxRequestBytes = 1000 });
        (HttpStatusCode status, JsonElement body) = await server.ChatAsync(new string('x', 2000));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, status);
        Assert.Contains("1000 bytes", body.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        using var chunked = new HttpRequestMessage(HttpMethod.Post, Chat) { Content = RunningServer.Json(RunningServer.Chat(new string('x', 2000))) };
        chunked.Headers.TransferEncodingChunked = true;
        using HttpResponseMessage large = await server.Client.SendAsync(chunked);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, large.StatusCode);
        using HttpResponseMessage form = await server.Client.PostAsync(Chat, new StringContent("{}", Encoding.UTF8, "text/plain"));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, form.StatusCode);
    }

    [Fact]
    public async Task A_name_that_is_not_this_machines_is_not_served_without_a_key()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        foreach ((string host, HttpStatusCode expected) in new[] { ("evil.example", HttpStatusCode.Forbidden), ("localhost", HttpStatusCode.OK), ("127.0.0.1", HttpStatusCode.OK) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
            request.Headers.Host = host;
            Assert.Equal(expected, (await server.Client.SendAsync(request)).StatusCode);
        }
    }

    [Fact]
    public async Task An_answer_that_takes_too_long_is_ended_and_frees_its_slot()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught, new ServerOptions { Timeout = TimeSpan.FromMilliseconds(300) });
        (HttpStatusCode status, JsonElement body) = await server.ChatAsync("x", Endless());
        Assert.Equal(HttpStatusCode.GatewayTimeout, status);
        Assert.Equal("timeout", body.GetProperty("error").GetProperty("code").GetString());
        List<string> events = await server.StreamAsync(Chat, RunningServer.Chat("x", Endless() + ", \"stream\": true"));
        Assert.Contains("\"code\":\"timeout\"", events[^1], StringComparison.Ordinal);
        await server.IdleAsync();
    }

    [Fact]
    public async Task A_client_that_leaves_in_mid_stream_frees_its_slot()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        for (int i = 0; i < 5; i++)
        {
            using Socket client = await BeginAsync(server, RunningServer.Chat("x", Endless() + ", \"stream\": true, \"n\": 4"));
            Assert.Equal(4, server.Model.Engine.Status.Running);
            // With a reset in every other case.
            client.LingerState = new LingerOption(i % 2 == 0, 0);
            client.Close();
            await server.IdleAsync();
        }

        Assert.Equal(HttpStatusCode.OK, (await server.ChatAsync(TaughtModel.Riddle)).Status);
    }

    [Fact]
    public async Task A_client_that_leaves_while_it_waits_frees_its_place()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught, serving: new ServingOptions { Engine = new EngineOptions { MaxSequences = 1 } });
        using Socket first = await BeginAsync(server, RunningServer.Chat("x", Endless() + ", \"stream\": true"));
        using (Socket second = await ConnectAsync(server))
        {
            await SendAsync(second, RunningServer.Chat("y", Endless() + ", \"stream\": true"));
            await UntilAsync(() => server.Model.Engine.Status.Waiting == 1);
        }

        await UntilAsync(() => server.Model.Engine.Status.Waiting == 0);
        Assert.Equal(1, server.Model.Engine.Status.Running);
        first.Close();
        await server.IdleAsync();
    }

    [Fact]
    public async Task A_slow_reader_holds_nobody_up_and_leaks_nothing()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        // So much text that it fills the buffers on the way; the reader takes none of it.
        using Socket slow = new(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await slow.ConnectAsync(IPAddress.Loopback, server.Url.Port);
        await SendAsync(slow, RunningServer.Chat("x", Endless(8000) + ", \"stream\": true, \"logprobs\": true, \"top_logprobs\": 20"));
        await UntilAsync(() => server.Model.Engine.Status.Running == 1);
        Assert.Equal(HttpStatusCode.OK, (await server.ChatAsync(TaughtModel.Riddle)).Status);
        // The engine is done with the answer though nobody has read it.
        await server.IdleAsync();
        Assert.Equal(8000, server.Model.Engine.Status.GeneratedTokens - (await server.ChatAsync(TaughtModel.Riddle)).Body.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        // And it is all still there for the reader.
        string text = await ReadToEndOfStreamAsync(slow);
        Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_requests_than_allowed_are_told_to_try_again()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught, new ServerOptions { MaxRequests = 1 });
        using Socket first = await BeginAsync(server, RunningServer.Chat("x", Endless() + ", \"stream\": true"));
        using HttpResponseMessage second = await server.Client.PostAsync(Chat, RunningServer.Json(RunningServer.Chat("x")));
        Assert.Equal(HttpStatusCode.TooManyRequests, second.StatusCode);
        Assert.Equal("1", second.Headers.GetValues("Retry-After").Single());
        Assert.Contains("\"type\":\"rate_limit_error\"", await second.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health")).StatusCode);
        first.Close();
        await server.IdleAsync();
        HttpStatusCode status;
        do
        {
            // The slot is free before the request is over by a moment.
            status = (await server.ChatAsync(TaughtModel.Riddle)).Status;
        }
        while (status == HttpStatusCode.TooManyRequests);
        Assert.Equal(HttpStatusCode.OK, status);
    }

    [Fact]
    public async Task A_stop_lets_running_streams_finish()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        using Socket running = await BeginAsync(server, RunningServer.Chat("x", Endless(3000) + ", \"stream\": true"));
        Task stop = server.StopAsync();
        string text = await ReadToEndOfStreamAsync(running);
        Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal);
        Assert.Contains("\"finish_reason\":\"length\"", text, StringComparison.Ordinal);
        await stop;
        await Assert.ThrowsAnyAsync<SocketException>(() => ConnectAsync(server));
    }

    [Fact]
    public async Task Five_thousand_connections_all_get_an_answer()
    {
        // Client and server share this process, and so its limit of open files.
        int connections = Math.Min(5000, (OpenFiles() - 2000) / 2);
        await using RunningServer server = await RunningServer.StartAsync(taught, new ServerOptions { MaxRequests = 64, MaxConnections = 6000 });
        var sockets = new List<Socket>();
        try
        {
            for (int i = 0; i < connections; i++)
            {
                sockets.Add(await ConnectAsync(server));
            }

            // All idle: another client is served as ever.
            Assert.Equal(HttpStatusCode.OK, (await server.ChatAsync(TaughtModel.Riddle)).Status);
            string[] answers = await Task.WhenAll(sockets.Select(async socket =>
            {
                await SendAsync(socket, RunningServer.Chat(TaughtModel.Riddle, "\"max_tokens\": 4"), close: true);
                using var stream = new NetworkStream(socket);
                using var reader = new StreamReader(stream);
                return await reader.ReadToEndAsync();
            }));
            int served = answers.Count(a => a.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal) && a.Contains("\"finish_reason\":\"length\"", StringComparison.Ordinal));
            int refused = answers.Count(a => a.StartsWith("HTTP/1.1 429 ", StringComparison.Ordinal) && a.Contains("Retry-After: 1", StringComparison.Ordinal));
            Assert.Equal(connections, served + refused);
            Assert.True(served >= 64, $"{served} served, {refused} refused");
        }
        finally
        {
            sockets.ForEach(s => s.Dispose());
        }

        await server.IdleAsync();
        Assert.Equal(HttpStatusCode.OK, (await server.ChatAsync(TaughtModel.Riddle)).Status);
    }

    private static int OpenFiles()
    {
        string line = File.ReadLines("/proc/self/limits").First(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        string soft = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3];
        return soft == "unlimited" ? int.MaxValue : int.Parse(soft, CultureInfo.InvariantCulture);
    }

    private static async Task<Socket> ConnectAsync(RunningServer server)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, server.Url.Port);
        return socket;
    }

    private static async Task SendAsync(Socket socket, string json, bool close = false)
    {
        byte[] body = Encoding.UTF8.GetBytes(json);
        byte[] head = Encoding.ASCII.GetBytes($"POST {Chat} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n{(close ? "Connection: close\r\n" : "")}\r\n");
        await socket.SendAsync((byte[])[.. head, .. body]);
    }

    /// <summary>A stream whose first token has come.</summary>
    private static async Task<Socket> BeginAsync(RunningServer server, string json)
    {
        Socket socket = await ConnectAsync(server);
        await SendAsync(socket, json);
        var text = new StringBuilder();
        var buffer = new byte[1024];
        while (!text.ToString().Contains("\"delta\":{\"content\"", StringComparison.Ordinal))
        {
            int count = await socket.ReceiveAsync(buffer);
            Assert.True(count > 0, text.ToString());
            text.Append(Encoding.UTF8.GetString(buffer, 0, count));
        }

        return socket;
    }

    private static async Task<string> ReadToEndOfStreamAsync(Socket socket)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var bytes = new MemoryStream();
        var buffer = new byte[65536];
        // The last chunk of the body is empty.
        while (!Encoding.ASCII.GetString(bytes.GetBuffer(), Math.Max(0, (int)bytes.Length - 7), (int)Math.Min(7, bytes.Length)).EndsWith("\r\n0\r\n\r\n", StringComparison.Ordinal))
        {
            int count = await socket.ReceiveAsync(buffer, limit.Token);
            Assert.True(count > 0, "The connection was closed before the end.");
            bytes.Write(buffer, 0, count);
        }

        return Encoding.UTF8.GetString(bytes.ToArray())[..^7];
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!condition())
        {
            await Task.Delay(5, limit.Token);
        }
    }
}
