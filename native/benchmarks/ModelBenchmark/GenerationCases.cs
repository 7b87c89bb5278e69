using System.Diagnostics;
using System.Globalization;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;

namespace ModelBenchmark;

/// <summary>The engine: a batch against one sequence, samples of one prompt with and without a shared prefix.</summary>
internal static class GenerationCases
{
    private const int NewTokens = 64;

    public static async Task RunAsync(MiniMaxForCausalLM model, int[] ids, Action<string, double, string> report)
    {
        Console.Error.WriteLine("decoding");
        (double one, int[] alone) = await DecodeAsync(model, ids, 1).ConfigureAwait(false);
        (double many, int[] among) = await DecodeAsync(model, ids, 32).ConfigureAwait(false);
        report("decode, batch 1", one, "tokens/s");
        report("decode, batch 32", many, "tokens/s");
        report("greedy text alone and among 32 differs at", alone.Zip(among).Count(p => p.First != p.Second), "tokens");
        Console.Error.WriteLine("rollouts");
        report("16 rollouts of 1,024 tokens, shared", await RolloutsAsync(model, ids[..1024], 1, 16).ConfigureAwait(false), "s");
        report("16 rollouts of 1,024 tokens, separate", await RolloutsAsync(model, ids[..1024], 16, 1).ConfigureAwait(false), "s");
    }

    // Tokens a second of all sequences together while every one is decoding, best of three; and what the first one said.
    private static async Task<(double TokensPerSecond, int[] First)> DecodeAsync(MiniMaxForCausalLM model, int[] ids, int batch)
    {
        var options = new GenerationOptions { MaxNewTokens = NewTokens, Temperature = 0, RepetitionTokens = int.MaxValue };
        var engine = new GenerationEngine(model, new EngineOptions { MaxSequences = batch, CacheTokens = batch * 256, SnapshotBytes = 0, PrefillTokens = 8192 });
        await using (engine.ConfigureAwait(false))
        {
            double best = 0;
            int[] first = [];
            for (int run = 0; run < 4; run++)
            {
                long start = 0, tokens = 0;
                await Task.WhenAll(Enumerable.Range(0, batch).Select(i => Task.Run(async () =>
                {
                    var answer = new List<int>();
                    await foreach (GenerationUpdate update in engine.GenerateAsync(new GenerationRequest(ids.AsMemory(i * 32, 32)), options).ConfigureAwait(false))
                    {
                        answer.Add(update.Token);
                        // All prompts are computed in the engine's first step, so every sequence has one token by then.
                        if (Interlocked.Increment(ref tokens) == batch)
                        {
                            start = Stopwatch.GetTimestamp();
                        }
                    }

                    first = i == 0 ? [.. answer] : first;
                }))).ConfigureAwait(false);
                double rate = (tokens - batch) / Stopwatch.GetElapsedTime(start).TotalSeconds;
                best = run == 0 ? 0 : Math.Max(best, rate);
            }

            return (best, first);
        }
    }

    private static async Task<double> RolloutsAsync(MiniMaxForCausalLM model, int[] prompt, int requests, int samples)
    {
        var options = new GenerationOptions { MaxNewTokens = NewTokens, RepetitionTokens = int.MaxValue };
        var engine = new GenerationEngine(model, new EngineOptions { MaxSequences = 16, CacheTokens = 16 * 1200, SnapshotBytes = 0, PrefillTokens = 2048 });
        await using (engine.ConfigureAwait(false))
        {
            double best = double.PositiveInfinity;
            for (int run = 0; run < 3; run++)
            {
                var clock = Stopwatch.StartNew();
                await Task.WhenAll(Enumerable.Range(0, requests).Select(i =>
                    engine.CompleteAsync(new GenerationRequest(prompt, (ulong)i, samples), options))).ConfigureAwait(false);
                best = Math.Min(best, clock.Elapsed.TotalSeconds);
            }

            return best;
        }
    }
}
