using System.CommandLine;
using System.Globalization;
using FineTuneOnYourData;
using MiniMaxSharp.Native;

// LoRA on a JSONL of your own: dotnet run -c Release --project samples/FineTuneOnYourData -- DATA.jsonl --model CHECKPOINT
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var defaults = new Settings();
var data = new Argument<string>("data") { DefaultValueFactory = _ => defaults.Data, Description = "Lines of {\"messages\"}, {\"prompt\", \"completion\"} or {\"text\"}" };
var model = new Option<string?>("--model") { Description = "Checkpoint to start from; without one a tiny model is made for the data" };
var output = new Option<string>("--output") { DefaultValueFactory = _ => defaults.Output, Description = "Receives adapter/ in PEFT's layout and merged/, a checkpoint" };
var rank = new Option<int>("--rank") { DefaultValueFactory = _ => defaults.Rank, Description = "Rank of the additions" };
var epochs = new Option<int>("--epochs") { Description = "Times through the data at most (default: 3, of a tiny model 40); training ends when held-out data gets no better" };
var rate = new Option<float>("--learning-rate") { Description = "Peak learning rate (default: 2e-4, of a tiny model 1e-2)" };
var tokens = new Option<int>("--tokens-per-step") { DefaultValueFactory = _ => defaults.TokensPerStep, Description = "Tokens of a step" };
var seed = new Option<ulong>("--seed") { DefaultValueFactory = _ => defaults.Seed, Description = "Seed of all random choices" };
var device = new Option<string>("--device") { DefaultValueFactory = _ => defaults.Device, Description = "cpu, cuda, cuda:1 (the second GPU), or auto: a GPU if there is one" };
var command = new RootCommand("Fine-tunes a model with LoRA on lines of JSON, and asks the result a question of the data.") { data, model, output, rank, epochs, rate, tokens, seed, device };
command.SetAction((result, cancellation) =>
{
    try
    {
        FineTuning.Run(
            new Settings
            {
                Data = result.GetValue(data)!,
                Model = result.GetValue(model),
                Output = result.GetValue(output)!,
                Rank = result.GetValue(rank),
                Epochs = result.GetValue(epochs),
                LearningRate = result.GetValue(rate),
                TokensPerStep = result.GetValue(tokens),
                Seed = result.GetValue(seed),
                Device = result.GetValue(device)!,
            },
            Console.Out,
            cancellation);
        return Task.FromResult(0);
    }
    catch (Exception error) when (error is IOException or InvalidDataException or ArgumentException or InvalidOperationException or NotSupportedException or NativeException or NativeLibraryException)
    {
        Console.Error.WriteLine(error.Message);
        return Task.FromResult(2);
    }
    catch (OperationCanceledException)
    {
        return Task.FromResult(130);
    }
});
return command.Parse(args).Invoke();
