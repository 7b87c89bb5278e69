using System.Diagnostics;
using System.Net;
using System.Text.RegularExpressions;

namespace MiniMaxSharp.Tests.Serving;

/// <summary>The samples, as a newcomer runs them.</summary>
[Collection(ServingCollection.Name)]
public sealed class SampleTests(TaughtModel taught)
{
    [Fact]
    public async Task The_console_chats()
    {
        using Process chat = Run("Chat", taught.Folder);
        await chat.StandardInput.WriteAsync($"{TaughtModel.Riddle}\n{TaughtModel.Markup}\n\n");
        string output = await chat.StandardOutput.ReadToEndAsync();
        await chat.WaitForExitAsync();
        Assert.Equal(0, chat.ExitCode);
        Assert.Equal($"> {TaughtModel.Thoughts}{TaughtModel.Animal}\n> {TaughtModel.Html}\n> ", output);
    }

    [Fact]
    public async Task An_application_of_ones_own_serves()
    {
        using Process serve = Run("Serve", taught.Folder, "http://127.0.0.1:0");
        try
        {
            Match url = Match.Empty;
            while (!url.Success && await serve.StandardOutput.ReadLineAsync() is { } line)
            {
                url = Regex.Match(line, @"http://127\.0\.0\.1:\d+");
            }

            Assert.True(url.Success);
            using var client = new HttpClient { BaseAddress = new Uri(url.Value) };
            Assert.Contains("\"reasoner\"", await client.GetStringAsync("/v1/models"), StringComparison.Ordinal);
            using HttpResponseMessage chat = await client.PostAsync("/v1/chat/completions", RunningServer.Json(
                $$"""{"model": "reasoner", "temperature": 0, "messages": [{"role": "user", "content": "{{TaughtModel.Riddle}}"}]}"""));
            Assert.Contains(TaughtModel.Animal, await chat.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/balanced?brackets=%28")).StatusCode);
        }
        finally
        {
            serve.Kill();
        }
    }

    [Theory]
    [InlineData("Chat")]
    [InlineData("Serve")]
    public async Task Without_a_checkpoint_they_say_how_to_make_one(string sample)
    {
        using Process process = Run(sample, Path.Combine(taught.Folder, "missing"));
        string errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(2, process.ExitCode);
        Assert.Contains("samples/LogicReasoner", errors, StringComparison.Ordinal);
    }

    private static Process Run(string sample, params string[] arguments) => Process.Start(
        new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, sample), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
}
