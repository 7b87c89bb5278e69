using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Training;

/// <summary>The main job, much shortened, as a process: what it leaves, and that kill -9 does not change where it ends.</summary>
public sealed partial class MainJobTests
{
    private static readonly string[] s_short =
        ["--skill-steps", "30", "--habit-steps", "4", "--cispo-steps", "12", "--test-instances", "9", "--plain", "--name", "job"];

    [Fact]
    public void A_killed_run_ends_in_the_bits_of_an_undisturbed_one()
    {
        string folder = Directory.CreateTempSubdirectory("job").FullName;
        try
        {
            string undisturbed = Path.Combine(folder, "undisturbed"), killed = Path.Combine(folder, "killed");
            using (Process run = Start(undisturbed))
            {
                run.WaitForExit();
                Assert.Equal(0, run.ExitCode);
            }

            // Once in the middle of supervision, once after CISPO's first checkpoint.
            foreach (string phase in new[] { "\"skill\"", "\"cispo\",\"step\":11" })
            {
                using Process run = Start(killed);
                WaitFor(Path.Combine(killed, "job", "metrics.jsonl"), phase, run);
                run.Kill();
                run.WaitForExit();
            }

            using (Process run = Start(killed))
            {
                run.WaitForExit();
                Assert.Equal(0, run.ExitCode);
            }

            Assert.Equal(Untimed(undisturbed), Untimed(killed));
            Assert.Equal(
                File.ReadAllBytes(Path.Combine(undisturbed, "job", "checkpoint", "model.safetensors")),
                File.ReadAllBytes(Path.Combine(killed, "job", "checkpoint", "model.safetensors")));
            RequireSummary(Path.Combine(undisturbed, "job"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Ctrl_C_saves_and_the_same_command_ends_in_the_same_bits()
    {
        string folder = Directory.CreateTempSubdirectory("job").FullName;
        try
        {
            string undisturbed = Path.Combine(folder, "undisturbed"), stopped = Path.Combine(folder, "stopped");
            Finish(undisturbed);

            // Amid supervision, within the examination after it, amid CISPO, within the last examination.
            foreach (string phase in new[] { "\"skill\",\"step\":7", "\"habit\",\"step\":3", "\"cispo\",\"step\":4", "\"cispo\",\"step\":11" })
            {
                using Process run = Start(stopped);
                WaitFor(Path.Combine(stopped, "job", "metrics.jsonl"), phase, run);
                Assert.Equal(0, Interrupt(run.Id, 2));
                run.WaitForExit();
                Assert.Equal(130, run.ExitCode);
            }

            Finish(stopped);
            Assert.Equal(Untimed(undisturbed), Untimed(stopped));
            Assert.Equal(
                File.ReadAllBytes(Path.Combine(undisturbed, "job", "checkpoint", "model.safetensors")),
                File.ReadAllBytes(Path.Combine(stopped, "job", "checkpoint", "model.safetensors")));

            using Process other = Start(stopped, "--cispo-steps", "13");
            other.WaitForExit();
            Assert.Equal(1, other.ExitCode);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Finish(string runs)
    {
        using Process run = Start(runs);
        run.WaitForExit();
        Assert.Equal(0, run.ExitCode);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Interrupt(int process, int signal);

    private static void RequireSummary(string run)
    {
        using JsonDocument summary = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "summary.json")));
        foreach (string key in new[]
        {
            "pass_rate_untrained", "pass_rate_warm_start", "pass_rate_cispo", "pass_rate_sft_control", "rollout_trainer_pearson",
            "tokens_per_second", "seconds", "seed",
        })
        {
            Assert.Equal(JsonValueKind.Number, summary.RootElement.GetProperty(key).ValueKind);
        }

        Assert.Equal(0, summary.RootElement.GetProperty("zero_gradient_tokens").GetInt64());
        Assert.InRange(summary.RootElement.GetProperty("rollout_trainer_pearson").GetDouble(), 0.9999, 1.0001);
        string report = File.ReadAllText(Path.Combine(run, "report.html"));
        Assert.Contains("<svg", report, StringComparison.Ordinal);
        Assert.DoesNotContain("http", report, StringComparison.OrdinalIgnoreCase);
        Assert.True(File.Exists(Path.Combine(run, "checkpoint", "tokenizer.json")));
    }

    private static Process Start(string runs, params string[] more)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "LogicReasoner.dll");
        // A shell that runs the tests in the background has Ctrl-C ignored, by what they start too.
        var start = new ProcessStartInfo("env", ["--default-signal=INT", "dotnet", program, "--runs", runs, .. s_short, .. more])
        {
            RedirectStandardOutput = true,
            WorkingDirectory = Repository.Root,
        };
        Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        return process;
    }

    private static void WaitFor(string file, string text, Process run)
    {
        while (!run.HasExited && !(File.Exists(file) && ReadShared(file).Contains(text, StringComparison.Ordinal)))
        {
            Thread.Sleep(5);
        }

        Assert.False(run.HasExited, string.Create(CultureInfo.InvariantCulture, $"the run ended before {text} was seen"));
    }

    private static string ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        return new StreamReader(stream).ReadToEnd();
    }

    private static string Untimed(string runs) =>
        Times().Replace(File.ReadAllText(Path.Combine(runs, "job", "metrics.jsonl")), "");

    [GeneratedRegex("\"[a-z_]*(seconds|per_second)\":[^,}]*,?")]
    private static partial Regex Times();
}
