using System.Text.Json.Nodes;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Training;

/// <summary>
/// <see cref="LaserReward"/> with targets of its own for each task (choice: the paper has one kind of task). What is long for
/// brackets may be short for people, and targets over both would be those of the shorter. Does not apply to prompts of other tasks.
/// </summary>
public sealed class TaskLaserReward : IRewardFunction, ICheckpointedState
{
    private readonly SortedDictionary<string, LaserReward> _lasers = new(StringComparer.Ordinal);

    /// <param name="tasks">Names of the tasks, as in <see cref="TaskInstance.Task"/>.</param>
    /// <param name="options">Variant and numbers, the same for all.</param>
    /// <param name="targets">By task; null at the start of a run.</param>
    public TaskLaserReward(IEnumerable<string> tasks, LaserOptions options, IReadOnlyDictionary<string, LaserTargets>? targets = null)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        foreach (string task in tasks)
        {
            _lasers.Add(task, new LaserReward(RuleJudges.PuzzlesOf(task), options, targets?[task]));
        }

        ArgumentOutOfRangeException.ThrowIfZero(_lasers.Count, nameof(tasks));
    }

    /// <inheritdoc/>
    public string Name { get; init; } = "laser";

    /// <summary>What adaptive variants hold responses to at present, by task.</summary>
    public IReadOnlyDictionary<string, LaserTargets> Targets => _lasers.ToDictionary(l => l.Key, l => l.Value.Targets);

    /// <summary>Whether the targets are to be renewed before this step.</summary>
    public bool IsDue(int step) => _lasers.Values.First().IsDue(step);

    /// <summary>Renews the targets of every task from its part of the monitoring set; see <see cref="LaserReward.UpdateAsync"/>.</summary>
    public async Task UpdateAsync(IReadOnlyList<Response> monitoring, CancellationToken cancellation = default)
    {
        foreach (LaserReward laser in _lasers.Values)
        {
            await laser.UpdateAsync(monitoring, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>The targets.</summary>
    public JsonNode Save() => new JsonObject(_lasers.Select(l => KeyValuePair.Create(l.Key, (JsonNode?)l.Value.Save())));

    /// <inheritdoc/>
    public void Load(JsonNode state)
    {
        ArgumentNullException.ThrowIfNull(state);
        foreach ((string task, LaserReward laser) in _lasers)
        {
            laser.Load((state as JsonObject)?[task] ?? throw new InvalidDataException($"LASER's targets for {task} are missing."));
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(responses);
        var results = new RewardResult[responses.Count];
        Array.Fill(results, new RewardResult(null));
        foreach (LaserReward laser in _lasers.Values)
        {
            foreach ((int i, RewardResult result) in (await laser.ScoreAsync(responses, cancellation).ConfigureAwait(false)).Index())
            {
                results[i] = result.Score is null ? results[i] : result;
            }
        }

        return results;
    }
}
