using System.Diagnostics;
using System.Net;
using System.Text.RegularExpressions;
using MiniMaxSharp.Cli;
using MiniMaxSharp.Tests.Checkpoints;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>minimax report, and the sample that writes one of its own.</summary>
public sealed class ReportTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Runs_lie_over_one_another_and_seeds_make_a_band()
    {
        string[] runs = [Run("grpo-seed-0", 0.1), Run("grpo-seed-1", 0.3), Run("dapo<", 0.2)];
        (int code, string output, string errors) = Report(runs);
        Assert.Equal("", errors);
        Assert.Equal(0, code);
        Assert.Contains("3 runs, 6 steps", output, StringComparison.Ordinal);
        string page = File.ReadAllText(_folder["report.html"]);
        string reward = Chart(page, "Reward (cispo)");
        Assert.Contains("grpo (2 seeds)", reward, StringComparison.Ordinal);
        Assert.Contains("dapo&lt;", reward, StringComparison.Ordinal);
        Assert.Equal(2, Regex.Count(reward, "<polyline"));
        Assert.Equal(1, Regex.Count(reward, "<polygon"));

        // 0.2 + 0.5 and one deviation of (0.6, 0.8), unbiased.
        Assert.Contains("<td>cispo: reward</td><td>0.7 ± 0.14 (2)</td><td>0.7</td>", WebUtility.HtmlDecode(page), StringComparison.Ordinal);
        Assert.DoesNotContain("http", page, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void One_run_shows_what_there_is_to_see()
    {
        string run = Run("one", 0.1);
        using (var examples = new ExampleLog(Path.Combine(run, RunLog.ExamplesFile)))
        {
            examples.Write("cispo", 1, [new SampleAnswer("dyck_language", "close <b>", "& that", true, "reward 1")]);
        }

        Assert.Equal(0, Report(run).Code);
        string page = File.ReadAllText(_folder["report.html"]);
        foreach (string chart in new[]
        {
            "Reward (cispo)", "Pass rate by task (cispo)", "Pass rate of dyck_language by difficulty (cispo)", "Length of a response, tokens (cispo)",
            "Share of tokens whose importance weight was capped (cispo)", "Entropy of a token, nats (cispo)", "Correlation of the probabilities of sampler and trainer (cispo)",
            "Expert load, coefficient of variation (cispo)", "Parts of the reward (cispo)",
        })
        {
            Assert.Contains("<polyline", Chart(page, chart), StringComparison.Ordinal);
        }

        Assert.Equal(3, Regex.Count(Chart(page, "Length of a response, tokens (cispo)"), "<polyline"));
        Assert.DoesNotContain("Divergence", page, StringComparison.Ordinal);
        Assert.Contains("Examples of one, cispo step 1", page, StringComparison.Ordinal);
        Assert.Contains("close &lt;b&gt;", page, StringComparison.Ordinal);
        Assert.Contains("&amp; that", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("grpo-seed-3", "grpo")]
    [InlineData("grpo_seed12", "grpo")]
    [InlineData("runs/seed-0", "runs")]
    [InlineData("seed-0", "seed-0")]
    [InlineData("lr-1", "lr-1")]
    [InlineData("reseed-1", "reseed-1")]
    public void Runs_are_grouped_by_their_names_up_to_the_seed(string name, string group) => Assert.Equal(group, new RunLog(name, [], []).Group);

    [Fact]
    public void A_folder_that_names_only_a_seed_goes_by_the_one_above()
    {
        string[] runs = [Run("grpo/seed-0", 0), Run("dapo/seed-0", 0)];
        Assert.Equal(["grpo/seed-0", "dapo/seed-0"], RunLog.Load(runs).Select(r => r.Name));
        Assert.Contains("called one", Report(Run("a/one", 0), Run("b/one", 0)).Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"phase\":\"cispo\",\"step\":")]
    [InlineData("{\"phase\":\"cispo\"}")]
    [InlineData("{\"phase\":7,\"step\":1}")]
    [InlineData("{\"phase\":\"cispo\",\"step\":1.5}")]
    [InlineData("{\"phase\":\"cispo\",\"step\":1,\"reward\":1,\"reward\":2}")]
    [InlineData("[]")]
    [InlineData("")]
    public void A_broken_line_is_named(string line)
    {
        string metrics = Path.Combine(Run("one", 0.1), RunLog.MetricsFile);
        File.AppendAllText(metrics, line + "\n");
        (int code, _, string errors) = Report(Path.GetDirectoryName(metrics)!);
        Assert.Equal(2, code);
        Assert.StartsWith($"{metrics}, line 3: ", errors, StringComparison.Ordinal);
        Assert.Single(errors.Trim().Split('\n'));
        Assert.False(File.Exists(_folder["report.html"]));
    }

    [Fact]
    public void A_folder_without_a_run_is_named()
    {
        (int code, _, string errors) = Report(_folder["nowhere"]);
        Assert.Equal(2, code);
        Assert.Contains($"{_folder["nowhere"]} has no metrics.jsonl", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_sample_learns_from_a_reward_of_its_own()
    {
        using Process sample = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "CustomReward"), [_folder["sample"]])
        {
            RedirectStandardOutput = true,
        })!;
        string output = await sample.StandardOutput.ReadToEndAsync();
        await sample.WaitForExitAsync();
        Assert.Equal(0, sample.ExitCode);
        Assert.Contains("report.html", output, StringComparison.Ordinal);
        double[] rewards = [.. MetricsLog.Read(_folder["sample/metrics.jsonl"]).Select(l => l.Values["reward"])];
        Assert.True(rewards.TakeLast(3).Average() > rewards[0] + 0.3, string.Join(' ', rewards));
        Assert.NotEmpty(ExampleLog.Read(_folder["sample/examples.jsonl"]));
    }

    private static string Chart(string page, string caption) =>
        page.Split("<figure>").SingleOrDefault(f => f.StartsWith($"<figcaption>{caption}", StringComparison.Ordinal)) ?? throw new KeyNotFoundException(caption);

    private (int Code, string Output, string Errors) Report(params string[] runs)
    {
        using StringWriter output = new(), errors = new();
        int code = Commands.Run(["report", .. runs, "--output", _folder["report.html"]], output, errors);
        return (code, output.ToString(), errors.ToString());
    }

    // Two steps, the reward half a point higher in the second.
    private string Run(string name, double reward)
    {
        string directory = _folder[name];
        Directory.CreateDirectory(directory);
        using var log = new MetricsLog(Path.Combine(directory, RunLog.MetricsFile));
        for (int step = 0; step < 2; step++)
        {
            log.Write(
                "cispo", step, ("reward", reward + step * 0.5), ("pass_rate/dyck_language", 0.5), ("pass_rate/dyck_language/1", 0.6), ("pass_rate/dyck_language/10", 0.1),
                ("completions/mean_length", 10 + step), ("completions/p50_length", 10), ("completions/p99_length", 30), ("cispo_clip_ratio", 0), ("entropy", 1),
                ("rollout_trainer_pearson", 1), ("expert_load_cv", 0.3), ("rewards/format/mean", 1));
        }

        return directory;
    }
}
