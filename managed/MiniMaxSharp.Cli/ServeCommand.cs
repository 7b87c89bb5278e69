using System.CommandLine;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Serving;
using MiniMaxSharp.Serving.Server;

namespace MiniMaxSharp.Cli;

/// <summary>minimax serve: a checkpoint behind OpenAI's HTTP interface and a page to chat, until Ctrl-C or SIGTERM; running answers end first.</summary>
internal static class ServeCommand
{
    /// <summary>Keys, separated by commas; an option on the command line can be read by every user of the machine.</summary>
    public const string KeysVariable = "MINIMAX_API_KEYS";

    public static Command Create(TextWriter output)
    {
        var server = new ServerOptions();
        var serving = new ServingOptions();
        var directory = new Argument<string>("DIR") { Description = "Folder in Hugging Face's layout, with a tokenizer" };
        var urls = new Option<string>("--urls") { DefaultValueFactory = _ => "http://127.0.0.1:8080", Description = "Where to listen; port 0 takes a free one" };
        var name = new Option<string?>("--model-name") { Description = "The name that clients use; the folder's by default" };
        var keys = new Option<string[]>("--api-key") { Description = $"A key that clients must show; also {KeysVariable}=KEY,KEY in the environment" };
        var keyFile = new Option<string?>("--api-key-file") { Description = "A file with one key a line; # begins a comment" };
        var int8 = new Option<bool>("--int8") { Description = "Keep the experts as int8: half the memory of bfloat16" };
        Option<string> device = Commands.DeviceName();
        var sequences = new Option<int>("--max-sequences") { DefaultValueFactory = _ => serving.Engine.MaxSequences, Description = "Answers generated at the same time; more wait" };
        var cache = new Option<long>("--cache-tokens") { DefaultValueFactory = _ => serving.Engine.CacheTokens, Description = "Tokens of all answers together whose keys and values fit in memory" };
        var requests = new Option<int>("--max-requests") { DefaultValueFactory = _ => server.MaxRequests, Description = "Requests at the same time; more are told to try again" };
        var bytes = new Option<long>("--max-request-bytes") { DefaultValueFactory = _ => server.MaxRequestBytes, Description = "Size of a request at most" };
        var timeout = new Option<double>("--timeout") { DefaultValueFactory = _ => server.Timeout.TotalSeconds, Description = "Seconds that an answer may take" };
        var command = new Command("serve", "Serve a model: OpenAI's HTTP interface, /health, /metrics, and a page to chat at /")
        {
            directory, urls, name, keys, keyFile, int8, device, sequences, cache, requests, bytes, timeout,
        };
        // Not an asynchronous action: the host handles the signals, and waits for running answers.
        command.SetAction(result => Commands.Guarded(result, () => RunAsync(
            result.GetValue(directory)!,
            result.GetValue(urls)!,
            serving with
            {
                ModelId = result.GetValue(name),
                Device = result.GetValue(device)!,
                Warning = why => result.InvocationConfiguration.Error.WriteLine($"Warning: {why}"),
                Experts = result.GetValue(int8) ? ExpertStorage.Int8 : ExpertStorage.AsModel,
                Engine = serving.Engine with { MaxSequences = result.GetValue(sequences), CacheTokens = result.GetValue(cache) },
            },
            server with
            {
                ApiKeys = Keys(result.GetValue(keys) ?? [], result.GetValue(keyFile)),
                MaxRequests = result.GetValue(requests),
                MaxRequestBytes = result.GetValue(bytes),
                Timeout = TimeSpan.FromSeconds(result.GetValue(timeout)),
            },
            output,
            result.InvocationConfiguration.Error).GetAwaiter().GetResult()));
        return command;
    }

    private static async Task<int> RunAsync(string directory, string url, ServingOptions serving, ServerOptions server, TextWriter output, TextWriter errors)
    {
        server.Validate();
        if (!MiniMaxServer.IsLoopback(url) && server.ApiKeys.Count == 0)
        {
            await errors.WriteLineAsync($"Warning: {url} can be reached from other machines, and no API key is asked for.").ConfigureAwait(false);
        }

        await using WebApplication app = MiniMaxServer.Build(ServedModel.Load(directory, serving), url, server);
        await app.StartAsync().ConfigureAwait(false);
        await output.WriteLineAsync($"Serving {directory} at {string.Join(", ", app.Urls)}. Ctrl-C stops.").ConfigureAwait(false);
        await output.FlushAsync().ConfigureAwait(false);
        await app.WaitForShutdownAsync().ConfigureAwait(false);
        return 0;
    }

    private static List<string> Keys(string[] given, string? file) =>
    [
        .. given,
        .. (Environment.GetEnvironmentVariable(KeysVariable) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
        .. file is null ? [] : File.ReadLines(file).Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#'),
    ];
}
