namespace FineTuneOnYourData;

/// <summary>What the command line decides.</summary>
internal sealed record Settings
{
    public string Data { get; init; } = Path.Combine(AppContext.BaseDirectory, "colours.jsonl");

    public string? Model { get; init; }

    public string Output { get; init; } = "tuned";

    public int Rank { get; init; } = 8;

    /// <summary>By default few for a model that knows something, many for random weights.</summary>
    public int Epochs { get => field > 0 ? field : Model is null ? 40 : 3; init; }

    /// <summary>By default small for a model that knows something, large for random weights.</summary>
    public float LearningRate { get => field > 0 ? field : Model is null ? 1e-2f : 2e-4f; init; }

    public int TokensPerStep { get; init; } = 512;

    public ulong Seed { get; init; }

    public string Device { get; init; } = "cpu";
}
