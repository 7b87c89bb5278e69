namespace MiniMaxSharp.Training;

/// <summary>
/// The names of metrics: those that users of other trainers know, and a few of this project's. <c>rewards/{name}/mean</c> is the mean of a
/// named part of the reward, <c>pass_rate/{task}</c> and <c>pass_rate/{task}/{difficulty}</c> the share of right responses. A metric
/// for which a step had nothing to measure is missing from it.
/// </summary>
public static class MetricNames
{
    /// <summary>Mean reward of all responses.</summary>
    public const string Reward = "reward";

    /// <summary>Its standard deviation over all responses.</summary>
    public const string RewardStd = "reward_std";

    /// <summary>Share of groups whose rewards are all equal.</summary>
    public const string UniformGroups = "frac_reward_zero_std";

    /// <summary>The method's own objective, negated.</summary>
    public const string Loss = "loss";

    /// <summary>Of the value function, where there is one.</summary>
    public const string ValueLoss = "value_loss";

    /// <summary>Of a scored token, nats.</summary>
    public const string Entropy = "entropy";

    /// <summary>Divergence from the reference policy, nats a token.</summary>
    public const string Kl = "kl";

    /// <summary>Share of trained tokens whose importance weight was capped.</summary>
    public const string ClipRatio = "cispo_clip_ratio";

    /// <summary>Tokens with a non-zero advantage that had no gradient.</summary>
    public const string ZeroGradientTokens = "zero_gradient_tokens";

    /// <summary>Correlation of the probabilities that sampler and trainer give the same tokens at the same weights.</summary>
    public const string RolloutTrainerPearson = "rollout_trainer_pearson";

    /// <summary>Tokens of a response.</summary>
    public const string MeanLength = "completions/mean_length";

    /// <summary>Tokens of the shortest response.</summary>
    public const string MinLength = "completions/min_length";

    /// <summary>Tokens of the longest response.</summary>
    public const string MaxLength = "completions/max_length";

    /// <summary>Median.</summary>
    public const string P50Length = "completions/p50_length";

    /// <summary>99th percentile.</summary>
    public const string P99Length = "completions/p99_length";

    /// <summary>Mean tokens of responses with a positive advantage.</summary>
    public const string PositiveMeanLength = "completions/positive_mean_length";

    /// <summary>Mean tokens of responses with a negative advantage.</summary>
    public const string NegativeMeanLength = "completions/negative_mean_length";

    /// <summary>Share of responses cut off by the limit on their length.</summary>
    public const string TruncatedRatio = "completions/truncated_ratio";

    /// <summary>Share of responses ended for repeating themselves.</summary>
    public const string RepetitionStopRate = "repetition_stop_rate";

    /// <summary>exp of the mean negative log-probability of the sampled tokens.</summary>
    public const string GeneratedPerplexity = "generated_perplexity";

    /// <summary>Perplexity of the last quarters of responses, divided by that of what is before them.</summary>
    public const string TailPerplexityRatio = "tail_perplexity_ratio";

    /// <summary>Pearson's correlation of length and reward over all responses.</summary>
    public const string LengthRewardCorrelation = "length_reward_correlation";

    /// <summary>Load-balancing loss; experts per token is perfect.</summary>
    public const string AuxiliaryLoss = "aux_loss";

    /// <summary>Standard deviation of the experts' loads divided by their mean, averaged over layers; 0 is perfect.</summary>
    public const string ExpertLoadCv = "expert_load_cv";

    /// <summary>Global norm before clipping.</summary>
    public const string GradientNorm = "grad_norm";

    /// <summary>Learning rate.</summary>
    public const string LearningRate = "lr";

    /// <summary>Updates of the step.</summary>
    public const string Updates = "updates";

    /// <summary>All tokens of a supervised step.</summary>
    public const string Tokens = "tokens";

    /// <summary>Tokens sampled.</summary>
    public const string GeneratedTokens = "generated_tokens";

    /// <summary>Prompt and response tokens that went through the trainer.</summary>
    public const string TrainedTokens = "trained_tokens";

    /// <summary>Sampled and trained tokens a second.</summary>
    public const string TokensPerSecond = "tokens_per_second";

    /// <summary>Seconds of the step.</summary>
    public const string StepTime = "step_time";

    /// <summary>Seconds of sampling.</summary>
    public const string GenerationSeconds = "generation_seconds";

    /// <summary>Seconds of the updates.</summary>
    public const string TrainingSeconds = "training_seconds";

    /// <summary>Stage of a <see cref="WindowSchedule"/>, from 0.</summary>
    public const string WindowStage = "window_stage";

    /// <summary>Share of right responses, over all tasks.</summary>
    public const string PassRate = "pass_rate";

    /// <summary>What the names of pass rates by task begin with.</summary>
    public const string PassRatePrefix = "pass_rate/";

    /// <summary>Begins <c>pass_at_{k}</c>, pass@k: the share of questions that one of k answers is right to (see <see cref="PassAtK"/>).</summary>
    public const string PassAtPrefix = "pass_at_";

    /// <summary>Whether a metric is a time: all others are the same whenever a run is repeated.</summary>
    public static bool IsTime(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name == StepTime || name.EndsWith("seconds", StringComparison.Ordinal) || name.EndsWith("per_second", StringComparison.Ordinal);
    }
}
