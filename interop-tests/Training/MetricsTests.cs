using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Tests.Checkpoints;
using MiniMaxSharp.Training;
using Spectre.Console;

namespace MiniMaxSharp.Tests.Training;

/// <summary>What a step says: its numbers, the files of them, and the console.</summary>
public sealed class MetricsTests
{
    [Fact]
    public async Task A_step_has_the_metrics_that_users_expect()
    {
        TrainingMetrics metrics = TrainingMetrics.Of(await Steps.Real()).With(MetricNames.WindowStage, 2);
        foreach (string name in new[]
        {
            "reward", "reward_std", "rewards/even/mean", "frac_reward_zero_std", "entropy", "cispo_clip_ratio", "completions/mean_length", "completions/min_length",
            "completions/max_length", "completions/p50_length", "completions/p99_length", "completions/truncated_ratio", "repetition_stop_rate",
            "generated_perplexity", "rollout_trainer_pearson", "grad_norm", "lr", "tokens_per_second", "step_time", "expert_load_cv", "window_stage",
        })
        {
            Assert.True(double.IsFinite(metrics[name]), name);
        }

        Assert.Equal(metrics.Values.Length, metrics.Values.DistinctBy(v => v.Name).Count());
        Assert.InRange(metrics["generated_perplexity"], 1, Support.TinyModels.Vocabulary * 4);
        Assert.Equal(1, metrics["completions/truncated_ratio"]);
    }

    [Fact]
    public async Task Rewards_lengths_and_perplexities_are_what_the_rollouts_say()
    {
        PolicyStep real = await Steps.Real();
        PolicyStep step = real with
        {
            Reward = 0.5,
            Kl = 0.25,
            Rollouts =
            [
                Steps.Rollout(0, 1, [-1, -1, -1, -1], 1, new() { ["correct"] = 1, ["format"] = 1 }),
                Steps.Rollout(0, 0, [-1, -1, -1, -1, -1, -1, -2, -2], -1, new() { ["format"] = 0 }, FinishReason.Repetition),
            ],
        };
        TrainingMetrics metrics = TrainingMetrics.Of(step);
        Assert.Equal(0.5, metrics["reward_std"], 12);
        Assert.Equal(0.25, metrics["kl"]);
        Assert.Equal(1, metrics["rewards/correct/mean"]);
        Assert.Equal(0.5, metrics["rewards/format/mean"]);
        Assert.Equal(6, metrics["completions/mean_length"]);
        Assert.Equal(4, metrics["completions/positive_mean_length"]);
        Assert.Equal(8, metrics["completions/negative_mean_length"]);
        Assert.Equal(-1, metrics["length_reward_correlation"], 12);
        Assert.Equal(0.5, metrics["repetition_stop_rate"]);
        Assert.Equal(Math.Exp(14.0 / 12), metrics["generated_perplexity"], 6);
        Assert.Equal(Math.Exp(5.0 / 3 - 1), metrics["tail_perplexity_ratio"], 6);
        Assert.Equal(new CollapseSignals(metrics["generated_perplexity"], metrics["tail_perplexity_ratio"], 4, 8), CollapseSignals.Of(metrics));
        Assert.Equal(new WindowObservation(metrics["generated_perplexity"], 8), WindowObservation.Of(metrics));
    }

    [Fact]
    public async Task What_was_not_measured_is_missing()
    {
        PolicyStep real = await Steps.Real();
        TrainingMetrics metrics = TrainingMetrics.Of(real with { Rollouts = [Steps.Rollout(0, 1, [-1], 0)], RolloutTrainerPearson = double.NaN });
        foreach (string name in new[] { "completions/positive_mean_length", "length_reward_correlation", "rollout_trainer_pearson", "tail_perplexity_ratio" })
        {
            Assert.True(double.IsNaN(metrics[name]), name);
            Assert.DoesNotContain(name, metrics.Values.Select(v => v.Name));
        }
    }

    [Fact]
    public async Task Pass_rates_go_by_task_and_difficulty()
    {
        TaskInstance easy = TaskRegistry.Get("dyck_language").Generate(1, 1, PromptStyle.Compact), hard = TaskRegistry.Get("dyck_language").Generate(10, 1, PromptStyle.Compact);
        PolicyStep real = await Steps.Real();
        PolicyStep step = real with
        {
            Rollouts =
            [
                Steps.Rollout(0, 1.4, [-1], 1, data: easy), Steps.Rollout(0, 0.2, [-1], -1, new() { ["correct"] = 0 }, data: easy),
                Steps.Rollout(1, 0.3, [-1], 0, new() { ["format"] = 1, ["rule/correct"] = 0 }, data: hard), Steps.Rollout(1, -0.5, [-1], 0, data: hard), Steps.Rollout(2, 1, [-1], 0),
            ],
        };
        Assert.Equal(
            [("pass_rate/dyck_language", 0.25), ("pass_rate/dyck_language/1", 0.5), ("pass_rate/dyck_language/10", 0)],
            TrainingMetrics.Of(step).Values.Where(v => v.Name.StartsWith("pass_rate", StringComparison.Ordinal)));
        IReadOnlyList<SampleAnswer> answers = SampleAnswer.Of(step.Rollouts, _ => "asked");
        Assert.Equal([("", true), ("dyck_language", true), ("dyck_language", false)], answers.Select(a => (a.Task, a.Correct)));
        Assert.Equal(["asked", easy.Prompt, easy.Prompt], answers.Select(a => a.Prompt));
        Assert.Equal("reward 0.2, correct 0", answers[2].Reason);
    }

    [Fact]
    public void Logs_are_read_back_and_cut_to_what_a_checkpoint_knows()
    {
        using var folder = new TemporaryFolder();
        long known;
        using (var log = new MetricsLog(folder["metrics.jsonl"]))
        {
            log.Write("skill", 0, ("loss", 1.5), ("nothing", double.NaN));
            known = log.Length;
            log.Write("skill", 1, new TrainingMetrics([("loss", 9)]));
        }

        using (var log = new MetricsLog(folder["metrics.jsonl"], known))
        {
            log.Write("cispo", 0, ("reward", 0.25));
            Assert.Equal(2, MetricsLog.Read(folder["metrics.jsonl"]).Count);
        }

        IReadOnlyList<MetricsLine> lines = MetricsLog.Read(folder["metrics.jsonl"]);
        Assert.Equal([("skill", 0), ("cispo", 0)], lines.Select(l => (l.Phase, l.Step)));
        Assert.Equal([("loss", 1.5)], lines[0].Values.Select(v => (v.Key, v.Value)));
        Assert.Throws<InvalidDataException>(() => new MetricsLog(folder["metrics.jsonl"], 10_000));

        var answer = new SampleAnswer("task", "a \"prompt\"\n", "好 <b>", true, "reward 1");
        using (var log = new ExampleLog(folder["examples.jsonl"]))
        {
            log.Write("cispo", 3, [answer]);
        }

        Assert.Equal([new ExampleLine("cispo", 3, answer)], ExampleLog.Read(folder["examples.jsonl"]));
    }

    [Theory]
    [InlineData("step_time", true)]
    [InlineData("generation_seconds", true)]
    [InlineData("tokens_per_second", true)]
    [InlineData("reward", false)]
    public void Times_are_known_by_name(string name, bool time) => Assert.Equal(time, MetricNames.IsTime(name));

    [Fact]
    public async Task A_pipe_gets_a_line_now_and_then()
    {
        var output = new Screen(terminal: false, 20);
        await LiveConsole.RunAsync(console =>
        {
            console.Say("begins");
            for (int step = 1; step <= 100; step++)
            {
                console.Show("skill", step, 100, new TrainingMetrics([("loss", 0.5), ("unheard of", 1)]), TimeSpan.FromSeconds(125 - step));
            }

            return Task.FromResult(0);
        }, console: output.Console());

        string[] lines = output.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(51, lines.Length);
        Assert.Equal("skill step 2/100: loss 0.500, 2:03 left", lines[1]);
        Assert.DoesNotContain('\u001b', output.Text);
    }

    [Fact]
    public async Task A_terminal_has_rows_that_are_drawn_over()
    {
        var output = new Screen(terminal: true, 30);
        await LiveConsole.RunAsync(console =>
        {
            foreach (double reward in new[] { 0.0, 0.5, 1.0 })
            {
                console.Show("cispo", 1, null, new TrainingMetrics([("reward", reward), ("pass_rate/dyck_language_with_a_long_name", 0.5), ("pass_rate/a/3", 1)]));
            }

            console.Say("done");
            return Task.FromResult(0);
        }, console: output.Console());
        string last = output.Text[output.Text.LastIndexOf("done", StringComparison.Ordinal)..];
        Assert.All(last.Split('\n', '\r'), row => Assert.InRange(Regex.Replace(row, "\u001b\\[[0-9;?]*[A-Za-z]", "").Length, 0, 30));
        Assert.Contains("reward", last, StringComparison.Ordinal);
        Assert.True(Regex.Count(output.Text, "cispo step 1") >= 4, "drawn for every step, and again below what was said");
        Assert.Contains("\u001b[", output.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_terminal_shows_the_curve_of_the_last_values()
    {
        var output = new Screen(terminal: true, 80);
        await LiveConsole.RunAsync(console =>
        {
            for (int i = 0; i < 40; i++)
            {
                console.Show("cispo", i, 40, new TrainingMetrics([("reward", i)]));
            }

            Assert.Matches("reward +39.000 +▁▁▁▁▂▂▂▃▃▃▄▄▄▄▅▅▅▆▆▆▇▇▇█", output.Text);
            console.Show("later", 0, 40, new TrainingMetrics([("reward", 1)]));
            return Task.FromResult(0);
        }, console: output.Console());
        Assert.Matches("reward +1.000 +▁[^▁]*$", output.Text);
    }

    private sealed class Screen(bool terminal, int width) : IAnsiConsoleOutput
    {
        private readonly StringWriter _writer = new(CultureInfo.InvariantCulture) { NewLine = "\n" };

        public TextWriter Writer => _writer;

        public bool IsTerminal => terminal;

        public int Width => width;

        public int Height => 40;

        public string Text => _writer.ToString();

        public IAnsiConsole Console() => AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = terminal ? AnsiSupport.Yes : AnsiSupport.No,
            Interactive = terminal ? InteractionSupport.Yes : InteractionSupport.No,
            Out = this,
        });

        public void SetEncoding(Encoding encoding)
        {
        }
    }
}
