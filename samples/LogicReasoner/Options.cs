using System.CommandLine;
using MiniMaxSharp.Native;
using MiniMaxSharp.Tasks;

namespace LogicReasoner;

/// <summary>The command line; every setting of the training itself is in <see cref="Recipe"/>.</summary>
internal sealed record Options(string Name, string Directory, Recipe Recipe, string Device, bool Fresh, bool Plain)
{
    public static int Run(string[] arguments, Func<Options, CancellationToken, Task<int>> run)
    {
        var defaults = new Recipe();
        var seed = new Option<ulong>("--seed") { Description = "Seed of all random choices", DefaultValueFactory = _ => 0 };
        var name = new Option<string?>("--name") { Description = "Name of the run (default: seed-N); a run of that name that is not finished goes on" };
        var directory = new Option<string>("--runs") { Description = "Where runs are kept", DefaultValueFactory = _ => "runs" };
        var fresh = new Option<bool>("--fresh") { Description = "Throw away a run of that name and start over" };
        var plain = new Option<bool>("--plain") { Description = "Plain lines even on a terminal" };
        var skill = new Option<int>("--skill-steps") { DefaultValueFactory = _ => defaults.SkillSteps, Description = "Supervised steps that teach" };
        var habit = new Option<int>("--habit-steps") { DefaultValueFactory = _ => defaults.HabitSteps, Description = "Supervised steps of quick answers" };
        var cispo = new Option<int>("--cispo-steps") { DefaultValueFactory = _ => defaults.CispoSteps, Description = "Steps of reinforcement learning" };
        var test = new Option<int>("--test-instances") { DefaultValueFactory = _ => defaults.TestInstances, Description = "Held-out puzzles" };
        var bf16 = new Option<bool>("--bf16") { Description = "Keep weights in bfloat16 (master weights stay in single precision)" };
        var device = new Option<string>("--device") { DefaultValueFactory = _ => "cpu", Description = "cpu, cuda, cuda:1 (the second GPU), or auto: a GPU if there is one" };
        var development = new Option<bool>("--development") { Description = "Examine on the development split: for choosing settings" };
        var command = new RootCommand("Trains a small MiniMax-M1 on logic puzzles: a supervised warm start, then CISPO with rewards by rule.");
        foreach (Option option in (Option[])[seed, name, directory, fresh, plain, skill, habit, cispo, test, bf16, device, development])
        {
            command.Options.Add(option);
        }

        command.SetAction((result, cancellation) =>
        {
            ulong number = result.GetValue(seed);
            var recipe = new Recipe
            {
                Seed = number,
                SkillSteps = result.GetValue(skill),
                HabitSteps = result.GetValue(habit),
                CispoSteps = result.GetValue(cispo),
                TestInstances = result.GetValue(test),
                BFloat16 = result.GetValue(bf16),
                ExaminedSplit = result.GetValue(development) ? Split.Development : Split.Test,
            };
            string folder = result.GetValue(name) ?? $"seed-{number}";
            return folder is "" or "." or ".." || folder.IndexOfAny(Path.GetInvalidFileNameChars()) >= 0
                ? throw new ArgumentException($"--name: '{folder}' is not the name of a folder.")
                : RunGuarded(new Options(folder, result.GetValue(directory)!, recipe, result.GetValue(device)!, result.GetValue(fresh), result.GetValue(plain)));

            // Away from the calling thread, which waits for Ctrl-C meanwhile.
            async Task<int> RunGuarded(Options options)
            {
                await Task.Yield();
                try
                {
                    return await run(options, cancellation).ConfigureAwait(false);
                }
                catch (Exception error) when (error is IOException or ArgumentException or InvalidOperationException or NativeException or NativeLibraryException)
                {
                    await Console.Error.WriteLineAsync(error.Message).ConfigureAwait(false);
                    return 1;
                }
            }
        });
        return command.Parse(arguments).Invoke(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(10) });
    }
}
