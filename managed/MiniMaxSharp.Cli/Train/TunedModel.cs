using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>A model that is tuned on lines of a file, all of it or by an adapter, with what belongs to it.</summary>
internal sealed class TunedModel : IDisposable
{
    public TunedModel(TrainSettings settings, LoraSettings? lora, Device device)
    {
        Tokenizer = Tokenizer.Load(settings.Model);
        Model = MiniMaxForCausalLM.Load(settings.Model, device);
        Adapter = lora?.Attach(Model, settings.Seed);
        Trained = [.. Adapter?.Parameters ?? Model.Parameters];
        Optimizer = new AdamW(Trained);
    }

    public Tokenizer Tokenizer { get; }

    public MiniMaxForCausalLM Model { get; }

    public LoraAdapter? Adapter { get; }

    public IReadOnlyList<Parameter> Trained { get; }

    public AdamW Optimizer { get; }

    /// <summary>Tokens of a sequence at most.</summary>
    public int MaxLength => (int)Math.Min(Model.Config.MaxPositionEmbeddings, int.MaxValue);

    /// <summary>Trains from where the folder's run is, and leaves the result there.</summary>
    public void Train(RunFolder folder, LiveConsole console, Action<RunRecord, TrainingProgress> train)
    {
        using (var record = new RunRecord(folder, console))
        {
            if (folder.IsUnderWay)
            {
                console.Say("Goes on with the unfinished run.");
            }
            else
            {
                folder.Begin();
            }

            train(record, new TrainingProgress(folder.Progress, Trained, Optimizer, record));
        }

        folder.Finish(Model, Tokenizer, Adapter);
    }

    public void Dispose()
    {
        Optimizer.Dispose();
        Adapter?.Dispose();
        Model.Dispose();
    }
}
