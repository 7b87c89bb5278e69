using System.Text.Json;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace LogicReasoner;

/// <summary>
/// Every setting of the run. Chosen on the development split; the test split was looked at with the final settings only.
/// Sequences of steps, never the clock, decide how long it takes.
/// </summary>
internal sealed record Recipe
{
    public ulong Seed { get; init; }

    public IReadOnlyList<string> Tasks { get; init; } = ["boolean_expressions", "dyck_language", "web_of_lies"];

    public IReadOnlyList<int> Levels { get; init; } = [1, 2, 3];

    public int BatchSequences { get; init; } = 24;

    /// <summary>Supervised steps that teach both ways to answer.</summary>
    public int SkillSteps { get; init; } = 3500;

    public float SkillRate { get; init; } = 5e-3f;

    /// <summary>Share of demonstrations that answer at once.</summary>
    public double SkillQuick { get; init; } = 0.25;

    /// <summary>Supervised steps that make answering at once a habit.</summary>
    public int HabitSteps { get; init; } = 100;

    public float HabitRate { get; init; } = 5e-4f;

    public double HabitQuick { get; init; } = 0.8;

    public int CispoSteps { get; init; } = 60;

    public float CispoRate { get; init; } = 1e-4f;

    public int Prompts { get; init; } = 64;

    public int GroupSize { get; init; } = 8;

    public int PromptsPerUpdate { get; init; } = 4;

    public int MaxNewTokens { get; init; } = 144;

    public float AuxiliaryLossWeight { get; init; } = 0.005f;

    /// <summary>Held-out instances, in equal shares of tasks and levels, and samples of each.</summary>
    public int TestInstances { get; init; } = 540;

    public int TestSamples { get; init; } = 4;

    /// <summary>Instances of the development split, one sample each, for the curve.</summary>
    public int DevelopmentInstances { get; init; } = 180;

    public int DevelopmentEvery { get; init; } = 10;

    /// <summary>Weights and activations in bfloat16; master weights and moments stay in single precision.</summary>
    public bool BFloat16 { get; init; }

    /// <summary>The development split while settings are being chosen, the test split otherwise.</summary>
    public Split ExaminedSplit { get; init; } = Split.Test;

    /// <summary>How often each task is demonstrated: what is hard is shown more often.</summary>
    public IReadOnlyList<double> LessonWeights { get; init; } = [0.35, 0.15, 0.5];

    /// <summary>Of the held-out puzzles: every run is examined on the same ones.</summary>
    public const ulong TestSeed = 20261124;

    public string ToJson() => JsonSerializer.Serialize(this, RunStateJson.Default.Recipe);

    public static LearningRateSchedule Skill(Recipe r) => new(r.SkillRate, r.SkillSteps) { WarmupSteps = 50, DecayStart = 0.5f };

    public static LearningRateSchedule Habit(Recipe r) => new(r.HabitRate, r.HabitSteps);

    public static PolicyOptions Cispo(Recipe r, Lessons lessons) => new()
    {
        GroupSize = r.GroupSize,
        PromptsPerUpdate = r.PromptsPerUpdate,
        AuxiliaryLossWeight = r.AuxiliaryLossWeight,
        LearningRate = new LearningRateSchedule(r.CispoRate, r.CispoSteps),
        Generation = new GenerationOptions { MaxNewTokens = r.MaxNewTokens, StopTokens = [lessons.Tokenizer.EosTokenId!.Value] },
    };

    public static MiniMaxConfig Model(Tokenizer tokenizer) => new()
    {
        HiddenSize = 128,
        NumHiddenLayers = 4,
        AttnTypeList = [0, 0, 1, 0],
        NumAttentionHeads = 8,
        NumKeyValueHeads = 4,
        HeadDim = 16,
        RotaryDim = 8,
        RopeTheta = 10000,
        MaxPositionEmbeddings = 4096,
        IntermediateSize = 128,
        NumLocalExperts = 8,
        NumExpertsPerTok = 2,
        Postnorm = true,
        LayernormLinearAttentionAlpha = MiniMaxConfig.DeepNorm(4),
        LayernormFullAttentionAlpha = MiniMaxConfig.DeepNorm(4),
        LayernormMlpAlpha = MiniMaxConfig.DeepNorm(4),
        InitializerRange = 0.04,
        VocabSize = tokenizer.VocabularySize,
        BosTokenId = tokenizer.BosTokenId,
        EosTokenIds = [tokenizer.EosTokenId!.Value],
    };
}
