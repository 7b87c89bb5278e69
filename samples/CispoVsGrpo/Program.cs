using System.CommandLine;
using CispoVsGrpo;
using LogicReasoner;
using MiniMaxSharp;

// CISPO against GRPO and DAPO at equal steps (MiniMax-M1 report, section 3.1). Every finished run is kept: after Ctrl-C the same command goes on.
var defaults = new Plan();
var runs = new Option<string>("--runs") { Description = "Where runs are kept", DefaultValueFactory = _ => "runs/cispo-vs-grpo" };
var device = new Option<string>("--device") { Description = "cpu, cuda, cuda:1 or auto", DefaultValueFactory = _ => "cpu" };
var seeds = new Option<int>("--seeds") { Description = "Seeds of each method", DefaultValueFactory = _ => defaults.Seeds.Count };
var steps = new Option<int>("--steps") { Description = "Steps of reinforcement learning", DefaultValueFactory = _ => defaults.Recipe.CispoSteps };
var skill = new Option<int>("--skill-steps") { Description = "Supervised steps before", DefaultValueFactory = _ => defaults.Recipe.SkillSteps };
var test = new Option<int>("--test-instances") { Description = "Held-out puzzles", DefaultValueFactory = _ => defaults.Recipe.TestInstances };
var command = new RootCommand("Trains the main job's model with CISPO, DAPO and GRPO from the same starting points and lays the curves over one another.");
foreach (Option option in (Option[])[runs, device, seeds, steps, skill, test])
{
    command.Options.Add(option);
}

command.SetAction((result, cancellation) => Task.Run(() =>
{
    var plan = new Plan
    {
        Recipe = defaults.Recipe with { CispoSteps = result.GetValue(steps), SkillSteps = result.GetValue(skill), TestInstances = result.GetValue(test) },
        Seeds = [.. Enumerable.Range(0, result.GetValue(seeds))],
    };
    string directory = result.GetValue(runs)!;
    try
    {
        RunFolder.Claim(directory, plan.Recipe with { Seed = 0 });
        using Device on = Device.Open(result.GetValue(device)!, Console.WriteLine);
        var comparison = new Comparison(plan, new Lessons(plan.Recipe), on, directory);
        SettingResult[] settings = [.. Setting.All.Select(setting => comparison.Run(setting, cancellation))];
        Results.WriteJson(Path.Combine(directory, "cispo-summary.json"), plan, settings);
        Results.WriteReport(Path.Combine(directory, "report.html"), plan, settings);
        Console.WriteLine($"Results: {Path.Combine(directory, "cispo-summary.json")}, {Path.Combine(directory, "report.html")}");
        return 0;
    }
    catch (OperationCanceledException)
    {
        Console.WriteLine("Stopped; the same command goes on with the runs that are left.");
        return 130;
    }
    catch (InvalidDataException error)
    {
        Console.Error.WriteLine(error.Message);
        return 1;
    }
}, CancellationToken.None));
return command.Parse(args).Invoke(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) });
