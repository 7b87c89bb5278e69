using System.Diagnostics;
using MiniMaxSharp.Serving;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Serving;

/// <summary>OpenAI's JavaScript client, unchanged, and a browser. <c>test.sh</c> installs both; without them these are skipped.</summary>
[Collection(ServingCollection.Name)]
public sealed class EndToEndTests(TaughtModel taught)
{
    [NodeFact("openai")]
    public async Task OpenAIs_client_works_unchanged()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught, new ServerOptions { ApiKeys = ["a-key"] });
        await NodeFactAttribute.RunAsync("client.mjs", server.Url.ToString(), NodeFactAttribute.Modules, taught.WordId.ToString());
        await server.IdleAsync();
    }

    [NodeFact("playwright-core", browser: true)]
    public async Task The_page_works_in_a_browser()
    {
        await using RunningServer server = await RunningServer.StartAsync(taught);
        string screenshot = Repository.Path("artifacts", "test", "chat.png");
        Directory.CreateDirectory(Path.GetDirectoryName(screenshot)!);
        await NodeFactAttribute.RunAsync("page.mjs", server.Url.ToString(), NodeFactAttribute.Modules, NodeFactAttribute.Chromium!, screenshot, taught.WordId.ToString());
        Assert.True(new FileInfo(screenshot).Length > 10_000);
        await server.IdleAsync();
    }
}

/// <summary>A test that needs Node.js, a package in artifacts/serving-e2e, and perhaps Chromium; skipped where one is missing.</summary>
internal sealed class NodeFactAttribute : FactAttribute
{
    public NodeFactAttribute(string package, bool browser = false)
    {
        if (Find("node") is null || !Directory.Exists(Path.Combine(Modules, "node_modules", package)) || (browser && Chromium is null))
        {
            Skip = $"needs node, {package} in {Modules}{(browser ? ", and chromium" : "")}; test.sh installs them";
        }
    }

    public static string Modules => Repository.Path("artifacts", "serving-e2e");

    public static string? Chromium => Find("chromium") ?? Find("chromium-browser") ?? Find("google-chrome");

    public static async Task RunAsync(string script, params string[] arguments)
    {
        var start = new ProcessStartInfo("node", [Repository.Path("interop-tests", "serving-e2e", script), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
        }

        Assert.True(process.ExitCode == 0, $"{script}: {await output}\n{await errors}");
    }

    private static string? Find(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}
