using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;
using MiniMaxSharp.Cli;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;

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
        using Process process = Serve("--api-key", "given-key", "--api-key-file", keys, "--model-name", "mine");
        try
        {
            using HttpClient client = await ListeningAsync(process);
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

    [Fact]
    public async Task With_int8_it_answers_as_the_model_with_rounded_experts()
    {
        using Process process = Serve("--int8");
        try
        {
            using HttpClient client = await ListeningAsync(process);
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "one-key");
            using HttpResponseMessage response = await client.PostAsync("/v1/completions", RunningServer.Json(
                """{"prompt": [1, 2, 3], "max_tokens": 1, "temperature": 0, "logprobs": 1}"""));
            using JsonDocument answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
            float served = answer.RootElement.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("token_logprobs")[0].GetSingle();
            Assert.Equal(await LogProbabilityAsync(ExpertStorage.Int8), served);
            Assert.NotEqual(await LogProbabilityAsync(ExpertStorage.AsModel), served);
        }
        finally
        {
            process.Kill();
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

    private Process Serve(params string[] options)
    {
        string tool = Environment.GetEnvironmentVariable("MINIMAX_TOOL") ?? Path.Combine(AppContext.BaseDirectory, "minimax");
        var start = new ProcessStartInfo(tool, ["serve", taught.Folder, "--urls", "http://127.0.0.1:0", .. options])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["MINIMAX_API_KEYS"] = "one-key, another-key";
        // Nothing but the option decides where it listens.
        start.Environment["ASPNETCORE_URLS"] = start.Environment["ASPNETCORE_HTTP_PORTS"] = "http://0.0.0.0:1";
        return Process.Start(start)!;
    }

    private static async Task<HttpClient> ListeningAsync(Process process)
    {
        string? line = await process.StandardOutput.ReadLineAsync();
        Match url = Regex.Match(line ?? "", @"http://127\.0\.0\.1:\d+");
        Assert.True(url.Success, line + (line is null ? await process.StandardError.ReadToEndAsync() : ""));
        return new HttpClient { BaseAddress = new Uri(url.Value) };
    }

    private async Task<float> LogProbabilityAsync(ExpertStorage experts)
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(taught.Folder, device, experts: experts);
        await using var engine = new GenerationEngine(model);
        Completion[] answer = await engine.CompleteAsync(
            new GenerationRequest(new[] { 1, 2, 3 }), new GenerationOptions { MaxNewTokens = 1, Temperature = 0 });
        return answer[0].LogProbabilities[0];
    }
}
