using MiniMaxSharp.Generation;

namespace MiniMaxSharp.Training;

/// <summary>Settings of <see cref="PolicyTrainer"/>.</summary>
public sealed record PolicyOptions
{
    /// <summary>The method; CISPO unless another one is compared.</summary>
    public PolicyObjective Objective { get; init; } = PolicyObjective.Cispo();

    /// <summary>Responses to each prompt.</summary>
    public int GroupSize { get; init; } = 8;

    /// <summary>Prompts of an update. Groups stay whole.</summary>
    public int PromptsPerUpdate { get; init; } = 4;

    /// <summary>Updates on one batch of rollouts at most (report, section 3.2: 16).</summary>
    public int MaxUpdates { get; init; } = 16;

    /// <summary>
    /// Batches of prompts that are rolled out for one step at most, until as many groups as one batch has prompts have
    /// responses of different reward (dynamic sampling). 1: uniform groups are only dropped.
    /// </summary>
    public int MaxGenerationBatches { get; init; } = 1;

    /// <summary>How responses are sampled; the temperature should be 1 and nothing cut, or ratios are off.</summary>
    public required GenerationOptions Generation { get; init; }

    /// <summary>Learning rate by rollout step.</summary>
    public required LearningRateSchedule LearningRate { get; init; }

    /// <summary>Weight of the load-balancing loss.</summary>
    public float AuxiliaryLossWeight { get; init; } = 0.001f;

    /// <summary>Divide advantages by the unbiased standard deviation (verl's way) instead of the population's.</summary>
    public bool UnbiasedDeviation { get; init; }

    /// <summary>Whether and how the sampler's probabilities are set right.</summary>
    public RolloutCorrection Correction { get; init; }

    /// <summary>Bound of the correction's factor; at least 1. The 2 is this project's choice.</summary>
    public float MaxCorrection { get; init; } = 2;

    /// <summary>
    /// Whether responses that were cut by their length are left out of the loss, since nothing is known of how they would have ended
    /// (DAPO's overlong filtering, arXiv 2503.14476, section 3.4). Their rewards still count in the group's mean; that other responses
    /// then weigh as if those had not been sampled is this project's choice.
    /// </summary>
    public bool MaskTruncated { get; init; }

    /// <summary>
    /// Whether tokens go to the experts in training that they went to while they were sampled, weighed by the trainer's routers (rollout
    /// routing replay, arXiv 2510.11370). The load-balancing loss still counts the routers' own choices, and a reference model chooses
    /// for itself: choices of this project.
    /// </summary>
    public bool ReplayRouting { get; init; }

    /// <summary>
    /// A value function in place of the group's mean: PPO. Groups whose rewards are equal are learnt from, too, and may be of one response.
    /// </summary>
    public CriticOptions? Critic { get; init; }

    /// <summary>Throws on a setting that makes no sense.</summary>
    public void Validate()
    {
        Objective.Validate();
        Generation.Validate();
        Critic?.Validate();
        ArgumentOutOfRangeException.ThrowIfLessThan(GroupSize, Critic is null ? 2 : 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(PromptsPerUpdate, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxUpdates, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxGenerationBatches, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxCorrection, 1);
    }
}
