using LogicReasoner;
using MiniMaxSharp.Training;

namespace CispoVsGrpo;

/// <summary>A way to train: everything else is the same for all.</summary>
internal sealed record Method(string Name, string Title, PolicyObjective Objective)
{
    /// <summary>
    /// GRPO averages over each response first, which makes a token of a long one count less. It is also run with the
    /// others' average over the tokens of a prompt, so that the clip and not the averaging is compared.
    /// </summary>
    public static IReadOnlyList<Method> All { get; } =
    [
        new("cispo", "CISPO", PolicyObjective.Cispo()),
        new("dapo", "DAPO", PolicyObjective.Dapo()),
        new("grpo", "GRPO", PolicyObjective.Grpo()),
        new("grpo_token", "GRPO, token average", PolicyObjective.Grpo() with { Aggregation = LossAggregation.Prompt }),
    ];
}

/// <summary>A starting point. The first token of a response decides whether it is worked out; what differs is how rare that is.</summary>
/// <param name="Name">Of its folder and its part of the results.</param>
/// <param name="HabitQuick">Share of demonstrations that answer at once in the last supervised phase.</param>
internal sealed record Setting(string Name, double HabitQuick)
{
    /// <summary>A valuable first token that is rare, as "wait" and "however" are in the report, and one that is not.</summary>
    public static IReadOnlyList<Setting> All { get; } = [new("rare", 0.95), new("common", 0.5)];
}

/// <summary>What is compared, and on what. Numbers of steps decide how long it takes, never the clock.</summary>
internal sealed record Plan
{
    /// <summary>The main job's model, puzzles and supervised phases. An update is of two groups, so that a batch makes 16.</summary>
    public Recipe Recipe { get; init; } = new() { CispoSteps = 32, Prompts = 32, PromptsPerUpdate = 2, TestInstances = 540, TestSamples = 1 };

    /// <summary>Batches of prompts a step at most, until as many groups as a batch has prompts have something to teach (DAPO's dynamic sampling).</summary>
    public int MaxGenerationBatches { get; init; } = 6;

    public IReadOnlyList<int> Seeds { get; init; } = [0, 1, 2, 3, 4];

    /// <summary>Seeds that only learning rates are chosen with.</summary>
    public IReadOnlyList<int> SweepSeeds { get; init; } = [100, 101];

    public IReadOnlyList<float> Rates { get; init; } = [1e-4f, 3e-4f, 1e-3f];

    public int ExamineEvery { get; init; } = 4;
}
