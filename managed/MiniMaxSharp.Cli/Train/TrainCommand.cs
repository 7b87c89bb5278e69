using System.CommandLine;
using MiniMaxSharp.Training;
using Spectre.Console;

namespace MiniMaxSharp.Cli.Train;

/// <summary>minimax train sft | rl | cispo | dpo.</summary>
internal static class TrainCommand
{
    private const string Common = "learning_rate (1e-4), seed (0), device (\"cpu\"; \"cuda\", \"cuda:1\", \"auto\")";

    private const string Reinforcement = $"""
        Settings: model, output, tasks; steps (100), difficulty (1; "curriculum"), prompts (16), group_size (8), max_new_tokens (256),
        prompt_style ("compact"; "full"), max_importance_weight (5), {Common}.
        Method: aggregation ("prompt", "batch_token", "sample", "combined"; the method's own), kl_weight (0), kl_estimator ("k3"),
        entropy_weight (0), prompts_per_update (4), max_updates (16), max_generation_batches (1), staleness (0),
        correction ("none"; "truncated", "masked"), mask_truncated (false), replay_routing (false).
        Length: laser, with targets for each task, an object of variant ("laser_d"; "laser", "laser_de"), candidate_step (1024), fixed_target,
        update_every (20), bonus (0.5), monitoring_prompts (64).
        Evaluation on held-out puzzles: evaluate_every (never), evaluation_puzzles (64), evaluation_samples (8), evaluation_levels.
        """;

    public static Command Create(TextWriter output) => new("train", "Train a model: sft, rl, cispo or dpo")
    {
        Kind(
            "sft",
            $$"""
            Supervised fine-tuning on lines of {"messages"}, {"prompt", "completion"} or {"text"}.

            Settings: model, output, data; steps (100) of batch (16) sequences drawn at random, or epochs (1) through the data in steps of
            tokens_per_step (8192); {{Common}}.
            Early stop: validation (a file like data), evaluate_every (20) steps, patience (3).
            Adapter: lora, an object of rank (8), alpha (16) and modules (["attention"]; "experts", "head"); OUTPUT/adapter then has it in
            PEFT's layout, and OUTPUT the merged model.

            {{Resumed("100")}}
            Example: {"model": "runs/seed-0/checkpoint", "output": "tuned", "data": "lines.jsonl", "steps": 200}
            """,
            output,
            SupervisedSettings.Load,
            (settings, device, console, cancellation) =>
            {
                SupervisedTraining.Run(settings, device, console, cancellation);
                return Task.CompletedTask;
            }),
        Kind(
            "rl",
            $$"""
            Reinforcement learning on verifiable tasks, by method ("cispo"; "dapo", "grpo", "reinforce", "ppo").

            {{Reinforcement}}

            {{Resumed("10")}}
            Example: {"model": "runs/seed-0/checkpoint", "output": "trained", "method": "dapo", "tasks": ["dyck_language"], "difficulty": "curriculum"}
            """,
            output,
            ReinforcementSettings.Load,
            ReinforcementTraining.RunAsync),
        Kind(
            "cispo",
            $$"""
            Reinforcement learning on verifiable tasks: minimax train rl with the method cispo.

            {{Reinforcement}}

            {{Resumed("10")}}
            Example: {"model": "runs/seed-0/checkpoint", "output": "trained", "tasks": ["dyck_language"], "steps": 50}
            """,
            output,
            config => ReinforcementSettings.Load(config) is { Method: PolicyMethod.Cispo } settings
                ? settings
                : throw new InvalidDataException($"{config}: another 'method' than cispo is for minimax train rl."),
            ReinforcementTraining.RunAsync),
        Kind(
            "dpo",
            $$"""
            Direct preference optimisation on lines of {"prompt", "chosen", "rejected"} or {"messages", "chosen", "rejected"}.

            Settings: model, output, data; epochs (1), batch (16) pairs, beta (0.1), validation (a file like data), lora (as for sft), {{Common}}.

            {{Resumed("100")}}
            Example: {"model": "tuned", "output": "preferred", "data": "pairs.jsonl", "learning_rate": 1e-5}
            """,
            output,
            PreferenceSettings.Load,
            (settings, device, console, cancellation) =>
            {
                PreferenceTraining.Run(settings, device, console, cancellation);
                return Task.CompletedTask;
            }),
    };

    private static Command Kind<T>(
        string name, string description, TextWriter output, Func<string, T> load, Func<T, Device, LiveConsole, CancellationToken, Task> train)
        where T : TrainSettings
    {
        var config = new Option<string>("--config") { Required = true, Description = "Settings as a JSON file" };
        var command = new Command(name, description) { config };
        command.SetAction((result, cancellation) => Commands.GuardedAsync(result, async () =>
        {
            // Away from the calling thread, which waits for Ctrl-C meanwhile.
            await Task.Yield();
            T settings = load(result.GetValue(config)!);
            using Device device = Commands.Open(result, settings.Device);
            IAnsiConsole terminal = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });
            return await LiveConsole.RunAsync(
                async console =>
                {
                    try
                    {
                        await train(settings, device, console, cancellation).ConfigureAwait(false);
                    }
                    catch (OperationCanceledException)
                    {
                        console.Say("Stopped and saved; the same command goes on.");
                        throw;
                    }

                    console.Say($"Trained: {settings.Output}");
                    return 0;
                },
                console: terminal).ConfigureAwait(false);
        }));
        return command;
    }

    private static string Resumed(string saveEvery) => $"""
        Every save_every ({saveEvery}) steps, and on Ctrl-C, progress is kept in OUTPUT/progress: the same command goes on from there and ends
        in the same bits. OUTPUT/metrics.jsonl grows with each step; OUTPUT has the checkpoint and report.html in the end.
        """;
}
