using System.Globalization;
using System.Reflection;
using System.Text.Json;
using MiniMaxSharp.Training;

namespace LogicReasoner;

/// <summary>summary.json and report.html of a finished run.</summary>
internal static class Summary
{
    private static readonly (string Key, string Title)[] s_examinations =
    [
        ("untrained", "untrained"), ("warm_start", "warm start"), ("cispo", "CISPO"), ("sft_control", "SFT control"),
    ];

    public static void Write(RunFiles files, Recipe recipe, RunState state, long parameters)
    {
        WriteJson(files, recipe, state, parameters);
        WriteReport(files, recipe, state);
    }

    private static void WriteJson(RunFiles files, Recipe recipe, RunState state, long parameters)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            foreach ((string key, _) in s_examinations)
            {
                json.WriteNumber($"pass_rate_{key}", state.Marks[key].All.PassRate);
            }

            json.WriteStartObject("pass_rates");
            foreach ((string key, _) in s_examinations)
            {
                WriteMarks(json, key, state.Marks[key]);
            }

            json.WriteEndObject();
            json.WriteNumber("gain", state.Marks["cispo"].All.PassRate - state.Marks["warm_start"].All.PassRate);
            json.WriteNumber("worked_out_share_warm_start", state.Marks["warm_start"].All.CarefulShare);
            json.WriteNumber("worked_out_share_cispo", state.Marks["cispo"].All.CarefulShare);
            json.WriteNumber("rollout_trainer_pearson", state.LowestPearson);
            json.WriteNumber("zero_gradient_tokens", state.ZeroGradientTokens);
            json.WriteNumber("test_instances", recipe.TestInstances);
            json.WriteNumber("test_samples", recipe.TestSamples);
            json.WriteNumber("parameters", parameters);
            json.WriteNumber("tokens", state.Tokens);
            json.WriteNumber("cispo_tokens", state.CispoTokens);
            json.WriteNumber("control_tokens", state.ControlTokens);
            json.WriteNumber("tokens_per_second", state.Tokens / state.TrainingSeconds);
            json.WriteNumber("seconds", state.Seconds);
            json.WriteNumber("seed", recipe.Seed);
            json.WriteString("weights", recipe.BFloat16 ? "bfloat16" : "float32");
            json.WriteString("commit", state.Commit);
            json.WriteEndObject();
        }

        File.WriteAllBytes(files.Summary, stream.ToArray());
    }

    private static void WriteMarks(Utf8JsonWriter json, string key, MarksSummary marks)
    {
        json.WriteStartObject(key);
        WriteMark(json, "all", marks.All);
        foreach ((string task, Mark mark) in marks.ByTask)
        {
            WriteMark(json, task, mark);
        }

        json.WriteEndObject();
    }

    private static void WriteMark(Utf8JsonWriter json, string name, Mark mark)
    {
        json.WriteStartObject(name);
        json.WriteNumber("mean", mark.PassRate);
        json.WriteNumber("standard_error", mark.StandardError);
        json.WriteNumber("worked_out_share", mark.CarefulShare);
        json.WriteNumber("worked_out_accuracy", mark.CarefulAccuracy);
        json.WriteEndObject();
    }

    private static void WriteReport(RunFiles files, Recipe recipe, RunState state)
    {
        RunLog run = RunLog.Load([files.Directory])[0];
        Curve Of(string phase, string metric, string name) =>
            new(name, [.. run.Metrics.Where(l => l.Phase == phase && l.Values.ContainsKey(metric)).Select(l => ((double)l.Step, l.Values[metric]))]);
        var report = new HtmlReport($"LogicReasoner, seed {recipe.Seed}")
            .Section(
                "Held-out puzzles",
                $"{recipe.TestInstances} puzzles that share no canonical form with training, {recipe.TestSamples} samples each at temperature 1.0 and "
                + "top-p 0.95; ± is the standard error over puzzles. The control is the warm start, trained on by supervision for as many tokens as CISPO used.")
            .Table(Table(recipe, state))
            .Section("Where the gain comes from", Explanation(state))
            .Section("Reinforcement learning")
            .Chart("Reward of the rollouts, and pass rate on the development split", Of("cispo", "reward", "reward"), Of("development", "pass_rate", "development"))
            .Chart("Share of development answers that were worked out", Of("development", "careful_share", "worked out"))
            .Section("Sample answers", "After CISPO, on held-out puzzles.")
            .Answers(state.Answers.Select(a => new SampleAnswer(a.Task, a.Prompt, a.Response, a.Correct, a.Reason)))
            .Section("All metrics", "By phase: skill and habit are the warm start, control is the SFT control.")
            .Runs([run]);
        report.Save(files.Report);
    }

    private static List<IReadOnlyList<string>> Table(Recipe recipe, RunState state)
    {
        var rows = new List<IReadOnlyList<string>> { (string[])["", "all", .. recipe.Tasks, "worked out"] };
        foreach ((string key, string title) in s_examinations)
        {
            MarksSummary marks = state.Marks[key];
            rows.Add((string[])
            [
                title,
                Text(marks.All),
                .. recipe.Tasks.Select(t => Text(marks.ByTask[t])),
                marks.All.CarefulShare.ToString("P0", CultureInfo.InvariantCulture),
            ]);
        }

        return rows;
    }

    private static string Explanation(RunState state)
    {
        Mark before = state.Marks["warm_start"].All, after = state.Marks["cispo"].All;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"Mostly from finding out that working it out pays: {before.CarefulShare:P0} of the answers were worked out step by step before CISPO, "
            + $"{after.CarefulShare:P0} after it. Answers that were worked out are right {before.CarefulAccuracy:P0} of the time before and {after.CarefulAccuracy:P0} after.");
    }

    private static string Text(Mark mark) => string.Create(CultureInfo.InvariantCulture, $"{mark.PassRate:F3} ± {mark.StandardError:F3}");

    /// <summary>What this program was built from; the build stamps it where it finds a repository.</summary>
    public static string Commit()
    {
        string version = typeof(Summary).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        return version.Contains('+', StringComparison.Ordinal) ? version[(version.IndexOf('+', StringComparison.Ordinal) + 1)..] : "unknown";
    }
}
