using System.Collections.Immutable;
using System.Globalization;
using MiniMaxSharp.Generation;

namespace MiniMaxSharp.Training;

/// <summary>Numbers of a step by name (see <see cref="MetricNames"/>), in order; what log, meter and console are given.</summary>
/// <param name="Values">Each name once.</param>
public sealed record TrainingMetrics(ImmutableArray<(string Name, double Value)> Values)
{
    /// <summary>The value of a metric, NaN where there is none.</summary>
    public double this[string name]
    {
        get
        {
            foreach ((string each, double value) in Values)
            {
                if (each == name)
                {
                    return value;
                }
            }

            return double.NaN;
        }
    }

    /// <summary>With one more metric, or with another value of it.</summary>
    public TrainingMetrics With(string name, double value) => new([.. Values.Where(v => v.Name != name), (name, value)]);

    /// <summary>What a step of reinforcement learning says.</summary>
    public static TrainingMetrics Of(PolicyStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        double[] rewards = [.. step.Rollouts.Select(r => r.Reward.Score ?? 0)];
        double seconds = step.GenerationSeconds + step.TrainingSeconds;
        (string Name, double Value)[] values =
        [
            (MetricNames.Reward, step.Reward),
            (MetricNames.RewardStd, Math.Sqrt(rewards.Average(r => (r - step.Reward) * (r - step.Reward)))),
            .. RewardMetrics.Means(step.Rollouts.Select(r => r.Reward)),
            (MetricNames.UniformGroups, step.UniformGroups),
            (MetricNames.Loss, step.Loss),
            (MetricNames.ValueLoss, step.ValueLoss),
            (MetricNames.Entropy, step.Entropy),
            (MetricNames.Kl, step.Kl),
            (MetricNames.ClipRatio, step.ClipRatio),
            (MetricNames.ZeroGradientTokens, step.ZeroGradientTokens),
            (MetricNames.RolloutTrainerPearson, step.RolloutTrainerPearson),
            .. Lengths(step.Rollouts),
            (MetricNames.TruncatedRatio, Share(step.Rollouts, FinishReason.Length)),
            (MetricNames.RepetitionStopRate, Share(step.Rollouts, FinishReason.Repetition)),
            .. Perplexity(step.Rollouts),
            .. PassRates(TaskOutcome.Of(step.Rollouts)),
            (MetricNames.ExpertLoadCv, step.ExpertLoadCv),
            (MetricNames.AuxiliaryLoss, step.AuxiliaryLoss),
            (MetricNames.GradientNorm, step.GradientNorm),
            (MetricNames.LearningRate, step.LearningRate),
            (MetricNames.Updates, step.Updates),
            (MetricNames.GeneratedTokens, step.GeneratedTokens),
            (MetricNames.TrainedTokens, step.TrainedTokens),
            (MetricNames.StepTime, seconds),
            (MetricNames.GenerationSeconds, step.GenerationSeconds),
            (MetricNames.TrainingSeconds, step.TrainingSeconds),
            (MetricNames.TokensPerSecond, (step.GeneratedTokens + step.TrainedTokens) / seconds),
        ];
        return new([.. values.Where(v => !double.IsNaN(v.Value))]);
    }

    /// <summary>What a step of supervised training says.</summary>
    /// <param name="step">The step.</param>
    /// <param name="seconds">How long it took.</param>
    public static TrainingMetrics Of(SupervisedStep step, double seconds)
    {
        ArgumentNullException.ThrowIfNull(step);
        return new(
        [
            (MetricNames.Loss, step.Loss),
            (MetricNames.AuxiliaryLoss, step.AuxiliaryLoss),
            (MetricNames.GradientNorm, step.GradientNorm),
            (MetricNames.LearningRate, step.LearningRate),
            (MetricNames.Tokens, step.Tokens),
            (MetricNames.StepTime, seconds),
            (MetricNames.TokensPerSecond, step.Tokens / seconds),
        ]);
    }

    /// <summary>Shares of right responses by task, and by task and difficulty, in the order of their names and numbers.</summary>
    public static IEnumerable<(string Name, double Value)> PassRates(IEnumerable<TaskOutcome> outcomes) =>
        from task in outcomes.GroupBy(o => o.Task).OrderBy(g => g.Key, StringComparer.Ordinal)
        from rate in task.GroupBy(o => o.Difficulty).OrderBy(g => g.Key)
            .Select(g => (Name: string.Create(CultureInfo.InvariantCulture, $"{MetricNames.PassRatePrefix}{task.Key}/{g.Key}"), Value: Rate(g)))
            .Prepend(($"{MetricNames.PassRatePrefix}{task.Key}", Rate(task)))
        select rate;

    private static double Rate(IEnumerable<TaskOutcome> outcomes) => outcomes.Average(o => o.Passed ? 1.0 : 0.0);

    private static (string Name, double Value)[] Lengths(IReadOnlyList<Rollout> rollouts)
    {
        int[] lengths = [.. rollouts.Select(Length).Order()];
        return
        [
            (MetricNames.MeanLength, lengths.Average()),
            (MetricNames.MinLength, lengths[0]),
            (MetricNames.MaxLength, lengths[^1]),
            (MetricNames.P50Length, lengths[lengths.Length / 2]),
            (MetricNames.P99Length, lengths[lengths.Length * 99 / 100]),
            (MetricNames.PositiveMeanLength, Mean(rollouts.Where(r => r.Advantage > 0).Select(r => (double)Length(r)))),
            (MetricNames.NegativeMeanLength, Mean(rollouts.Where(r => r.Advantage < 0).Select(r => (double)Length(r)))),
            (MetricNames.LengthRewardCorrelation, Correlation(rollouts)),
        ];
    }

    // Says nothing where all lengths or all rewards are equal.
    private static double Correlation(IReadOnlyList<Rollout> rollouts)
    {
        double[] lengths = [.. rollouts.Select(r => (double)Length(r))], rewards = [.. rollouts.Select(r => r.Reward.Score ?? 0)];
        return lengths.Distinct().Count() == 1 || rewards.Distinct().Count() == 1 ? double.NaN : Statistics.Pearson(lengths, rewards);
    }

    // A tail is the last quarter of a response's sampled tokens; shorter ones than four have none.
    private static (string Name, double Value)[] Perplexity(IReadOnlyList<Rollout> rollouts)
    {
        float[][] all = [.. rollouts.Select(r => r.OldLogProbabilities.ToArray())];
        float[][] split = [.. all.Where(l => l.Length >= 4)];
        double tail = Mean(split.SelectMany(l => l[^(l.Length / 4)..]).Select(l => (double)l));
        double before = Mean(split.SelectMany(l => l[..^(l.Length / 4)]).Select(l => (double)l));
        return
        [
            (MetricNames.GeneratedPerplexity, Math.Exp(-Mean(all.SelectMany(l => l).Select(l => (double)l)))),
            (MetricNames.TailPerplexityRatio, Math.Exp(before - tail)),
        ];
    }

    private static double Mean(IEnumerable<double> values) => values.DefaultIfEmpty(double.NaN).Average();

    private static int Length(Rollout rollout) => rollout.Response.Completion.Tokens.Length;

    private static double Share(IReadOnlyList<Rollout> rollouts, FinishReason reason) =>
        (double)rollouts.Count(r => r.Response.Completion.Reason == reason) / rollouts.Count;
}
