using System.Globalization;
using System.Text.Json;
using LogicReasoner;
using MiniMaxSharp.Training;

namespace LaserD;

/// <summary>All runs of one reward, by seed.</summary>
internal sealed record ArmResult(Arm Arm, IReadOnlyDictionary<int, Outcome> Runs)
{
    public Point[] Starts => [.. Runs.Values.Select(r => r.Curve[0])];

    public Point[] Ends => [.. Runs.Values.Select(r => r.Curve[^1])];
}

/// <summary>laser-summary.json and report.html.</summary>
internal static class Results
{
    public static void WriteJson(string path, Plan plan, string model, IReadOnlyList<ArmResult> arms)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("commit", Summary.Commit());
            json.WriteString("command", "dotnet run -c Release --project samples/LaserD");
            json.WriteString("model", model);
            json.WriteStartArray("seeds");
            plan.Seeds.ToList().ForEach(json.WriteNumberValue);
            json.WriteEndArray();
            json.WriteNumber("steps", plan.Steps);
            json.WriteNumber("test_instances", plan.TestInstances);
            json.WriteNumber("test_samples", plan.TestSamples);
            foreach (ArmResult arm in arms)
            {
                json.WriteStartObject(arm.Arm.Name);
                Write(json, "pass_rate", arm, p => p.PassRate);
                Write(json, "tokens", arm, p => p.Tokens);
                json.WriteNumber("fewer_tokens_than_before", 1 - Tokens(arm.Ends) / Tokens(arm.Starts));
                json.WriteNumber("fewer_tokens_than_main_job", 1 - Tokens(arm.Ends) / Tokens(arms[0].Ends));
                json.WritePropertyName("runs");
                JsonSerializer.Serialize(json, arm.Runs.ToDictionary(r => r.Key.ToString(CultureInfo.InvariantCulture), r => r.Value), OutcomeJson.Default.DictionaryStringOutcome);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        File.WriteAllBytes(path, stream.ToArray());
    }

    public static void WriteReport(string path, Plan plan, IReadOnlyList<ArmResult> arms)
    {
        var report = new HtmlReport("Shorter answers by LASER-D");
        report.Section("What was compared", string.Create(CultureInfo.InvariantCulture,
            $"The main job's model, taught a rare second way to work a puzzle out, and trained on for {plan.Steps} steps with LASER-D's reward (arXiv 2505.15612) and with correctness alone; {plan.Seeds.Count} seeds, whose lowest and highest are the bands."));
        report.Chart("pass rate by step", [.. arms.Select(a => Band(a, p => p.PassRate))]);
        report.Chart("tokens of a response by step", [.. arms.Select(a => Band(a, p => p.Tokens))]);
        report.Table(
        [
            ["reward", "pass rate before", "after", "tokens before", "after"],
            .. arms.Select(a => (IReadOnlyList<string>)
            [
                a.Arm.Title, Text(a.Starts.Average(p => p.PassRate), "F3"), Text(a.Ends.Average(p => p.PassRate), "F3"),
                Text(a.Starts.Average(p => p.Tokens), "F1"), Text(a.Ends.Average(p => p.Tokens), "F1"),
            ]),
        ]);
        report.Save(path);
    }

    private static void Write(Utf8JsonWriter json, string name, ArmResult arm, Func<Point, double> value)
    {
        Rate start = Rate.Of([.. arm.Starts.Select(value)]), end = Rate.Of([.. arm.Ends.Select(value)]);
        json.WriteStartObject(name);
        json.WriteNumber("before", start.Mean);
        json.WriteNumber("after", end.Mean);
        json.WriteNumber("standard_error_over_seeds", end.StandardError);
        json.WriteEndObject();
    }

    private static Curve Band(ArmResult arm, Func<Point, double> value)
    {
        (int Step, double[] Values)[] points =
            [.. arm.Runs.Values.First().Curve.Select((p, i) => (p.Step, arm.Runs.Values.Select(r => value(r.Curve[i])).ToArray()))];
        return new Curve(arm.Arm.Title, [.. points.Select(p => ((double)p.Step, p.Values.Average()))])
        {
            Band = [.. points.Select(p => ((double)p.Step, p.Values.Min(), p.Values.Max()))],
        };
    }

    private static double Tokens(Point[] points) => points.Average(p => p.Tokens);

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
