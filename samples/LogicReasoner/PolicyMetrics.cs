using MiniMaxSharp.Generation;
using MiniMaxSharp.Training;

namespace LogicReasoner;

/// <summary>A step of reinforcement learning under the names that users of other trainers know.</summary>
internal sealed record PolicyMetrics((string Name, double Value)[] Values)
{
    public static PolicyMetrics Of(PolicyStep step)
    {
        double[] rewards = [.. step.Rollouts.Select(r => r.Reward.Score ?? 0)];
        int[] lengths = [.. step.Rollouts.Select(r => r.Response.Completion.Tokens.Length).Order()];
        double seconds = step.GenerationSeconds + step.TrainingSeconds;
        return new(
        [
            ("reward", step.Reward),
            ("reward_std", Math.Sqrt(rewards.Average(r => (r - step.Reward) * (r - step.Reward)))),
            ("frac_reward_zero_std", step.UniformGroups),
            ("loss", step.Loss),
            ("entropy", step.Entropy),
            ("cispo_clip_ratio", step.ClipRatio),
            ("zero_gradient_tokens", step.ZeroGradientTokens),
            ("rollout_trainer_pearson", step.RolloutTrainerPearson),
            ("completions/mean_length", lengths.Average()),
            ("completions/min_length", lengths[0]),
            ("completions/max_length", lengths[^1]),
            ("completions/p50_length", lengths[lengths.Length / 2]),
            ("completions/p99_length", lengths[lengths.Length * 99 / 100]),
            ("completions/truncated_ratio", Share(step, FinishReason.Length)),
            ("repetition_stop_rate", Share(step, FinishReason.Repetition)),
            ("aux_loss", step.AuxiliaryLoss),
            ("grad_norm", step.GradientNorm),
            ("lr", step.LearningRate),
            ("updates", step.Updates),
            ("generated_tokens", step.GeneratedTokens),
            ("trained_tokens", step.TrainedTokens),
            ("step_seconds", seconds),
            ("generation_seconds", step.GenerationSeconds),
            ("training_seconds", step.TrainingSeconds),
            ("tokens_per_second", (step.GeneratedTokens + step.TrainedTokens) / seconds),
        ]);
    }

    private static double Share(PolicyStep step, FinishReason reason) =>
        (double)step.Rollouts.Count(r => r.Response.Completion.Reason == reason) / step.Rollouts.Count;
}
