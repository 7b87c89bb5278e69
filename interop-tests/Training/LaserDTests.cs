using System.Text.Json.Nodes;
using LaserD;
using LogicReasoner;
using MiniMaxSharp.Models;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>The sample that shortens answers: what a second look is, and the experiment in small.</summary>
public sealed class LaserDTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("laser").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_small_experiment_runs_to_its_summary_and_makes_no_run_twice()
    {
        var recipe = new Recipe { Prompts = 4, GroupSize = 4, MaxNewTokens = 12 };
        var plan = new Plan { Recipe = recipe, SkillSteps = 3, HabitSteps = 2, Steps = 3, Seeds = [0, 1], MonitoringPrompts = 6, ExamineEvery = 2, TestInstances = 9, TestSamples = 1 };
        using Device device = Device.Cpu();
        var lessons = new Lessons(recipe);
        string model = Path.Combine(_folder, "model");
        using (MiniMaxForCausalLM untrained = MiniMaxForCausalLM.Create(Recipe.Model(lessons.Tokenizer), device, 0))
        {
            untrained.Save(model);
        }

        Task<ArmResult[]> Run() => new Experiment(plan, lessons, model, device, _folder).RunAsync(CancellationToken.None);
        Results.WriteJson(Path.Combine(_folder, "first.json"), plan, model, await Run());
        Dictionary<string, DateTime> written = Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories).ToDictionary(f => f, File.GetLastWriteTimeUtc);
        Results.WriteJson(Path.Combine(_folder, "second.json"), plan, model, await Run());

        Assert.Equal(File.ReadAllText(Path.Combine(_folder, "first.json")), File.ReadAllText(Path.Combine(_folder, "second.json")));
        Assert.All(written, file => Assert.Equal(file.Value, File.GetLastWriteTimeUtc(file.Key)));
        JsonNode summary = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder, "first.json")))!;
        foreach (Arm arm in Arm.All)
        {
            JsonArray curve = summary[arm.Name]!["runs"]!["1"]!["Curve"]!.AsArray();
            Assert.Equal(arm.Trained ? [0, 2, 3] : [0], curve.Select(p => (int)p!["Step"]!));
            // An untrained model never ends an answer.
            Assert.All(curve, p => Assert.InRange((double)p!["Tokens"]!, 6, 12));
        }
    }
}
