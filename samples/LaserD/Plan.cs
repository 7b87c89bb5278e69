using LogicReasoner;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Training;

namespace LaserD;

/// <summary>A model that is examined, and the reward it is trained on with.</summary>
/// <param name="Name">Of its files and its part of the results.</param>
/// <param name="Trained">Whether there is reinforcement learning; else it is the main job's model as it is.</param>
/// <param name="Shaped">Whether length counts. Everything else is the same for all.</param>
internal sealed record Arm(string Name, string Title, bool Trained, bool Shaped)
{
    public static IReadOnlyList<Arm> All { get; } =
    [
        new("main_job", "main job's model as it is", false, false), new("laser_d", "LASER-D", true, true), new("control", "correctness alone", true, false),
    ];
}

/// <summary>What is trained, and how it is examined. Numbers of steps decide how long it takes, never the clock.</summary>
internal sealed record Plan
{
    /// <summary>The main job's; people are demonstrated more often still.</summary>
    public Recipe Recipe { get; init; } = new() { LessonWeights = [0.15, 0.1, 0.75] };

    /// <summary>Supervised steps that teach the brief way beside the other.</summary>
    public int SkillSteps { get; init; } = 7000;

    public float SkillRate { get; init; } = 5e-3f;

    /// <summary>Share of brief demonstrations there.</summary>
    public double SkillBrief { get; init; } = 0.75;

    /// <summary>Supervised steps that make the brief way a rare one.</summary>
    public int HabitSteps { get; init; } = 150;

    public float HabitRate { get; init; } = 5e-4f;

    /// <summary>Share of brief demonstrations there.</summary>
    public double HabitBrief { get; init; } = 0.1;

    /// <summary>Steps of reinforcement learning.</summary>
    public int Steps { get; init; } = 140;

    public float Rate { get; init; } = 2e-4f;

    public IReadOnlyList<int> Seeds { get; init; } = [0, 1, 2];

    /// <summary>Prompts of the training split from whose answers target lengths follow. The paper takes 500, of puzzles that take thousands of tokens.</summary>
    public int MonitoringPrompts { get; init; } = 64;

    /// <summary>Steps between two examinations.</summary>
    public int ExamineEvery { get; init; } = 10;

    public int TestInstances { get; init; } = 540;

    public int TestSamples { get; init; } = 2;

    /// <summary>The development split while settings are being chosen, the test split otherwise.</summary>
    public Split ExaminedSplit { get; init; } = Split.Test;

    /// <summary>Answers here are of tens of tokens, where the paper's are of thousands.</summary>
    public LaserOptions Laser => new()
    {
        MaxLength = Recipe.MaxNewTokens,
        CandidateStep = 4,
        GroupSize = Recipe.GroupSize,
    };

    public PolicyOptions Policy(Lessons lessons) => Recipe.Cispo(Recipe, lessons) with { LearningRate = new LearningRateSchedule(Rate, Steps) { DecayStart = 0.8f } };

    public GenerationOptions Sampling(Lessons lessons) => Evaluation.Sampling(Policy(lessons).Generation);
}
