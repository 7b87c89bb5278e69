using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using MiniMaxSharp.Cli;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Tests.Checkpoints;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;
using Json = System.Text.Json.Nodes.JsonObject;

namespace MiniMaxSharp.Tests.Cli;

/// <summary>minimax train as its users have it: settings in a file; a checkpoint, logs and a report out.</summary>
public sealed partial class TrainCommandTests(TrainCommandTests.Base taught) : IClassFixture<TrainCommandTests.Base>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Sft_with_the_least_of_settings_makes_100_steps_that_lower_the_loss()
    {
        Json settings = Settings(("model", taught.Untaught), ("output", _folder["tuned"]), ("data", taught.Lines));
        (int code, string output, string errors) = Run("sft", settings);
        Assert.True(code == 0, errors);
        Assert.Contains("supervised step 100/100: loss ", output, StringComparison.Ordinal);
        double[] losses = [.. MetricsLog.Read(_folder["tuned/metrics.jsonl"]).Select(l => l.Values["loss"])];
        Assert.Equal(100, losses.Length);
        Assert.InRange(losses[^1], 0, losses[0] - 0.5);
        Assert.NotEqual(File.ReadAllBytes(Path.Combine(taught.Untaught, "model.safetensors")), File.ReadAllBytes(_folder["tuned/model.safetensors"]));
        Assert.Equal(Tokenizer.Load(taught.Untaught).Encode("true false"), Tokenizer.Load(_folder["tuned"]).Encode("true false"));
        Assert.Equal(
            ["config.json", "metrics.jsonl", "report.html", "settings.json"],
            Directory.GetFiles(_folder["tuned"]).Select(Path.GetFileName).Intersect(["config.json", "metrics.jsonl", "report.html", "settings.json"]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Sft_stops_when_validation_data_gets_no_better_and_keeps_the_best()
    {
        // What is learnt says nothing of what is looked at.
        File.WriteAllText(_folder["other.jsonl"], """{"prompt": "true false", "completion": "not not not"}""");
        Json settings = Settings(
            ("model", taught.Model), ("output", _folder["tuned"]), ("data", taught.Lines), ("validation", _folder["other.jsonl"]), ("epochs", 20),
            ("tokens_per_step", 512), ("evaluate_every", 2), ("patience", 2), ("learning_rate", 0.01));
        (int code, string output, string errors) = Run("sft", settings);
        Assert.True(code == 0, errors);
        Assert.Contains("stopped early", output, StringComparison.Ordinal);
        IReadOnlyList<MetricsLine> lines = MetricsLog.Read(_folder["tuned/metrics.jsonl"]);
        (int Step, double Loss)[] looks = [.. lines.Where(l => l.Phase == "validation").Select(l => (l.Step, l.Values["loss"]))];
        Assert.Equal(looks.Select((_, i) => 2 * i), looks.Select(l => l.Step));
        Assert.Equal(looks[^1].Step, lines.Count(l => l.Phase == "supervised"));
        Assert.Equal(looks.MinBy(l => l.Loss), looks[^3]);
        Assert.All(lines.Where(l => l.Phase == "supervised"), l => Assert.InRange(l.Values["tokens"], 1, 512));
    }

    [Fact]
    public void An_adapter_is_saved_by_itself_and_merged()
    {
        Json settings = Settings(
            ("model", taught.Model), ("output", _folder["tuned"]), ("data", taught.Lines), ("steps", 3), ("batch", 4), ("learning_rate", 0.01),
            ("lora", Settings(("rank", 2), ("alpha", 4), ("modules", new JsonArray("attention", "experts", "head")))));
        Assert.Equal((0, ""), Outcome(Run("sft", settings)));
        LoraWeights weights = LoraWeights.Load(_folder["tuned/adapter"]);
        Assert.Equal((2, 4f), (weights.Rank, weights.Alpha));
        Assert.Contains("lm_head", weights.Modules.Keys);
        Assert.Contains(weights.Modules.Keys, m => m.EndsWith("w2", StringComparison.Ordinal));

        using Device device = Device.Cpu();
        using MiniMaxForCausalLM expected = MiniMaxForCausalLM.Load(taught.Model, device), merged = MiniMaxForCausalLM.Load(_folder["tuned"], device);
        Assert.NotEqual(Weights(expected), Weights(merged));
        LoraAdapter.Attach(expected, weights).Merge();
        Assert.Equal(Weights(expected), Weights(merged));
    }

    [Fact]
    public void Cispo_with_the_least_of_settings_is_rl_with_that_method()
    {
        Json settings = Settings(
            ("model", taught.Model), ("output", _folder["cispo"]), ("tasks", new JsonArray("boolean_expressions")), ("steps", 2),
            ("max_new_tokens", 12));
        (int code, string output, string errors) = Run("cispo", settings);
        Assert.True(code == 0, errors);
        Assert.StartsWith("reinforcement step 1/2: reward ", output, StringComparison.Ordinal);
        settings["output"] = _folder["rl"];
        Assert.Equal((0, ""), Outcome(Run("rl", settings)));
        Same("cispo", "rl");
        Assert.False(Directory.Exists(_folder["rl/progress"]));
        MetricsLine[] lines = [.. MetricsLog.Read(_folder["rl/metrics.jsonl"])];
        Assert.All(lines, l => Assert.True(l.Values["updates"] > 0));
        Assert.True(lines[0].Values.ContainsKey("rewards/correct/mean") && lines[0].Values.ContainsKey("rewards/format/mean"));
        settings["method"] = "grpo";
        Assert.Contains("minimax train rl", Run("cispo", settings).Errors, StringComparison.Ordinal);
    }

    public static TheoryData<string> Runs => new(
        """
        {"difficulty": "curriculum", "staleness": 1, "laser": {"variant": "laser_de", "candidate_step": 2, "update_every": 2, "monitoring_prompts": 3}, "mask_truncated": true}
        """,
        """{"method": "ppo", "difficulty": 2, "kl_weight": 0.1, "kl_estimator": "k2", "correction": "truncated", "replay_routing": true}""");

    [Theory]
    [MemberData(nameof(Runs))]
    public void A_run_that_is_killed_and_interrupted_ends_in_the_bits_of_an_undisturbed_one(string method)
    {
        Json settings = Settings(
            ("model", taught.Model), ("output", _folder["undisturbed"]), ("tasks", new JsonArray("boolean_expressions", "web_of_lies")), ("steps", 16), ("prompts", 4),
            ("group_size", 4), ("max_new_tokens", 12), ("learning_rate", 1e-3), ("save_every", 2), ("evaluate_every", 3), ("evaluation_puzzles", 4),
            ("evaluation_samples", 2), ("evaluation_levels", new JsonArray(1, 2)), ("seed", 3));
        foreach ((string name, JsonNode? value) in JsonNode.Parse(method)!.AsObject())
        {
            settings[name] = value?.DeepClone();
        }

        Assert.Equal((0, ""), Outcome(Run("rl", settings)));
        settings["output"] = _folder["disturbed"];
        Disturb("rl", settings);
        settings["learning_rate"] = 1e-4;
        (int code, _, string errors) = Run("rl", settings);
        Assert.Equal(2, code);
        Assert.Contains("'learning_rate' is 0.001, not 0.0001", errors, StringComparison.Ordinal);

        settings["learning_rate"] = 1e-3;
        (code, string output, errors) = Run("rl", settings);
        Assert.True(code == 0, errors);
        Assert.StartsWith("Resumed after step ", output, StringComparison.Ordinal);
        Same("undisturbed", "disturbed");
        MetricsLine[] lines = [.. MetricsLog.Read(_folder["disturbed/metrics.jsonl"])];
        Assert.Contains(lines, l => l.Phase == "reinforcement" && l.Values["updates"] > 0);
        Assert.Equal([3, 6, 9, 12, 15], lines.Where(l => l.Phase == "evaluation").Select(l => l.Step));
        Assert.All(lines.Where(l => l.Phase == "evaluation"), l => Assert.InRange(l.Values["pass_at_2"], l.Values["pass_rate"], 1));
        Assert.Equal(method.Contains("ppo", StringComparison.Ordinal), lines[0].Values.ContainsKey("value_loss"));
        Assert.Equal(method.Contains("laser", StringComparison.Ordinal), lines[0].Values.ContainsKey("rewards/target/mean"));
    }

    [Theory]
    [InlineData("sft", """{"steps": 30, "batch": 4, "evaluate_every": 4}""")]
    [InlineData("sft", """{"epochs": 30, "tokens_per_step": 512, "patience": 0, "lora": {"rank": 2, "modules": ["attention", "experts"]}}""")]
    [InlineData("dpo", """{"epochs": 15, "batch": 4}""")]
    [InlineData("dpo", """{"epochs": 15, "batch": 4, "lora": {"rank": 2}}""")]
    public void Tuning_that_is_killed_and_interrupted_ends_in_the_bits_of_an_undisturbed_one(string kind, string more)
    {
        File.WriteAllLines(_folder["pairs.jsonl"], Enumerable.Range(0, 8).Select(i => $$"""{"prompt": "true {{(i % 2 == 0 ? "and" : "or")}} false", "chosen": "false", "rejected": "true"}"""));
        string data = kind == "sft" ? taught.Lines : _folder["pairs.jsonl"];
        Json settings = Settings(
            ("model", taught.Model), ("output", _folder["undisturbed"]), ("data", data), ("validation", data), ("save_every", 2), ("learning_rate", 1e-3));
        foreach ((string name, JsonNode? value) in JsonNode.Parse(more)!.AsObject())
        {
            settings[name] = value?.DeepClone();
        }

        Assert.Equal((0, ""), Outcome(Run(kind, settings)));
        settings["output"] = _folder["disturbed"];
        Disturb(kind, settings);
        (int code, string output, string errors) = Run(kind, settings);
        Assert.True(code == 0, errors);
        Assert.StartsWith("Goes on with the unfinished run.", output, StringComparison.Ordinal);
        Same("undisturbed", "disturbed");
        Assert.False(Directory.Exists(_folder["disturbed/progress"]) || File.Exists(_folder["disturbed/examples.jsonl"]));
        if (settings["lora"] is not null)
        {
            SameBytes("adapter/adapter_model.safetensors", "undisturbed", "disturbed");
        }
    }

    [Theory]
    [InlineData("dapo", "batch_token")]
    [InlineData("grpo", "combined")]
    [InlineData("reinforce", "prompt")]
    public void The_other_methods_train(string method, string aggregation)
    {
        Json settings = Settings(
            ("model", taught.Model), ("output", _folder["trained"]), ("tasks", new JsonArray("boolean_expressions")), ("steps", 1),
            ("max_new_tokens", 12), ("method", method), ("aggregation", aggregation), ("prompts", 4), ("max_generation_batches", 2),
            ("entropy_weight", 0.01));
        Assert.Equal((0, ""), Outcome(Run("rl", settings)));
        Assert.True(MetricsLog.Read(_folder["trained/metrics.jsonl"])[0].Values["updates"] > 0);
    }

    [Fact]
    public void Dpo_learns_what_is_preferred()
    {
        File.WriteAllLines(_folder["pairs.jsonl"], Enumerable.Range(0, 8).Select(i => $$"""{"prompt": "true {{(i % 2 == 0 ? "and" : "or")}} false", "chosen": "false", "rejected": "true"}"""));
        foreach (bool lora in new[] { false, true })
        {
            Json settings = Settings(
                ("model", taught.Model), ("output", _folder["preferred"]), ("data", _folder["pairs.jsonl"]), ("validation", _folder["pairs.jsonl"]),
                ("epochs", 5), ("batch", 4), ("learning_rate", 0.01), ("lora", lora ? Settings(("rank", 2)) : null));
            Assert.Equal((0, ""), Outcome(Run("dpo", settings)));
            IReadOnlyList<MetricsLine> lines = MetricsLog.Read(_folder["preferred/metrics.jsonl"]);
            Assert.Equal(10, lines.Count(l => l.Phase == "preference"));
            double[] losses = [.. lines.Where(l => l.Phase == "validation").Select(l => l.Values["loss"])];
            Assert.Equal(Math.Log(2), losses[0], 6);
            Assert.InRange(losses[1], 0, losses[0] - 0.05);
            Assert.Equal(lora, Directory.Exists(_folder["preferred/adapter"]));
            using Device device = Device.Cpu();
            MiniMaxForCausalLM.Load(_folder["preferred"], device).Dispose();
        }
    }

    [Theory]
    [InlineData("sft", "{\"model\": \"m\",\n\"output\": \"o\",\n\"stepz\": 3}", ", line 3: ", "stepz")]
    [InlineData("sft", "{\"model\": \"m\",\n\"output\": \"o\", \"steps\": \"many\"}", ", line 2: ", "steps")]
    [InlineData("sft", "{\"model\": \"m\"}", ", line 1: ", "output")]
    [InlineData("sft", "{\"model\": null,\n\"output\": \"o\"}", ", line 1: ", "model")]
    [InlineData("sft", "", ", line 1: ", "")]
    [InlineData("sft", "{\"model\": \"m\", \"output\": \"o\", \"steps\": 0}", ": ", "steps")]
    [InlineData("sft", "{\"model\": \"m\", \"output\": \"o\", \"learning_rate\": -1}", ": ", "learning_rate")]
    [InlineData("sft", "{\"model\": \"m\", \"output\": \"o\"}", ": ", "'data' is missing")]
    [InlineData("sft", "{\"model\": \"m\", \"output\": \"o\", \"data\": \"d\", \"steps\": 3, \"epochs\": 1}", ": ", "'epochs'")]
    [InlineData("sft", "{\"model\": \"m\", \"output\": \"o\", \"data\": \"d\",\n\"lora\": {\"modules\": [\"head\", \"heart\"]}}", ", line 2: ", "one of attention, experts, head")]
    [InlineData("sft", "{\"model\": \"m\", \"output\": \"o\", \"data\": \"d\", \"lora\": {\"rank\": 0}}", ": ", "lora.rank")]
    [InlineData("rl", "{\"model\": \"m\", \"output\": \"o\"}", ": ", "'tasks' is missing")]
    [InlineData("rl", "{\"model\": \"m\", \"output\": \"o\", \"tasks\": [\"chess\"]}", ": ", "'chess'")]
    [InlineData("cispo", "{\"model\": \"m\", \"output\": \"o\", \"tasks\": [\"chess\"]}", ": ", "'chess'")]
    [InlineData("rl", "{\"model\": \"m\", \"output\": \"o\", \"tasks\": [\"sudoku\", \"sudoku\"]}", ": ", "'sudoku' twice")]
    [InlineData("rl", "{\"model\": \"m\", \"output\": \"o\", \"tasks\": [\"sudoku\"],\n\"method\": \"a3c\"}", ", line 2: ", "'method': the value should be one of cispo, dapo, grpo, reinforce, ppo")]
    [InlineData("rl", "{\"model\": \"m\", \"output\": \"o\", \"tasks\": [\"sudoku\"],\n\"difficulty\": 11}", ", line 2: ", "'difficulty': the value should be a number from 1 to 10")]
    [InlineData("rl", "{\"model\": \"m\", \"output\": \"o\", \"tasks\": [\"sudoku\"], \"method\": \"grpo\", \"max_importance_weight\": 3}", ": ", "'max_importance_weight'")]
    [InlineData("rl", "{\"model\": \"m\", \"output\": \"o\", \"tasks\": [\"sudoku\"], \"max_importance_weight\": 0.5}", ": ", "max_importance_weight")]
    [InlineData("rl", "{\"model\": \"m\", \"output\": \"o\", \"tasks\": [\"sudoku\"], \"staleness\": -1}", ": ", "staleness")]
    [InlineData("rl", "{\"model\": \"m\", \"output\": \"o\", \"tasks\": [\"sudoku\"],\n\"laser\": {\"variant\": \"laser_x\"}}", ", line 2: ", "one of laser, laser_d, laser_de")]
    [InlineData("rl", "{\"model\": \"m\", \"output\": \"o\", \"tasks\": [\"sudoku\"], \"laser\": {\"variant\": \"laser\"}}", ": ", "fixed_target")]
    [InlineData("rl", "{\"model\": \"m\", \"output\": \"o\", \"tasks\": [\"sudoku\"], \"prompts_per_update\": 0}", ": ", "prompts_per_update")]
    [InlineData("dpo", "{\"model\": \"m\", \"output\": \"o\", \"data\": \"d\", \"beta\": 0}", ": ", "beta")]
    [InlineData("dpo", "{\"model\": \"m\", \"output\": \"o\", \"data\": \"d\",\n\"steps\": 3}", ", line 2: ", "steps")]
    public void Settings_are_refused_by_file_and_line(string kind, string settings, string place, string named)
    {
        string config = _folder["config.json"];
        File.WriteAllText(config, settings);
        (int code, _, string errors) = Run("train", kind, "--config", config);
        Assert.Equal(2, code);
        Assert.StartsWith(config + place, errors, StringComparison.Ordinal);
        Assert.Contains(named, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"prompt\": \"a\"}", "'completion' is missing")]
    [InlineData("{\"prompt\": \"a\", \"completion\": \"b\"", "")]
    [InlineData("", "")]
    [InlineData("{\"prompt\": \"a\", \"completion\": \"b\", \"x\": 1}", "'x'")]
    public void A_line_of_data_is_refused_by_its_number_and_nothing_is_written(string line, string named)
    {
        File.WriteAllText(_folder["lines.jsonl"], "{\"prompt\": \"a b\", \"completion\": \"c\"}\n" + line + "\n");
        foreach (string role in new[] { "data", "validation" })
        {
            Json settings = Settings(("model", taught.Model), ("output", _folder["tuned"]), ("data", taught.Lines));
            settings[role] = _folder["lines.jsonl"];
            (int code, _, string errors) = Run("sft", settings);
            Assert.Equal(2, code);
            Assert.StartsWith($"{_folder["lines.jsonl"]}, line 2: ", errors, StringComparison.Ordinal);
            Assert.Contains(named, errors, StringComparison.Ordinal);
            Assert.False(Directory.Exists(_folder["tuned"]));
        }
    }

    [Fact]
    public void The_settings_in_the_readme_are_understood()
    {
        string readme = File.ReadAllText(Repository.Path("README.md"));
        int start = readme.IndexOf("```json", StringComparison.Ordinal) + "```json".Length;
        File.WriteAllText(_folder["config.json"], readme[start..readme.IndexOf("```", start, StringComparison.Ordinal)].Replace("runs/seed-0/checkpoint", "missing", StringComparison.Ordinal));
        (int code, _, string errors) = Run("train", "rl", "--config", _folder["config.json"]);
        Assert.Equal(2, code);
        Assert.Contains("missing", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("config.json", errors, StringComparison.Ordinal);
    }

    private static Json Settings(params (string Name, JsonNode? Value)[] values) => new(values.Select(v => KeyValuePair.Create(v.Name, v.Value)));

    private static (int, string) Outcome((int Code, string Output, string Errors) run) => (run.Code, run.Errors);

    private static float[] Weights(MiniMaxForCausalLM model) => [.. model.Parameters.SelectMany(p => p.Value.ToFloats())];

    private static (int Code, string Output, string Errors) Run(params string[] arguments)
    {
        var output = new StringWriter();
        var errors = new StringWriter();
        int code = Commands.Run(arguments, output, errors);
        return (code, output.ToString(), errors.ToString());
    }

    private (int Code, string Output, string Errors) Run(string kind, Json settings) => Run("train", kind, "--config", Config(settings));

    private string Config(Json settings)
    {
        File.WriteAllText(_folder["config.json"], settings.ToJsonString());
        return _folder["config.json"];
    }

    // Killed in the midst, and later interrupted.
    private void Disturb(string kind, Json settings)
    {
        foreach (int signal in new[] { 9, 2 })
        {
            using Process run = Start(kind, settings);
            WaitFor(_folder["disturbed/metrics.jsonl"], signal == 9 ? "\"step\":3," : "\"step\":6,", run);
            Assert.Equal(0, Signal(run.Id, signal));
            run.WaitForExit();
            Assert.Equal(128 + signal, run.ExitCode);
        }

        Assert.True(TrainingCheckpoint.Exists(_folder["disturbed/progress"]));
    }

    private Process Start(string kind, Json settings)
    {
        // A shell that runs the tests in the background has Ctrl-C ignored, by what they start too.
        Process process = Process.Start(new ProcessStartInfo(
            "env", ["--default-signal=INT", "dotnet", typeof(Commands).Assembly.Location, "train", kind, "--config", Config(settings)])
        {
            RedirectStandardOutput = true,
        })!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        return process;
    }

    private static void WaitFor(string path, string text, Process run)
    {
        while (!(File.Exists(path) && File.ReadAllText(path).Contains(text, StringComparison.Ordinal)))
        {
            Assert.False(run.HasExited, $"The run ended before {path} had {text}.");
            Thread.Sleep(5);
        }
    }

    // Weights, examples, and all of the metrics but the times.
    private void Same(string expected, string actual)
    {
        Assert.Equal(Untimed(expected), Untimed(actual));
        SameBytes("model.safetensors", expected, actual);
        Assert.Equal(File.Exists(_folder[$"{expected}/examples.jsonl"]), File.Exists(_folder[$"{actual}/examples.jsonl"]));
        if (File.Exists(_folder[$"{expected}/examples.jsonl"]))
        {
            SameBytes("examples.jsonl", expected, actual);
        }
    }

    private void SameBytes(string file, string expected, string actual) => Assert.True(
        File.ReadAllBytes(_folder[$"{expected}/{file}"]).AsSpan().SequenceEqual(File.ReadAllBytes(_folder[$"{actual}/{file}"])), $"{file} differs");

    private IEnumerable<string> Untimed(string run) => MetricsLog.Read(_folder[$"{run}/metrics.jsonl"]).Select(line =>
        $"{line.Phase} {line.Step}: {string.Join(", ", line.Values.Where(v => !MetricNames.IsTime(v.Key)).Select(v => $"{v.Key} {v.Value:R}"))}");

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);

    /// <summary>A small model that has been taught, by the command, to answer with true or false in the right form.</summary>
    public sealed class Base : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public Base()
        {
            IReasoningTask task = TaskRegistry.Get("boolean_expressions");
            TaskInstance[] puzzles = [.. Enumerable.Range(0, 60).Select(i => task.Generate(1 + i % 2, (ulong)i, PromptStyle.Compact, Split.Train))];
            string[] answers = [.. puzzles.Select(p => task.Demonstrate(p, DemonstrationStyle.Quick))];
            Tokenizer tokenizer = BpeTrainer.Train(
                [ChatTemplate.MiniMaxM1.Render([new ChatMessage("user", "")], addGenerationPrompt: true), .. puzzles.Select(p => p.Prompt), .. answers],
                new BpeTrainerOptions { VocabularySize = 512, Pattern = @"user name=user\n|ai name=assistant\n| ?\S+|\s+" });
            using Device device = Device.Cpu();
            using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(
                TinyModels.Config() with { VocabSize = tokenizer.VocabularySize, InitializerRange = 0.1 }, device, 1);
            model.Save(Untaught);
            tokenizer.Save(Untaught);
            File.WriteAllLines(Lines, puzzles.Zip(answers, (puzzle, answer) => Settings(("prompt", puzzle.Prompt), ("completion", answer)).ToJsonString()));
            File.WriteAllText(_folder["config.json"], Settings(
                ("model", Untaught), ("output", Model), ("data", Lines), ("epochs", 12), ("tokens_per_step", 512), ("learning_rate", 0.01)).ToJsonString());
            Assert.Equal((0, ""), Outcome(Run("train", "sft", "--config", _folder["config.json"])));
        }

        public string Untaught => _folder["untaught"];

        public string Model => _folder["taught"];

        public string Lines => _folder["lines.jsonl"];

        public void Dispose() => _folder.Dispose();
    }
}
