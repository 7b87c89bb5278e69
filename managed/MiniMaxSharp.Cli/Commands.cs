using System.CommandLine;
using System.Globalization;
using MiniMaxSharp.Cli.Train;
using MiniMaxSharp.Native;

namespace MiniMaxSharp.Cli;

/// <summary>
/// The command line. Exit codes: 0 done, 1 a check failed, 2 bad usage or bad input (one line on standard error says
/// what), 130 interrupted.
/// </summary>
internal static class Commands
{
    public static int Run(string[] arguments, TextWriter? output = null, TextWriter? errors = null)
    {
        output ??= Console.Out;
        var root = new RootCommand(
            """
            MiniMax-M1-style models on .NET.

            Examples:
              minimax doctor
              minimax check --goldens goldens
              minimax inspect runs/seed-0/checkpoint
              minimax generate --model runs/seed-0/checkpoint --prompt "close ( < [ ] ["
              minimax serve runs/seed-0/checkpoint
              minimax forward --model DIR --input in.safetensors --output out.safetensors --gradients
              minimax train sft --config sft.json
              minimax train rl --config rl.json
              minimax tasks generate --task futoshiki --count 100 --difficulty 3 --output puzzles.jsonl
              minimax report runs/seed-0 runs/seed-1

            Exit codes: 0 done, 1 a check failed, 2 bad usage or input, 130 interrupted.
            """);
        root.Subcommands.Add(Check(output));
        root.Subcommands.Add(Inspect(output));
        root.Subcommands.Add(Forward());
        root.Subcommands.Add(Generate(output));
        root.Subcommands.Add(TrainCommand.Create(output));
        root.Subcommands.Add(TasksCommand.Create(output));
        root.Subcommands.Add(ReportCommand.Create(output));
        root.Subcommands.Add(ServeCommand.Create(output));
        root.Subcommands.Add(Doctor(output));
        root.Subcommands.Add(Lines("tokenize", "Token ids of texts: {\"text\"} becomes {\"ids\"}, line by line", TokenizeCommand.Run));
        root.Subcommands.Add(Lines("render", "Chats as one text: {\"messages\", \"tools\", \"add_generation_prompt\"} becomes {\"rendered\"}, line by line", RenderCommand.Run));
        ParseResult result = root.Parse(arguments);
        // Ctrl-C cancels; what runs ends at its next safe point.
        int code = result.Invoke(new InvocationConfiguration
        {
            Output = output,
            Error = errors ?? Console.Error,
            ProcessTerminationTimeout = TimeSpan.FromMinutes(10),
        });
        return result.Errors.Count > 0 ? 2 : code;
    }

    private static Command Check(TextWriter output)
    {
        var goldens = new Option<string>("--goldens") { Required = true, Description = "Folder with kernels/*.json and model folders" };
        Option<string> device = DeviceName();
        var filter = new Option<string?>("--filter") { Description = "Only cases whose FAMILY/CASE or MODEL/FILE contains this text" };
        var command = new Command("check", "Run every golden case and print each tensor's error against its tolerance") { goldens, device, filter };
        command.SetAction(result => Guarded(result, () =>
        {
            using Device on = Open(result, result.GetValue(device)!);
            return CheckCommand.Run(result.GetValue(goldens)!, on, result.GetValue(filter), output);
        }));
        return command;
    }

    private static Command Inspect(TextWriter output)
    {
        var path = new Argument<string>("path") { Description = "config.json, or a folder with it and, as the case may be, weights" };
        var command = new Command("inspect", "Check names, shapes and sizes without reading weights; print sizes and FLOPs") { path };
        command.SetAction(result => Guarded(result, () => InspectCommand.Run(result.GetValue(path)!, output)));
        return command;
    }

    private static Command Forward()
    {
        var model = Model();
        var input = new Option<string>("--input") { Required = true, Description = "input_ids [B,N] int64, optional attention_mask and labels" };
        var target = new Option<string>("--output") { Required = true, Description = "Receives logits, loss and gradients" };
        var gradients = new Option<bool>("--gradients") { Description = "Also write grad.<parameter>; needs labels" };
        Option<string> device = DeviceName();
        var command = new Command("forward", "Run a batch through a model") { model, input, target, gradients, device };
        command.SetAction(result => Guarded(result, () =>
        {
            using Device on = Open(result, result.GetValue(device)!);
            return ForwardCommand.Run(result.GetValue(model)!, on, result.GetValue(input)!, result.GetValue(target)!, result.GetValue(gradients));
        }));
        return command;
    }

    private static Command Generate(TextWriter output)
    {
        var model = Model();
        var ids = new Option<string?>("--ids") { Description = "Prompt as token ids: 1,2,3" };
        var prompt = new Option<string?>("--prompt") { Description = "Prompt as text, put as a user's message in the chat format" };
        var most = new Option<int>("--max-new-tokens") { DefaultValueFactory = _ => 256, Description = "Tokens to generate at most" };
        var greedy = new Option<bool>("--greedy") { Description = "Always the most probable token" };
        var temperature = new Option<float>("--temperature") { DefaultValueFactory = _ => 1f, Description = "Divides the logits" };
        var topP = new Option<float>("--top-p") { DefaultValueFactory = _ => 0.95f, Description = "Smallest set of tokens of this probability" };
        var seed = new Option<ulong>("--seed") { DefaultValueFactory = _ => 0ul, Description = "Same seed, same text" };
        var file = new Option<string?>("--output") { Description = "Also write prompt_ids, new_ids and logp to this file" };
        var int8 = new Option<bool>("--int8") { Description = "Round the experts' weights to int8 (half the memory of bfloat16)" };
        Option<string> device = DeviceName();
        var command = new Command("generate", "Continue a prompt") { model, ids, prompt, most, greedy, temperature, topP, seed, file, int8, device };
        command.SetAction((result, cancellation) => GuardedAsync(result, () => GenerateCommand.RunAsync(
            result.GetValue(model)!,
            () => Open(result, result.GetValue(device)!),
            result.GetValue(int8) ? Models.ExpertStorage.Int8 : Models.ExpertStorage.AsModel,
            result.GetValue(ids) is { } list ? ParseIds(list) : null,
            result.GetValue(prompt),
            new Generation.GenerationOptions
            {
                MaxNewTokens = result.GetValue(most),
                Temperature = result.GetValue(greedy) ? 0 : result.GetValue(temperature),
                TopP = result.GetValue(topP),
            },
            result.GetValue(seed),
            result.GetValue(file),
            output,
            cancellation)));
        return command;
    }

    private static Command Doctor(TextWriter output)
    {
        var command = new Command("doctor", "Library, ABI, processor, devices, and a self-test");
        command.SetAction(result => Guarded(result, () => DoctorCommand.Run(output)));
        return command;
    }

    private static Command Lines(string name, string description, Func<string, string, string, int> run)
    {
        var tokenizer = new Option<string>("--tokenizer") { Required = true, Description = "Folder with the tokenizer's files" };
        var input = new Option<string>("--input") { Required = true, Description = "Lines of JSON" };
        var target = new Option<string>("--output") { Required = true, Description = "Receives as many lines, once all are done" };
        var command = new Command(name, description) { tokenizer, input, target };
        command.SetAction(result => Guarded(result, () => run(result.GetValue(tokenizer)!, result.GetValue(input)!, result.GetValue(target)!)));
        return command;
    }

    /// <summary>The option that says where a model runs.</summary>
    public static Option<string> DeviceName() => new("--device") { DefaultValueFactory = _ => "cpu", Description = "cpu, cuda, cuda:1 (the second GPU), or auto: a GPU if there is one" };

    public static Device Open(ParseResult command, string name) =>
        Device.Open(name, why => command.InvocationConfiguration.Error.WriteLine($"Warning: {why}"));

    private static Option<string> Model() => new("--model") { Required = true, Description = "Folder with config.json and model.safetensors" };

    private static int[] ParseIds(string list) => Array.ConvertAll(
        list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
        id => int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out int value)
            ? value
            : throw new ArgumentException($"--ids: '{id}' is not a token id."));

    public static int Guarded(ParseResult command, Func<int> action) =>
        GuardedAsync(command, () => Task.FromResult(action())).GetAwaiter().GetResult();

    public static async Task<int> GuardedAsync(ParseResult command, Func<Task<int>> action)
    {
        try
        {
            return await action().ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return 130;
        }
        catch (Exception error) when (error is IOException or InvalidDataException or ArgumentException or InvalidOperationException
            or NotSupportedException or UnauthorizedAccessException or FormatException or ArithmeticException or KeyNotFoundException
            or NativeException or NativeLibraryException or AbiMismatchException or System.Text.Json.JsonException)
        {
            await command.InvocationConfiguration.Error.WriteLineAsync(error.Message).ConfigureAwait(false);
            return 2;
        }
    }
}
