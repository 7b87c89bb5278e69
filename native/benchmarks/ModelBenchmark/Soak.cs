using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using MiniMaxSharp.Tokenization;

namespace ModelBenchmark;

/// <summary>
/// Clients that stream answers from `minimax serve` without a pause: errors, tokens, and what the server's memory does. The
/// clients share the machine with the server.
/// </summary>
internal static class Soak
{
    private const string Url = "http://127.0.0.1:8765";

    /// <summary>Writes a tokenizer of bytes beside the model where there is none, serves it, and asks.</summary>
    public static async Task RunAsync(string directory, string tool, int clients, TimeSpan duration, Action<string, double, string> report)
    {
        if (!File.Exists(Path.Combine(directory, "tokenizer.json")))
        {
            BpeTrainer.Train(["a"], new BpeTrainerOptions { VocabularySize = 260 }).Save(directory);
        }

        using Process server = Process.Start(new ProcessStartInfo("dotnet", [tool, "serve", directory, "--urls", Url]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        server.OutputDataReceived += (_, _) => { };
        server.ErrorDataReceived += (_, line) => Console.Error.WriteLine(line.Data);
        server.BeginOutputReadLine();
        server.BeginErrorReadLine();
        try
        {
            using var http = new HttpClient { BaseAddress = new Uri(Url), Timeout = Timeout.InfiniteTimeSpan };
            await ReadyAsync(http).ConfigureAwait(false);
            var counts = new Counts();
            var clock = Stopwatch.StartNew();
            using var end = new CancellationTokenSource(duration);
            Task[] work = [.. Enumerable.Range(0, clients).Select(i => Task.Run(() => AskAsync(http, i, counts, end.Token)))];
            await Task.Delay(duration / 2).ConfigureAwait(false);
            long before = ResidentBytes(server);
            await Task.WhenAll(work).ConfigureAwait(false);
            long after = ResidentBytes(server);
            report($"{clients} streaming clients, {duration.TotalSeconds:F0} s: errors", counts.Errors, "errors");
            report($"{clients} streaming clients: complete answers", counts.Answers, "answers");
            report($"{clients} streaming clients: tokens of their answers", counts.Tokens / clock.Elapsed.TotalSeconds, "tokens/s");
            report($"{clients} streaming clients: memory of the server at the end against half-way", (double)after / before, "times");
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync().ConfigureAwait(false);
        }
    }

    private static async Task ReadyAsync(HttpClient http)
    {
        for (int i = 0; ; i++)
        {
            try
            {
                (await http.GetAsync(new Uri("/health", UriKind.Relative)).ConfigureAwait(false)).EnsureSuccessStatusCode();
                return;
            }
            catch (HttpRequestException) when (i < 300)
            {
                await Task.Delay(200).ConfigureAwait(false);
            }
        }
    }

    // An answer that is running when time is up is read to its end.
    private static async Task AskAsync(HttpClient http, int client, Counts counts, CancellationToken end)
    {
        for (int round = 0; !end.IsCancellationRequested; round++)
        {
            string body = $$"""
                {"messages": [{"role": "user", "content": "client {{client}}, question {{round}}"}], "stream": true, "stream_options": {"include_usage": true}, "max_tokens": {{32 + client % 64}}, "seed": {{client * 1000 + round}}}
                """;
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json")) };
                using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, CancellationToken.None).ConfigureAwait(false);
                response.EnsureSuccessStatusCode();
                using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(CancellationToken.None).ConfigureAwait(false));
                bool done = false;
                for (string? line; (line = await reader.ReadLineAsync(CancellationToken.None).ConfigureAwait(false)) is not null;)
                {
                    done |= line == "data: [DONE]";
                    counts.Add(Tokens(line));
                }

                counts.Answer(done);
            }
            catch (Exception error) when (error is HttpRequestException or IOException)
            {
                Console.Error.WriteLine(error.Message);
                counts.Answer(false);
            }
        }
    }

    // The last event of an answer counts its tokens.
    private static int Tokens(string line)
    {
        if (!line.StartsWith("data: {", StringComparison.Ordinal))
        {
            return 0;
        }

        using JsonDocument piece = JsonDocument.Parse(line.AsMemory("data: ".Length));
        return piece.RootElement.TryGetProperty("usage", out JsonElement usage) && usage.ValueKind == JsonValueKind.Object
            ? usage.GetProperty("completion_tokens").GetInt32()
            : 0;
    }

    private static long ResidentBytes(Process server)
    {
        string line = File.ReadLines($"/proc/{server.Id}/status").First(l => l.StartsWith("VmRSS", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    private sealed class Counts
    {
        private long _answers;
        private long _errors;
        private long _tokens;

        public long Answers => _answers;

        public long Errors => _errors;

        public long Tokens => _tokens;

        public void Answer(bool complete) => Interlocked.Increment(ref complete ? ref _answers : ref _errors);

        public void Add(int tokens) => Interlocked.Add(ref _tokens, tokens);
    }
}
