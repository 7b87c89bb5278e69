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
    /// Whether a reward is that of a right response: its part <see cref="CorrectPart"/> is positive, or without that part its score is.
    /// A choice: shaping by length or format may lift or lower the score of either kind.
    /// </summary>
    public static bool Passes(RewardResult reward)
    {
        ArgumentNullException.ThrowIfNull(reward);
        return (reward.Parts is not null && reward.Parts.TryGetValue(CorrectPart, out double correct) ? correct : reward.Score ?? 0) > 0;
    }
}
