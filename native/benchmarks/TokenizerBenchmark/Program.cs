using System.Diagnostics;
using System.Text.Json;
using MiniMaxSharp.Tokenization;

// Times a tokenizer on texts: TokenizerBenchmark DIRECTORY PASSES FILE.json..., each file an array of texts. Every pass loads
// the tokenizer anew, so that its caches are empty. One JSON line a file: the fastest pass, and the ids' number and checksum.
var passes = int.Parse(args[1]);
foreach (var file in args.Skip(2))
{
    using var document = JsonDocument.Parse(File.ReadAllText(file));
    var texts = document.RootElement.EnumerateArray().Select(text => text.GetString()!).ToArray();
    var best = double.MaxValue;
    var (count, sum) = (0L, 0L);
    for (var pass = 0; pass < passes; pass++)
    {
        var tokenizer = Tokenizer.Load(args[0]);
        GC.Collect();
        (count, sum) = (0, 0);
        var start = Stopwatch.GetTimestamp();
        foreach (var text in texts)
        {
            foreach (var id in tokenizer.Encode(text))
            {
                count++;
                sum = ((sum * 31) + id) % 1_000_000_007;
            }
        }

        best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    Console.WriteLine($$"""{"file": "{{Path.GetFileName(file)}}", "seconds": {{best}}, "count": {{count}}, "sum": {{sum}}}""");
}
