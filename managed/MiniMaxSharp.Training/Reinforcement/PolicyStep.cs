namespace MiniMaxSharp.Training;

/// <summary>What a step of reinforcement learning did. Lengths are in tokens, times in seconds.</summary>
public sealed record PolicyStep
{
    /// <summary>Every response of the step, dropped groups included.</summary>
    public required IReadOnlyList<Rollout> Rollouts { get; init; }

    /// <summary>Mean reward of all responses.</summary>
    public required double Reward { get; init; }

    /// <summary>Share of groups in which all rewards are equal.</summary>
    public required double UniformGroups { get; init; }

    /// <summary>Mean of the method's own objective over the updates, negated.</summary>
    public required double Loss { get; init; }

    /// <summary>Mean entropy of a response token, in nats.</summary>
    public required double Entropy { get; init; }

    /// <summary>Share of trained tokens whose importance weight was capped.</summary>
    public required double ClipRatio { get; init; }

    /// <summary>Response tokens with a non-zero advantage whose weight is 0: none in CISPO.</summary>
    public required long ZeroGradientTokens { get; init; }

    /// <summary>Mean estimate of the KL divergence of trained tokens to the reference (see <see cref="PolicyObjective.KlEstimator"/>); NaN without one.</summary>
    public required double Kl { get; init; }

    /// <summary>Pearson correlation of the probabilities that sampler and trainer give the same tokens, at the same weights; NaN without an update.</summary>
    public required double RolloutTrainerPearson { get; init; }

    /// <summary>Mean load-balancing loss; experts per token is perfect.</summary>
    public required double AuxiliaryLoss { get; init; }

    /// <summary>Coefficient of variation of the experts' loads at the first update, averaged over layers; NaN without an update.</summary>
    public required double ExpertLoadCv { get; init; }

    /// <summary>Mean loss of the value function; NaN without one.</summary>
    public required double ValueLoss { get; init; }

    /// <summary>Mean gradient norm before clipping.</summary>
    public required double GradientNorm { get; init; }

    /// <summary>That was used.</summary>
    public required float LearningRate { get; init; }

    /// <summary>Updates made.</summary>
    public required int Updates { get; init; }

    /// <summary>Tokens sampled.</summary>
    public required int GeneratedTokens { get; init; }

    /// <summary>Prompt and response tokens that went through the trainer.</summary>
    public required int TrainedTokens { get; init; }

    /// <summary>Time of sampling.</summary>
    public required double GenerationSeconds { get; init; }

    /// <summary>Time of the updates.</summary>
    public required double TrainingSeconds { get; init; }
}
