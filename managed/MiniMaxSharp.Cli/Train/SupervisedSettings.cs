using System.Text.Json;
using System.Text.Json.Nodes;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>
/// Settings of minimax train sft. <c>data</c>, see <see cref="TrainingData"/>, taken either <c>epochs</c> times in steps of
/// <c>tokens_per_step</c> or, without either, by <c>batch</c> sequences drawn at random in each of so many <c>steps</c>;
/// <c>validation</c>, data that is not learnt, looked at every <c>evaluate_every</c> steps until it got no better <c>patience</c> times;
/// <c>lora</c>: an adapter is trained.
/// </summary>
internal sealed record SupervisedSettings : TrainSettings
{
    public string? Data { get; set; }

    /// <summary>100 unless said otherwise.</summary>
    public int? Steps { get; set; }

    /// <summary>16 unless said otherwise.</summary>
    public int? Batch { get; set; }

    /// <summary>1 where <see cref="TokensPerStep"/> is given.</summary>
    public int? Epochs { get; set; }

    /// <summary>8192 where <see cref="Epochs"/> is given.</summary>
    public int? TokensPerStep { get; set; }

    public string? Validation { get; set; }

    public int EvaluateEvery { get; set; } = 20;

    public int Patience { get; set; } = 3;

    /// <summary>Steps between two savings of what has been done so far.</summary>
    public int SaveEvery { get; set; } = 100;

    public LoraSettings? Lora { get; set; }

    public static SupervisedSettings Load(string path) => Load(path, TrainJson.Default.SupervisedSettings);

    public override JsonObject ToJson() => JsonSerializer.SerializeToNode(this, TrainJson.Default.SupervisedSettings)!.AsObject();

    public override void Validate()
    {
        base.Validate();
        ArgumentOutOfRangeException.ThrowIfLessThan(Steps ?? 1, 1, "steps");
        ArgumentOutOfRangeException.ThrowIfLessThan(Batch ?? 1, 1, "batch");
        ArgumentOutOfRangeException.ThrowIfLessThan(Epochs ?? 1, 1, "epochs");
        ArgumentOutOfRangeException.ThrowIfLessThan(TokensPerStep ?? 1, 1, "tokens_per_step");
        ArgumentOutOfRangeException.ThrowIfLessThan(EvaluateEvery, 1, "evaluate_every");
        ArgumentOutOfRangeException.ThrowIfNegative(Patience, "patience");
        ArgumentOutOfRangeException.ThrowIfLessThan(SaveEvery, 1, "save_every");
        Lora?.Validate();
        if (Data is null)
        {
            throw new ArgumentException("'data' is missing.");
        }

        if ((Epochs ?? TokensPerStep) is not null && (Steps ?? Batch) is not null)
        {
            throw new ArgumentException("'epochs' and 'tokens_per_step' go without 'steps' and 'batch'.");
        }
    }

    /// <summary>The batches, one a step.</summary>
    public IReadOnlyList<IReadOnlyList<TrainingSequence>> Plan(IReadOnlyList<TrainingSequence> data)
    {
        if ((Epochs ?? TokensPerStep) is not null)
        {
            return Batches.Plan(data, TokensPerStep ?? 8192, Epochs ?? 1, Seed);
        }

        return
        [
            .. Enumerable.Range(0, Steps ?? 100).Select(step =>
            {
                var random = new SplitMix64(SplitMix64.Mix(Seed + (ulong)step));
                return (TrainingSequence[])[.. Enumerable.Range(0, Batch ?? 16).Select(_ => data[random.Below(data.Count)])];
            }),
        ];
    }
}
