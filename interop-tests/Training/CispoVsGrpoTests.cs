using System.Text.Json.Nodes;
using CispoVsGrpo;
using LogicReasoner;

namespace MiniMaxSharp.Tests.Training;

/// <summary>The sample that compares methods: how it reads curves, and a comparison in small.</summary>
public sealed class CispoVsGrpoTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("comparison").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(0.1, 0.0)]
    [InlineData(0.2, 2.0)]
    [InlineData(0.3, 4.0)]
    [InlineData(0.5, 7.5)]
    [InlineData(0.6, 8.0)]
    [InlineData(0.61, null)]
    public void Steps_to_a_pass_rate_lie_in_proportion_between_examinations(double passRate, double? steps)
    {
        // The mean of the seeds is 0.1, 0.3, 0.2, 0.6 after 0, 4, 6 and 8 steps; that it sinks in between does not count.
        MethodResult result = Result((4, 0.2, 0.4), (6, 0.0, 0.4), (8, 0.6, 0.6));
        Assert.Equal(steps, result.StepsTo(passRate) is { } found ? Math.Round(found, 6) : null);
    }

    [Fact]
    public void Bands_are_of_the_seeds() => Assert.Equal(
        [(0, 0.1, 0.0), (4, 0.3, 0.1)],
        Result((4, 0.2, 0.4)).Curve.Select(p => (p.Step, Math.Round(p.Mean, 6), Math.Round(p.Deviation, 6))));

    [Fact]
    public void A_small_comparison_runs_to_its_summary_and_makes_no_run_twice()
    {
        var plan = new Plan
        {
            Recipe = new Recipe
            {
                SkillSteps = 20,
                HabitSteps = 2,
                CispoSteps = 2,
                Prompts = 4,
                PromptsPerUpdate = 1,
                GroupSize = 4,
                MaxNewTokens = 12,
                TestInstances = 9,
                TestSamples = 1,
            },
            Seeds = [0, 1],
            SweepSeeds = [100],
            Rates = [1e-4f, 1e-3f],
            MaxGenerationBatches = 1,
            ExamineEvery = 1,
        };
        using Device device = Device.Cpu();
        var comparison = new Comparison(plan, new Lessons(plan.Recipe), device, _folder);
        SettingResult[] Run() => [.. Setting.All.Select(setting => comparison.Run(setting, CancellationToken.None))];

        Results.WriteJson(Path.Combine(_folder, "first.json"), plan, Run());
        Dictionary<string, DateTime> written = Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories).ToDictionary(f => f, File.GetLastWriteTimeUtc);
        Results.WriteJson(Path.Combine(_folder, "second.json"), plan, Run());

        Assert.Equal(File.ReadAllText(Path.Combine(_folder, "first.json")), File.ReadAllText(Path.Combine(_folder, "second.json")));
        Assert.All(written, file => Assert.Equal(file.Value, File.GetLastWriteTimeUtc(file.Key)));
        JsonNode summary = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder, "first.json")))!;
        Assert.Equal([0, 1], summary["seeds"]!.AsArray().Select(s => (int)s!));
        foreach (JsonNode setting in new[] { summary, summary["common"]! })
        {
            foreach (Method method in Method.All)
            {
                Assert.Equal(["0", "1"], setting["curves"]![method.Name]!.AsObject().Select(s => s.Key));
                Assert.Equal([0, 1, 2], setting["curves"]![method.Name]!["1"]!.AsArray().Select(p => (int)p!["step"]!));
                Assert.True(setting["steps_to_dapo_final"]!.AsObject().ContainsKey(method.Name));
                Assert.Equal(["0.0001", "0.001"], setting["learning_rates"]![method.Name]!["tried"]!.AsObject().Select(t => t.Key));
            }

            Assert.Equal(0, (long)setting["zero_gradient_tokens"]!["cispo"]!);
        }
    }

    // Two seeds that both begin at 0.1.
    private static MethodResult Result(params (int Step, double First, double Second)[] points)
    {
        Outcome Run(Func<(int Step, double First, double Second), double> rate) =>
            new() { Curve = [new Point(0, 0.1, 0), .. points.Select(p => new Point(p.Step, rate(p), 0))] };
        return new MethodResult(Method.All[0], new Dictionary<float, double>(), 0, new Dictionary<int, Outcome> { [0] = Run(p => p.First), [1] = Run(p => p.Second) });
    }
}
