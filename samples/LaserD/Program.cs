using System.CommandLine;
using LaserD;
using LogicReasoner;
using MiniMaxSharp;
using MiniMaxSharp.Native;
using MiniMaxSharp.Tasks;

// Shorter answers of the main job's model by LASER-D (arXiv 2505.15612). Every finished run is kept: after Ctrl-C the same command goes on.
var defaults = new Plan();
var model = new Option<string>("--model") { Description = "Checkpoint of the main job", DefaultValueFactory = _ => "runs/seed-0/checkpoint" };
var runs = new Option<string>("--runs") { Description = "Where runs are kept", DefaultValueFactory = _ => "runs/laser-d" };
var device = new Option<string>("--device") { Description = "cpu, cuda, cuda:1 or auto", DefaultValueFactory = _ => "cpu" };
var seeds = new Option<int>("--seeds") { Description = "Seeds of each reward", DefaultValueFactory = _ => defaults.Seeds.Count };
var steps = new Option<int>("--steps") { Description = "Steps of reinforcement learning", DefaultValueFactory = _ => defaults.Steps };
var development = new Option<bool>("--development") { Description = "Examine on the development split: for choosing settings" };
var command = new RootCommand("Trains the main job's model on, with and without LASER-D's reward for short answers.") { model, runs, device, seeds, steps, development };
command.SetAction(async (result, cancellation) =>
{
    await Task.Yield();
    var plan = new Plan
    {
        Steps = result.GetValue(steps),
        Seeds = [.. Enumerable.Range(0, result.GetValue(seeds))],
        ExaminedSplit = result.GetValue(development) ? Split.Development : Split.Test,
    };
    string directory = result.GetValue(runs)!, start = result.GetValue(model)!;
    try
    {
        RunFolder.Claim(directory, plan.Recipe with { CispoSteps = plan.Steps, ExaminedSplit = plan.ExaminedSplit });
        using Device on = Device.Open(result.GetValue(device)!, Console.WriteLine);
        ArmResult[] arms = await new Experiment(plan, new Lessons(plan.Recipe), start, on, directory).RunAsync(cancellation).ConfigureAwait(false);
        Results.WriteJson(Path.Combine(directory, "laser-summary.json"), plan, start, arms);
        Results.WriteReport(Path.Combine(directory, "report.html"), plan, arms);
        Console.WriteLine($"Results: {Path.Combine(directory, "laser-summary.json")}, {Path.Combine(directory, "report.html")}");
        return 0;
    }
    catch (OperationCanceledException)
    {
        Console.WriteLine("Stopped; the same command goes on with the runs that are left.");
        return 130;
    }
    catch (Exception error) when (error is IOException or InvalidDataException or ArgumentException or NativeException or NativeLibraryException)
    {
        await Console.Error.WriteLineAsync(error.Message).ConfigureAwait(false);
        return 1;
    }
});
return command.Parse(args).Invoke(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) });
