using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;
using MiniMaxSharp.Cli;

namespace MiniMaxSharp.Tests.Serving;

/// <summary>
/// <c>minimax serve</c> as a process of its own: the program beside the tests, or the one that MINIMAX_TOOL names, such as the
/// trimmed one.
/// </summary>
[Collection(ServingCollection.Name)]
public sealed class ServeCommandTests(TaughtModel taught)
{
    [Fact]
    public async Task It_serves_asks_for_keys_and_ends_with_the_running_answer()
    {
        string keys = Path.Combine(taught.Folder, "keys.txt");
        await File.WriteAllTextAsync(keys, "# of the tests\n\n  file-key  \n");
        string tool = Environment.GetEnvironmentVariable("MINIMAX_TOOL") ?? Path.Combine(AppContext.BaseDirectory, "minimax");
        var start = new ProcessStartInfo(tool, ["serve", taught.Folder, "--urls", "http://127.0.0.1:0", "--api-key", "given-key", "--api-key-file", keys, "--model-name", "mine"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["MINIMAX_API_KEYS"] = "one-key, another-key";
        // Nothing but the option decides where it listens.
        start.Environment["ASPNETCORE_URLS"] = start.Environment["ASPNETCORE_HTTP_PORTS"] = "http://0.0.0.0:1";
        using Process process = Process.Start(start)!;
        try
        {
            string? line = await process.StandardOutput.ReadLineAsync();
            Match url = Regex.Match(line ?? "", @"http://127\.0\.0\.1:\d+");
            Assert.True(url.Success, line + (line is null ? await process.StandardError.ReadToEndAsync() : ""));
            using var client = new HttpClient { BaseAddress = new Uri(url.Value) };
            Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/v1/models")).StatusCode);
            foreach (string key in new[] { "given-key", "file-key", "one-key", "another-key" })
            {
                client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
                Assert.Contains("\"mine\"", await client.GetStringAsync("/v1/models"), StringComparison.Ordinal);
            }

            using var post = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
            {
                Content = RunningServer.Json($$"""
                    {"messages": [{"role": "user", "content": "x"}], "stream": true, "max_tokens": 2000, "logit_bias": {"{{taught.WordId}}": 1000} }
                    """),
            };
            using HttpResponseMessage response = await client.SendAsync(post, HttpCompletionOption.ResponseHeadersRead);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
            Assert.StartsWith("data: {", await reader.ReadLineAsync(), StringComparison.Ordinal);
            Assert.Contains("gen_ai_server_time_to_first_token_seconds", await client.GetStringAsync("/metrics"), StringComparison.Ordinal);
            Assert.Contains("<!doctype html>", await client.GetStringAsync("/"), StringComparison.Ordinal);
            using (Process kill = Process.Start("kill", ["-TERM", process.Id.ToString()]))
            {
                await kill.WaitForExitAsync();
            }

            string rest = await reader.ReadToEndAsync();
            Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
            Assert.Contains("\"finish_reason\":\"length\"", rest, StringComparison.Ordinal);
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            await process.WaitForExitAsync(limit.Token);
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    [Theory]
    [InlineData("ftp://127.0.0.1:1")]
    [InlineData("https://127.0.0.1:1")]
    [InlineData("nonsense")]
    public void Where_it_cannot_listen_it_says_so(string url) => Assert.Equal(2, Commands.Run(["serve", taught.Folder, "--urls", url]));

    [Fact]
    public void What_is_no_checkpoint_is_refused()
    {
        Assert.Equal(2, Commands.Run(["serve", Path.Combine(taught.Folder, "missing")]));
        Assert.Equal(2, Commands.Run(["serve", taught.Folder, "--max-requests", "0"]));
        Assert.Equal(2, Commands.Run(["serve", taught.Folder, "--api-key-file", "/missing/keys"]));
    }
}
