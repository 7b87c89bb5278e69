using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Cli;

/// <summary>minimax tasks selftest: every task on many seeds, task by task on one thread, so that the times are those of the generators.</summary>
internal static class TasksSelfTestCommand
{
    public static Command Create(TextWriter output)
    {
        var seeds = new Option<int>("--seeds") { DefaultValueFactory = _ => 10_000, Description = "Seeds a task, the ten difficulties in turn" };
        var task = new Option<string[]>("--task") { Description = "Only this task; may be given several times" };
        var target = new Option<string?>("--output") { Description = "Also write all counts to this file" };
        var command = new Command("selftest", $"""
            Try generators and verifiers on many seeds.

            A task passes if every puzzle can be solved, its own solution is accepted, wrong answers of {Enum.GetValues<WrongAnswer>().Length} kinds are
            refused, different puzzles have different canonical hashes, and no instance at difficulty {SelfTest.TimedDifficulty} takes {SelfTest.MostMilliseconds} ms.
            A spoilt answer that is right all the same, by a check apart from the verifier, is counted as skipped. Exit code 1: a task failed.
            """) { seeds, task, target };
        command.SetAction((result, cancellation) => Commands.GuardedAsync(result, () => Task.Run(() =>
            Run([.. Chosen(result.GetValue(task))], result.GetValue(seeds), result.GetValue(target), output, cancellation))));
        return command;
    }

    private static IEnumerable<IReasoningTask> Chosen(string[]? names) => names is { Length: > 0 } ? names.Select(TaskRegistry.Get) : TaskRegistry.All;

    private static int Run(IReasoningTask[] tasks, int seeds, string? path, TextWriter output, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(seeds, 1, "--seeds");
        var results = new List<SelfTestResult>();
        foreach (IReasoningTask task in tasks)
        {
            results.Add(SelfTest.Run(task, seeds, cancellation));
            output.WriteLine(Describe(results[^1]));
        }

        if (path is not null)
        {
            AtomicFile.Write(path, stream => Write(results, seeds, stream));
        }

        int failed = results.Count(result => !Passes(result));
        output.WriteLine($"{results.Count - failed} of {results.Count} tasks passed");
        return failed == 0 ? 0 : 1;
    }

    private static bool Passes(SelfTestResult result) => result is { IsSound: true, IsFast: true };

    private static string Describe(SelfTestResult result)
    {
        string verdict = Passes(result) ? "passed" : $"FAILED ({result.FirstFault ?? "too slow"})";
        int made = result.WrongAnswers.Sum(count => count.Made), refused = result.WrongAnswers.Sum(count => count.Refused), skipped = result.WrongAnswers.Sum(count => count.Skipped);
        return string.Create(CultureInfo.InvariantCulture, $"{result.Task}: {verdict}; {result.Seeds} seeds, {result.Unsolvable} unsolvable, {result.RefusedSolutions} solutions refused, "
            + $"{refused} of {made} wrong answers refused, {skipped} right after all, {result.Repeats} repeats, {result.Collisions} collisions; "
            + $"{result.Times.Mean:F2} ms an instance, 99 % under {result.Times.P99:F2}, at most {result.Times.Max:F2}");
    }

    private static void Write(List<SelfTestResult> results, int seeds, Stream stream)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("date", DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture));
        json.WriteString("commit", Commit());
        json.WriteString("machine", $"{Processor()}, {Environment.ProcessorCount} processors, {RuntimeInformation.RuntimeIdentifier}, {RuntimeInformation.FrameworkDescription}");
        json.WriteNumber("seeds", seeds);
        json.WriteNumber("timed_difficulty", SelfTest.TimedDifficulty);
        json.WriteNumber("most_milliseconds", SelfTest.MostMilliseconds);
        json.WriteBoolean("passed", results.All(Passes));
        json.WriteStartArray("tasks");
        foreach (SelfTestResult result in results)
        {
            Write(result, json);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(SelfTestResult result, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("task", result.Task);
        json.WriteBoolean("passed", Passes(result));
        json.WriteNumber("seeds", result.Seeds);
        json.WriteNumber("unsolvable", result.Unsolvable);
        json.WriteNumber("refused_solutions", result.RefusedSolutions);
        json.WriteNumber("accepted_wrong_answers", result.WrongAnswers.Sum(count => count.Accepted));
        json.WriteNumber("repeats", result.Repeats);
        json.WriteNumber("collisions", result.Collisions);
        json.WriteNumber("mean_ms", Math.Round(result.Times.Mean, 3));
        json.WriteNumber("p99_ms", Math.Round(result.Times.P99, 3));
        json.WriteNumber("max_ms", Math.Round(result.Times.Max, 3));
        json.WriteString("first_fault", result.FirstFault);
        json.WriteStartObject("wrong_answers");
        foreach (WrongAnswerCount count in result.WrongAnswers)
        {
            json.WriteStartObject(JsonNamingPolicy.SnakeCaseLower.ConvertName(count.Kind.ToString()));
            json.WriteNumber("made", count.Made);
            json.WriteNumber("refused", count.Refused);
            json.WriteNumber("skipped", count.Skipped);
            json.WriteNumber("accepted", count.Accepted);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>What the SDK puts behind the version when it builds from a repository.</summary>
    private static string Commit() =>
        Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+') is [_, var commit] ? commit : "unknown";

    /// <summary>The processor's name where the system tells it.</summary>
    private static string Processor() => File.Exists("/proc/cpuinfo")
        ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[^1].Trim() ?? "unknown processor"
        : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? "unknown processor";
}
