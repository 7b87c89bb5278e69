using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>The methods of reinforcement learning.</summary>
internal enum PolicyMethod
{
    Cispo,
    Dapo,
    Grpo,
    Reinforce,
    Ppo,
}

/// <summary>
/// Settings of minimax train rl. <c>tasks</c> by name, their <c>difficulty</c> and <c>prompt_style</c>; <c>prompts</c> a step; how they are
/// held out for an evaluation every <c>evaluate_every</c> steps; <c>save_every</c> steps; all else as in <see cref="PolicyOptions"/>,
/// <see cref="PolicyObjective"/> and <see cref="ReinforcementRunOptions"/>.
/// </summary>
internal sealed record ReinforcementSettings : TrainSettings
{
    public int Steps { get; set; } = 100;

    [JsonConverter(typeof(EnumJson<PolicyMethod>))]
    public PolicyMethod Method { get; set; }

    public string[]? Tasks { get; set; }

    public Difficulty Difficulty { get; set; } = new(1);

    [JsonConverter(typeof(EnumJson<PromptStyle>))]
    public PromptStyle PromptStyle { get; set; } = PromptStyle.Compact;

    public int Prompts { get; set; } = 16;

    public int GroupSize { get; set; } = 8;

    public int MaxNewTokens { get; set; } = 256;

    public int PromptsPerUpdate { get; set; } = 4;

    public int MaxUpdates { get; set; } = 16;

    public int MaxGenerationBatches { get; set; } = 1;

    public int Staleness { get; set; }

    /// <summary>CISPO's alone; 5 unless said otherwise.</summary>
    public float? MaxImportanceWeight { get; set; }

    /// <summary>Null: the method's own.</summary>
    [JsonConverter(typeof(EnumJson<LossAggregation>))]
    public LossAggregation? Aggregation { get; set; }

    public float KlWeight { get; set; }

    [JsonConverter(typeof(EnumJson<KlEstimator>))]
    public KlEstimator KlEstimator { get; set; } = KlEstimator.K3;

    public float EntropyWeight { get; set; }

    [JsonConverter(typeof(EnumJson<RolloutCorrection>))]
    public RolloutCorrection Correction { get; set; }

    public bool MaskTruncated { get; set; }

    public bool ReplayRouting { get; set; }

    public LaserSettings? Laser { get; set; }

    /// <summary>Null: never.</summary>
    public int? EvaluateEvery { get; set; }

    public int EvaluationPuzzles { get; set; } = 64;

    /// <summary>Answers to each: k of avg@k and pass@k.</summary>
    public int EvaluationSamples { get; set; } = 8;

    /// <summary>Null: the difficulty, under the curriculum 1 to 5.</summary>
    public int[]? EvaluationLevels { get; set; }

    public int SaveEvery { get; set; } = 10;

    public static ReinforcementSettings Load(string path) => Load(path, TrainJson.Default.ReinforcementSettings);

    public override JsonObject ToJson() => JsonSerializer.SerializeToNode(this, TrainJson.Default.ReinforcementSettings)!.AsObject();

    public override void Validate()
    {
        base.Validate();
        ArgumentOutOfRangeException.ThrowIfLessThan(Steps, 1, "steps");
        ArgumentOutOfRangeException.ThrowIfLessThan(Prompts, 1, "prompts");
        ArgumentOutOfRangeException.ThrowIfLessThan(GroupSize, Method == PolicyMethod.Ppo ? 1 : 2, "group_size");
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxNewTokens, 1, "max_new_tokens");
        ArgumentOutOfRangeException.ThrowIfNegative(Staleness, "staleness");
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxImportanceWeight ?? 1, 1, "max_importance_weight");
        ArgumentOutOfRangeException.ThrowIfLessThan(EvaluateEvery ?? 1, 1, "evaluate_every");
        ArgumentOutOfRangeException.ThrowIfLessThan(EvaluationPuzzles, 1, "evaluation_puzzles");
        ArgumentOutOfRangeException.ThrowIfLessThan(EvaluationSamples, 1, "evaluation_samples");
        ArgumentOutOfRangeException.ThrowIfLessThan(SaveEvery, 1, "save_every");
        ArgumentOutOfRangeException.ThrowIfLessThan(Laser?.MonitoringPrompts ?? 1, 1, "laser.monitoring_prompts");
        Laser?.Options(MaxNewTokens, GroupSize).Validate();
        if (MaxImportanceWeight is not null && Method != PolicyMethod.Cispo)
        {
            throw new ArgumentException("'max_importance_weight' belongs to the method cispo.");
        }

        RequireTasks();
        Policy([]).Validate();
    }

    /// <summary>The trainer's settings.</summary>
    /// <param name="stopTokens">End a response.</param>
    public PolicyOptions Policy(IReadOnlyList<int> stopTokens) => new()
    {
        Objective = Objective(),
        GroupSize = GroupSize,
        PromptsPerUpdate = PromptsPerUpdate,
        MaxUpdates = MaxUpdates,
        MaxGenerationBatches = MaxGenerationBatches,
        LearningRate = new LearningRateSchedule(LearningRate, Steps),
        Generation = new GenerationOptions { MaxNewTokens = MaxNewTokens, StopTokens = stopTokens },
        Correction = Correction,
        MaskTruncated = MaskTruncated,
        ReplayRouting = ReplayRouting,
        Critic = Method == PolicyMethod.Ppo ? new CriticOptions() : null,
    };

    private PolicyObjective Objective()
    {
        PolicyObjective method = Method switch
        {
            PolicyMethod.Cispo => PolicyObjective.Cispo(MaxImportanceWeight ?? 5),
            PolicyMethod.Dapo => PolicyObjective.Dapo(),
            PolicyMethod.Grpo => PolicyObjective.Grpo(),
            PolicyMethod.Reinforce => PolicyObjective.Reinforce(),
            _ => PolicyObjective.Ppo(),
        };
        return method with { Aggregation = Aggregation ?? method.Aggregation, KlWeight = KlWeight, KlEstimator = KlEstimator, EntropyWeight = EntropyWeight };
    }

    private void RequireTasks()
    {
        if (Tasks is not { Length: > 0 } tasks)
        {
            throw new ArgumentException("'tasks' is missing.");
        }

        foreach (IGrouping<string, string> task in tasks.GroupBy(name => TaskRegistry.Get(name).Name))
        {
            if (task.Count() > 1)
            {
                throw new ArgumentException($"'tasks' has '{task.Key}' twice.");
            }
        }

        if (EvaluationLevels is { } levels && (levels.Length == 0 || levels.Any(l => l is < 1 or > 10)))
        {
            throw new ArgumentException("'evaluation_levels' should be numbers from 1 to 10.");
        }
    }
}
