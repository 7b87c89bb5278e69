using System.Text.Json;
using System.Text.Json.Serialization;

namespace LogicReasoner;

/// <summary>The parts of the run, in order.</summary>
internal enum Phase
{
    /// <summary>Supervised: both ways to answer.</summary>
    Skill,

    /// <summary>Supervised: answering at once becomes a habit.</summary>
    Habit,

    /// <summary>Reinforcement learning.</summary>
    Cispo,

    /// <summary>The warm start continued by supervision for as many tokens as CISPO used.</summary>
    Control,

    /// <summary>Nothing left to do.</summary>
    Done,
}

/// <summary>What is remembered of an examination.</summary>
internal sealed record MarksSummary(Mark All, Dictionary<string, Mark> ByTask);

/// <summary>Where the run stands; with model and optimiser this is all that a resumed run needs to end in the same bits.</summary>
internal sealed record RunState
{
    /// <summary>The settings that the run was begun with.</summary>
    public string Recipe { get; init; } = "";

    /// <summary>The commit that the program which began it was built from.</summary>
    public string Commit { get; init; } = "";

    public Phase Phase { get; init; }

    /// <summary>Steps of the phase that are done.</summary>
    public int Step { get; init; }

    /// <summary>Length of metrics.jsonl at this point.</summary>
    public long MetricsBytes { get; init; }

    /// <summary>Length of examples.jsonl at this point.</summary>
    public long ExamplesBytes { get; init; }

    /// <summary>Running pass rate of each task in training, from which prompts are weighted.</summary>
    public double[] PassRates { get; init; } = [];

    public long CispoTokens { get; init; }

    public long ControlTokens { get; init; }

    public long Tokens { get; init; }

    public long ZeroGradientTokens { get; init; }

    public double LowestPearson { get; init; } = 1;

    public double Seconds { get; init; }

    public double TrainingSeconds { get; init; }

    public Dictionary<string, MarksSummary> Marks { get; init; } = [];

    public List<SampleText> Answers { get; init; } = [];

    public string ToJson() => JsonSerializer.Serialize(this, RunStateJson.Default.RunState);

    public static RunState FromJson(string json) =>
        JsonSerializer.Deserialize(json, RunStateJson.Default.RunState) ?? throw new InvalidDataException("The run's state is empty.");
}

/// <summary>A response kept for the report.</summary>
internal sealed record SampleText(string Task, string Prompt, string Response, bool Correct, string Reason);

[JsonSourceGenerationOptions(WriteIndented = true, UseStringEnumConverter = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(RunState))]
[JsonSerializable(typeof(Recipe))]
internal sealed partial class RunStateJson : JsonSerializerContext;
