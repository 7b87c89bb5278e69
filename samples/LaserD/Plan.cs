using LogicReasoner;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Training;

namespace LaserD;

/// <summary>A reward to go on with. Everything else is the same for all.</summary>
/// <param name="Name">Of its files and its part of the results.</param>
/// <param name="Shaped">Whether length counts.</param>
internal sealed record Arm(string Name, string Title, bool Shaped)
{
    public static IReadOnlyList<Arm> All { get; } = [new("laser_d", "LASER-D", true), new("control", "correctness alone", false)];
}

/// <summary>What is trained, and how it is examined. Numbers of steps decide how long it takes, never the clock.</summary>
internal sealed record Plan
{
    /// <summary>The main job's, with room for a second look.</summary>
    public Recipe Recipe { get; init; } = new() { MaxNewTokens = 288 };

    /// <summary>Supervised steps that make a second look a habit.</summary>
    public int HabitSteps { get; init; } = 1000;

    public float HabitRate { get; init; } = 1e-3f;

    /// <summary>Share of demonstrations with a second look.</summary>
    public double HabitShare { get; init; } = 0.9;

    /// <summary>Steps of reinforcement learning.</summary>
    public int Steps { get; init; } = 60;

    public float Rate { get; init; } = 2e-4f;

    public IReadOnlyList<int> Seeds { get; init; } = [0, 1, 2];

    /// <summary>Prompts of the training split from whose answers target lengths follow. The paper takes 500, of puzzles that take thousands of tokens.</summary>
    public int MonitoringPrompts { get; init; } = 64;

    /// <summary>Steps between two examinations.</summary>
    public int ExamineEvery { get; init; } = 10;

    public int TestInstances { get; init; } = 540;

    public int TestSamples { get; init; } = 2;

    /// <summary>Answers here are of tens of tokens, where the paper's are of thousands.</summary>
    public LaserOptions Laser => new()
    {
        MaxLength = Recipe.MaxNewTokens,
        CandidateStep = 4,
        GroupSize = Recipe.GroupSize,
    };

    public PolicyOptions Policy(Lessons lessons) => Recipe.Cispo(Recipe, lessons) with { LearningRate = new LearningRateSchedule(Rate, Steps) };

    public GenerationOptions Sampling(Lessons lessons) => Evaluation.Sampling(Policy(lessons).Generation);
}
