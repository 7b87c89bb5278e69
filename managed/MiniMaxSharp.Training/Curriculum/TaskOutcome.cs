using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Training;

/// <summary>Whether a response to a puzzle was right.</summary>
/// <param name="Task">The puzzle's task.</param>
/// <param name="Difficulty">The puzzle's level.</param>
/// <param name="Passed">Whether it was right.</param>
public readonly record struct TaskOutcome(string Task, int Difficulty, bool Passed)
{
    /// <summary>The part of a reward that says 1 for a right response, where a reward has such a part.</summary>
    public const string CorrectPart = "correct";

    /// <summary>The outcomes of those rollouts whose prompt carries a <see cref="TaskInstance"/>.</summary>
    public static IReadOnlyList<TaskOutcome> Of(IEnumerable<Rollout> rollouts)
    {
        ArgumentNullException.ThrowIfNull(rollouts);
        return
        [
            .. from rollout in rollouts
               where rollout.Response.Prompt.Data is TaskInstance
               let instance = (TaskInstance)rollout.Response.Prompt.Data!
               select new TaskOutcome(instance.Task, instance.Difficulty, Passes(rollout.Reward)),
        ];
    }

    /// <summary>
    /// Whether a reward is that of a right response: each of its parts <see cref="CorrectPart"/> (or <c>name/correct</c>, of a sum of
    /// rewards) is positive, or without such a part its score is. A choice: shaping by length or format may lift or lower the score of either kind.
    /// </summary>
    public static bool Passes(RewardResult reward)
    {
        ArgumentNullException.ThrowIfNull(reward);
        double[] correct = [.. (reward.Parts ?? new Dictionary<string, double>()).Where(p => p.Key.Split('/')[^1] == CorrectPart).Select(p => p.Value)];
        return correct.Length > 0 ? correct.All(c => c > 0) : reward.Score > 0;
    }
}
