using System.Text.Json;
using System.Text.Json.Nodes;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>
/// Settings of minimax train dpo. <c>data</c>, see <see cref="PreferenceData"/>, taken <c>epochs</c> times by <c>batch</c> pairs a step;
/// <c>validation</c>, pairs that are not learnt, looked at before and after; <c>beta</c>; <c>lora</c>: an adapter is trained, and the reference
/// is the model without it.
/// </summary>
internal sealed record PreferenceSettings : TrainSettings
{
    public string? Data { get; set; }

    public string? Validation { get; set; }

    public int Epochs { get; set; } = 1;

    public int Batch { get; set; } = 16;

    public float Beta { get; set; } = 0.1f;

    /// <summary>Steps between two savings of what has been done so far.</summary>
    public int SaveEvery { get; set; } = 100;

    public LoraSettings? Lora { get; set; }

    public static PreferenceSettings Load(string path) => Load(path, TrainJson.Default.PreferenceSettings);

    public override JsonObject ToJson() => JsonSerializer.SerializeToNode(this, TrainJson.Default.PreferenceSettings)!.AsObject();

    public override void Validate()
    {
        base.Validate();
        ArgumentOutOfRangeException.ThrowIfLessThan(Epochs, 1, "epochs");
        ArgumentOutOfRangeException.ThrowIfLessThan(Batch, 1, "batch");
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Beta, "beta");
        ArgumentOutOfRangeException.ThrowIfLessThan(SaveEvery, 1, "save_every");
        Lora?.Validate();
        if (Data is null)
        {
            throw new ArgumentException("'data' is missing.");
        }
    }

    /// <summary>The batches, one a step; each epoch has an order of its own.</summary>
    public IReadOnlyList<PreferencePair[]> Plan(IReadOnlyList<PreferencePair> data) =>
    [
        .. Enumerable.Range(0, Epochs).SelectMany(epoch =>
        {
            PreferencePair[] order = [.. data];
            new SplitMix64(SplitMix64.Mix(Seed + (ulong)epoch)).Shuffle<PreferencePair>(order);
            return order.Chunk(Batch);
        }),
    ];
}
