using System.Globalization;
using System.Text.Json;
using LogicReasoner;
using MiniMaxSharp.Training;

namespace CispoVsGrpo;

/// <summary>cispo-summary.json and report.html.</summary>
internal static class Results
{
    /// <summary>The first setting's figures stand at the top level, those of the others under their names.</summary>
    public static void WriteJson(string path, Plan plan, IReadOnlyList<SettingResult> settings)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("commit", Summary.Commit());
            json.WriteString("command", "dotnet run -c Release --project samples/CispoVsGrpo");
            json.WriteStartArray("seeds");
            plan.Seeds.ToList().ForEach(json.WriteNumberValue);
            json.WriteEndArray();
            json.WriteNumber("steps", plan.Recipe.CispoSteps);
            json.WriteNumber("prompts", plan.Recipe.Prompts);
            json.WriteNumber("group_size", plan.Recipe.GroupSize);
            json.WriteNumber("test_instances", plan.Recipe.TestInstances);
            Write(json, settings[0]);
            foreach (SettingResult other in settings.Skip(1))
            {
                json.WriteStartObject(other.Setting.Name);
                Write(json, other);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        File.WriteAllBytes(path, stream.ToArray());
    }

    public static void WriteReport(string path, Plan plan, IReadOnlyList<SettingResult> settings)
    {
        var report = new HtmlReport("CISPO against GRPO and DAPO");
        report.Section("What was compared", string.Create(CultureInfo.InvariantCulture,
            $"The same starting point, prompts, group size ({plan.Recipe.GroupSize}) and 16 updates a batch; {plan.Seeds.Count} seeds; each method's learning rate from the same sweep on other seeds. Bands: one standard deviation over the seeds."));
        foreach (SettingResult setting in settings)
        {
            report.Section($"Setting: a worked-out answer is {setting.Setting.Name}");
            report.Chart("pass rate by step", [.. setting.Methods.Select(Band)]);
            report.Table(
            [
                ["method", "learning rate", "final pass rate", "standard error", "steps to DAPO's final", "tokens without gradient"],
                .. setting.Methods.Select(m => (IReadOnlyList<string>)
                [
                    m.Method.Title, Text(m.Rate, "G3"), Text(m.Final.Mean, "F3"), Text(m.Final.StandardError, "F3"),
                    m.StepsTo(setting.DapoFinal) is { } steps ? Text(steps, "F1") : "never",
                    Text(m.Runs.Values.Sum(r => r.ZeroGradientTokens), "F0"),
                ]),
            ]);
        }

        report.Save(path);
    }

    private static Curve Band(MethodResult method) => new(method.Method.Title, [.. method.Curve.Select(p => ((double)p.Step, p.Mean))])
    {
        Band = [.. method.Curve.Select(p => ((double)p.Step, p.Mean - p.Deviation, p.Mean + p.Deviation))],
    };

    private static void Write(Utf8JsonWriter json, SettingResult result)
    {
        json.WriteString("setting", result.Setting.Name);
        json.WriteNumber("pass_rate_at_start", result.Methods[0].Runs.Values.Average(r => r.Curve[0].PassRate));
        json.WriteNumber("worked_out_share_at_start", result.Methods[0].Runs.Values.Average(r => r.Curve[0].CarefulShare));
        json.WriteNumber("dapo_final", result.DapoFinal);
        EachMethod(json, "steps_to_dapo_final", result, m =>
        {
            if (m.StepsTo(result.DapoFinal) is { } steps)
            {
                json.WriteNumberValue(Math.Round(steps, 2));
            }
            else
            {
                json.WriteNullValue();
            }
        });
        EachMethod(json, "final_pass_rate", result, m =>
        {
            json.WriteStartObject();
            json.WriteNumber("mean", m.Final.Mean);
            json.WriteNumber("standard_error", m.Final.StandardError);
            json.WriteNumber("lowest", m.Runs.Values.Min(r => r.Final));
            json.WriteNumber("highest", m.Runs.Values.Max(r => r.Final));
            json.WriteEndObject();
        });
        EachMethod(json, "zero_gradient_tokens", result, m => json.WriteNumberValue(m.Runs.Values.Sum(r => r.ZeroGradientTokens)));
        EachMethod(json, "updates_a_batch", result, m => json.WriteNumberValue(m.Runs.Values.Average(r => r.Updates)));
        EachMethod(json, "clip_ratio", result, m => json.WriteNumberValue(m.Runs.Values.Average(r => r.ClipRatio)));
        EachMethod(json, "learning_rates", result, m =>
        {
            json.WriteStartObject();
            json.WriteNumber("taken", m.Rate);
            json.WriteStartObject("tried");
            foreach ((float rate, double passRate) in m.Tried)
            {
                json.WriteNumber(rate.ToString("G3", CultureInfo.InvariantCulture), passRate);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        });
        EachMethod(json, "curves", result, m =>
        {
            json.WriteStartObject();
            foreach ((int seed, Outcome run) in m.Runs)
            {
                json.WriteStartArray(seed.ToString(CultureInfo.InvariantCulture));
                foreach (Point point in run.Curve)
                {
                    json.WriteStartObject();
                    json.WriteNumber("step", point.Step);
                    json.WriteNumber("pass_rate", point.PassRate);
                    json.WriteNumber("worked_out_share", point.CarefulShare);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
            }

            json.WriteEndObject();
        });
    }

    private static void EachMethod(Utf8JsonWriter json, string name, SettingResult result, Action<MethodResult> write)
    {
        json.WriteStartObject(name);
        foreach (MethodResult method in result.Methods)
        {
            json.WritePropertyName(method.Method.Name);
            write(method);
        }

        json.WriteEndObject();
    }

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
