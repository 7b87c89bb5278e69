using System.Text.Json;

namespace MiniMaxSharp.Training;

/// <summary>Where a task stands.</summary>
/// <param name="Task">Its name.</param>
/// <param name="Level">Difficulty of the puzzles that are drawn.</param>
/// <param name="PassRate">Moving average of the pass rate at this level.</param>
public sealed record TaskDifficulty(string Task, int Level, double PassRate);

/// <summary>Where all tasks stand; immutable, and JSON in a checkpoint.</summary>
/// <param name="Tasks">One entry a task, in the order in which <see cref="DifficultyController.Start"/> was given them.</param>
public sealed record DifficultyState(IReadOnlyList<TaskDifficulty> Tasks)
{
    /// <summary>The entry of a task.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    public TaskDifficulty this[string task] => Tasks.FirstOrDefault(t => t.Task == task)
        ?? throw new KeyNotFoundException($"'{task}' is not among {string.Join(", ", Tasks.Select(t => t.Task))}.");

    /// <summary>For a checkpoint.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, CurriculumJson.Default.DifficultyState);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It is something else.</exception>
    public static DifficultyState FromJson(string json) => CurriculumJson.Read(json, CurriculumJson.Default.DifficultyState);
}

/// <summary>
/// Makes each task harder as the model gets better at it (MiniMax-M1 report, section 4.1). The rule
/// and its numbers are a choice: a moving average of the pass rate, one level up above 0.8, down below 0.1, tasks drawn in
/// proportion to p(1 − p), which is the variance of their reward. It keeps nothing: state goes in, state comes out.
/// </summary>
public sealed record DifficultyController
{
    /// <summary>A pass rate above this makes the task harder.</summary>
    public double RaiseAbove { get; init; } = 0.8;

    /// <summary>A pass rate below this makes it easier.</summary>
    public double LowerBelow { get; init; } = 0.1;

    /// <summary>Share of the old average that is kept at a step.</summary>
    public double Memory { get; init; } = 0.8;

    /// <summary>The average with which a level begins. Thus a level takes several steps, however good the model is.</summary>
    public double InitialPassRate { get; init; } = 0.5;

    /// <summary>A task's weight at least, so that one which is always or never solved is still looked at.</summary>
    public double LeastWeight { get; init; } = 0.05;

    /// <summary>The easiest level.</summary>
    public int Lowest { get; init; } = 1;

    /// <summary>The hardest level.</summary>
    public int Highest { get; init; } = 10;

    /// <summary>Throws on a setting that makes no sense.</summary>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(LowerBelow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(RaiseAbove, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(InitialPassRate, LowerBelow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(InitialPassRate, RaiseAbove);
        ArgumentOutOfRangeException.ThrowIfNegative(Memory);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Memory, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(LeastWeight);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Lowest, Highest);
    }

    /// <summary>All tasks at the same level, nothing known of them.</summary>
    public DifficultyState Start(IEnumerable<string> tasks, int level = 1)
    {
        Validate();
        ArgumentOutOfRangeException.ThrowIfLessThan(level, Lowest);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(level, Highest);
        return new DifficultyState([.. tasks.Distinct().Select(t => new TaskDifficulty(t, level, InitialPassRate))]);
    }

    /// <summary>
    /// After a step. Outcomes at another level than the task's (rollouts that were begun before it changed) are passed over, and a task
    /// without outcomes stays as it is.
    /// </summary>
    public DifficultyState Next(DifficultyState state, IEnumerable<TaskOutcome> outcomes)
    {
        Validate();
        ArgumentNullException.ThrowIfNull(state);
        ILookup<(string, int), bool> passed = outcomes.ToLookup(o => (o.Task, o.Difficulty), o => o.Passed);
        return new DifficultyState([.. state.Tasks.Select(task => Next(task, [.. passed[(task.Task, task.Level)]]))]);
    }

    /// <summary>How often to draw each task, in the order of the state; they sum to 1.</summary>
    public IReadOnlyList<double> Weights(DifficultyState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        double[] weights = [.. state.Tasks.Select(t => Math.Max(LeastWeight, t.PassRate * (1 - t.PassRate)))];
        double sum = weights.Sum();
        return [.. weights.Select(w => w / sum)];
    }

    private TaskDifficulty Next(TaskDifficulty task, bool[] passed)
    {
        if (passed.Length == 0)
        {
            return task;
        }

        double rate = Memory * task.PassRate + (1 - Memory) * passed.Count(p => p) / passed.Length;
        int level = Math.Clamp(task.Level + (rate > RaiseAbove ? 1 : rate < LowerBelow ? -1 : 0), Lowest, Highest);
        return task with { Level = level, PassRate = level == task.Level ? rate : InitialPassRate };
    }
}
