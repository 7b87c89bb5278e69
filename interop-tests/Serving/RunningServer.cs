using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using MiniMaxSharp.Serving;
using MiniMaxSharp.Serving.Server;

namespace MiniMaxSharp.Tests.Serving;

/// <summary>The server of <c>minimax serve</c> on a free port, and a client of it.</summary>
internal sealed class RunningServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private RunningServer(WebApplication app)
    {
        _app = app;
        Url = new Uri(app.Urls.Single());
        Client = new HttpClient { BaseAddress = Url };
        Model = app.Services.GetRequiredService<ServedModel>();
    }

    public Uri Url { get; }

    public HttpClient Client { get; }

    public ServedModel Model { get; }

    public static async Task<RunningServer> StartAsync(TaughtModel taught, ServerOptions? options = null, ServingOptions? serving = null)
    {
        WebApplication app = MiniMaxServer.Build(taught.Load(serving), "http://127.0.0.1:0", options ?? new ServerOptions());
        await app.StartAsync();
        return new RunningServer(app);
    }

    public Task StopAsync() => _app.StopAsync();

    public async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, string json)
    {
        using HttpResponseMessage response = await Client.PostAsync(path, Json(json));
        using JsonDocument body = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return (response.StatusCode, body.RootElement.Clone());
    }

    /// <summary>A greedy chat; <paramref name="more"/> adds fields.</summary>
    public Task<(HttpStatusCode Status, JsonElement Body)> ChatAsync(string user, string more = "") =>
        PostAsync("/v1/chat/completions", Chat(user, more));

    public static string Chat(string user, string more = "") =>
        $$"""{"model": "taught", "temperature": 0, "messages": [{"role": "user", "content": {{JsonSerializer.Serialize(user)}}}]{{(more.Length > 0 ? ", " : "")}}{{more}}}""";

    public static StringContent Json(string json) => new(json, Encoding.UTF8, "application/json");

    /// <summary>The events of a stream, the closing [DONE] among them.</summary>
    public async Task<List<string>> StreamAsync(string path, string json)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = Json(json) };
        using HttpResponseMessage response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        string text = await response.Content.ReadAsStringAsync();
        Assert.EndsWith("\n\n", text, StringComparison.Ordinal);
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(e => { Assert.StartsWith("data: ", e, StringComparison.Ordinal); return e[6..]; })];
    }

    /// <summary>Waits until no sequence runs or waits; that it comes is the assertion, the time only keeps a failure from hanging.</summary>
    public async Task IdleAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (Model.Engine.Status is not { Running: 0, Waiting: 0 })
        {
            await Task.Delay(10, limit.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }
}
