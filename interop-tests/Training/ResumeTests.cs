using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Checkpoints of a run: whenever it stops, it ends in the bits of one that did not.</summary>
public sealed class ResumeTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public async Task A_run_taken_up_again_and_again_ends_in_the_bits_of_an_undisturbed_one(int staleness)
    {
        using var folder = new Folder();
        await RunAsync(folder["undisturbed"], staleness, 8);
        // In the middle of what a checkpoint covers, at a checkpoint, and before the first one.
        foreach (int stop in new[] { 1, 3, 6, 8 })
        {
            await RunAsync(folder["stopped"], staleness, stop);
        }

        Equal(folder["undisturbed"], folder["stopped"]);

        // All that may change on the way has changed.
        JsonNode states = JsonNode.Parse(TrainingCheckpoint.ReadState(Path.Combine(folder["undisturbed"], "checkpoint")))!["states"]!;
        Assert.InRange(DifficultyState.FromJson(states["difficulty"]!.ToJsonString())["sudoku"].Level, 2, 10);
        Assert.InRange(WindowState.FromJson(states["window"]!.ToJsonString()).Stage, 1, 2);
        Assert.NotEqual(LaserTargets.Unlimited(7), LaserTargets.FromJson(states["laser"]!.ToJsonString()));
    }

    [Fact]
    public async Task Waiting_rollouts_are_written_and_read_to_the_bit()
    {
        using var folder = new Folder();
        await RunAsync(folder["run"], 2, 4);
        string saved = TrainingCheckpoint.ReadState(Path.Combine(folder["run"], "checkpoint"));
        Assert.Equal(2, JsonNode.Parse(saved)!["rollouts"]!.AsArray().Count);
        // A run that begins at this checkpoint and is saved at once writes it again.
        await using var job = new ReinforcementJob(folder["run"], 2);
        Directory.Delete(Path.Combine(folder["run"], "checkpoint"), recursive: true);
        await job.SaveAsync();
        Assert.Equal(saved, TrainingCheckpoint.ReadState(Path.Combine(folder["run"], "checkpoint")));
    }

    // A property that is new here has to be written and read by RolloutJson, too.
    [Theory]
    [InlineData(typeof(RolloutPrompt), "Data", "Tokens")]
    [InlineData(typeof(Response), "Completion", "Prompt", "Text")]
    [InlineData(typeof(RewardResult), "Parts", "Score")]
    [InlineData(typeof(Rollout), "Advantage", "Group", "OldLogProbabilities", "Response", "Reward", "Sequence")]
    [InlineData(typeof(Completion), "Experts", "Injected", "LogProbabilities", "Reason", "Text", "Tokens")]
    [InlineData(typeof(RolloutBatch), "Groups", "Informative", "Seconds")]
    public void A_rollout_holds_nothing_that_a_checkpoint_would_lose(Type type, params string[] known) =>
        Assert.Equal(known, type.GetProperties().Select(p => p.Name).Order(StringComparer.Ordinal));

    [Fact]
    public async Task A_prompt_that_a_checkpoint_cannot_hold_is_refused()
    {
        using var folder = new Folder();
        await using var job = new ReinforcementJob(folder["run"], 1, data: new Version(1, 2));
        Assert.Contains("System.Version", (await Assert.ThrowsAsync<NotSupportedException>(() => job.RunAsync(2))).Message, StringComparison.Ordinal);
        Assert.False(TrainingCheckpoint.Exists(job.Checkpoint));
    }

    [Fact]
    public async Task A_checkpoint_of_another_run_is_refused()
    {
        using var folder = new Folder();
        await RunAsync(folder["run"], 1, 2);
        Refuses("seed", () => new ReinforcementJob(folder["run"], 1, seed: 6));
        Refuses("staleness", () => new ReinforcementJob(folder["run"], 2));
        Refuses("states", () => new ReinforcementJob(folder["run"], 1, more: [new Empty("stage")]));
        Assert.Throws<ArgumentException>(() => new ReinforcementJob(folder["other"], 1, more: [new Empty("difficulty")]));

        static void Refuses(string what, Func<ReinforcementJob> load) =>
            Assert.Contains(what, Assert.Throws<InvalidOperationException>(load).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_state_is_named()
    {
        using var folder = new Folder();
        await RunAsync(folder["run"], 1, 2);
        string file = Path.Combine(folder["run"], "checkpoint", "training.json");
        string whole = File.ReadAllText(file);
        foreach (string damaged in new[] { whole[..^5], whole.Replace("\"tokens\"", "\"tokes\""), whole.Replace("\"step\"", "\"stop\""), whole.Replace("\"Easy\"", "\"Easi\""), whole.Replace("\"level\"", "\"lewel\"") })
        {
            File.WriteAllText(file, damaged);
            Assert.Contains("checkpoint", Assert.Throws<InvalidDataException>(() => new ReinforcementJob(folder["run"], 1)).Message, StringComparison.Ordinal);
        }
    }

    // Twenty kills with MINIMAX_KILLS=20; each costs a start of the process.
    [Fact]
    public void A_process_killed_at_random_moments_ends_in_the_bits_of_an_undisturbed_one()
    {
        int kills = int.Parse(Environment.GetEnvironmentVariable("MINIMAX_KILLS") ?? "3", CultureInfo.InvariantCulture);
        // More than the killed processes can do together, so that each is killed in its work.
        int steps = 4 * kills + 4;
        using var folder = new Folder();
        Finish(folder["undisturbed"], steps);
        var random = new SplitMix64(20);
        for (int i = 0; i < kills; i++)
        {
            using Process run = Start(folder["killed"], steps);
            KillAfter(1 + random.Below(4), random.Below(200_000), run);
        }

        Finish(folder["killed"], steps);
        Equal(folder["undisturbed"], folder["killed"]);
    }

    private static async Task RunAsync(string directory, int staleness, int steps)
    {
        await using var job = new ReinforcementJob(directory, staleness);
        await job.RunAsync(steps);
    }

    private static void Equal(string expected, string actual)
    {
        string[] files = [.. Files(expected)];
        Assert.Equal(files, Files(actual));
        Assert.Contains(Path.Combine("checkpoint", "optimizer.safetensors"), files);
        foreach (string file in files)
        {
            Assert.True(File.ReadAllBytes(Path.Combine(expected, file)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(actual, file))), $"{file} differs");
        }

        static IEnumerable<string> Files(string root) =>
            Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(root, f)).Order(StringComparer.Ordinal);
    }

    private static void Finish(string directory, int steps)
    {
        using Process run = Start(directory, steps);
        string output = run.StandardOutput.ReadToEnd();
        run.WaitForExit();
        Assert.True(run.ExitCode == 0, output);
    }

    private static Process Start(string directory, int steps) => Process.Start(new ProcessStartInfo(
        "dotnet", [typeof(ReinforcementJob).Assembly.Location, directory, steps.ToString(CultureInfo.InvariantCulture), "1"])
    {
        RedirectStandardOutput = true,
    })!;

    // It says when a step is done. A random while after that it is amid the checkpoint, or in the next step.
    private static void KillAfter(int lines, int spins, Process run)
    {
        for (int i = 0; i < lines; i++)
        {
            Assert.NotNull(run.StandardOutput.ReadLine());
        }

        Thread.SpinWait(spins);
        run.Kill();
        run.WaitForExit();
        Assert.NotEqual(0, run.ExitCode);
    }

    private sealed class Empty(string name) : ICheckpointedState
    {
        public string Name => name;

        public JsonNode Save() => 0;

        public void Load(JsonNode state)
        {
        }
    }

    private sealed class Folder : IDisposable
    {
        private readonly string _root = Directory.CreateTempSubdirectory("resume").FullName;

        public string this[string name] => Path.Combine(_root, name);

        public void Dispose() => Directory.Delete(_root, recursive: true);
    }
}
