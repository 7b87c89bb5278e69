namespace MiniMaxSharp.Training;

/// <summary>
/// Several rewards as one: the sum of weight · score. A function that does not apply to a response is left out of its sum;
/// where none applies, neither does the sum. The parts are each function's own score under its name, unweighted, and its
/// parts as <c>name/part</c>.
/// </summary>
public sealed class CompositeReward : IRewardFunction
{
    private readonly (IRewardFunction Function, double Weight)[] _members;

    /// <param name="name">Name in the metrics.</param>
    /// <param name="members">The functions and what each of them counts.</param>
    /// <exception cref="ArgumentException">There is none, two have the same name, or a weight is not finite.</exception>
    public CompositeReward(string name, params (IRewardFunction Function, double Weight)[] members)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(members);
        if (members.Length == 0)
        {
            throw new ArgumentException($"The reward '{name}' is a sum of nothing.", nameof(members));
        }

        foreach ((IRewardFunction function, double weight) in members)
        {
            if (!double.IsFinite(weight))
            {
                throw new ArgumentException($"The weight of the reward '{function.Name}' is {weight}.", nameof(members));
            }
        }

        if (members.GroupBy(m => m.Function.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new ArgumentException($"Two rewards have the name '{twice.Key}'; their metrics would be one.", nameof(members));
        }

        Name = name;
        _members = [.. members];
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">A member gave the wrong number of results.</exception>
    public async ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(responses);
        var scores = new double?[responses.Count];
        var parts = new SortedDictionary<string, double>[responses.Count];
        for (int i = 0; i < parts.Length; i++)
        {
            parts[i] = new SortedDictionary<string, double>(StringComparer.Ordinal);
        }

        foreach ((IRewardFunction function, double weight) in _members)
        {
            IReadOnlyList<RewardResult> results = await function.ScoreAsync(responses, cancellation).ConfigureAwait(false);
            if (results.Count != responses.Count)
            {
                throw new InvalidOperationException($"The reward '{function.Name}' gave {results.Count} results for {responses.Count} responses.");
            }

            for (int i = 0; i < results.Count; i++)
            {
                if (results[i].Score is double score)
                {
                    scores[i] = (scores[i] ?? 0) + weight * score;
                    parts[i].Add(function.Name, score);
                }

                foreach ((string part, double value) in results[i].Parts ?? new Dictionary<string, double>())
                {
                    parts[i].Add($"{function.Name}/{part}", value);
                }
            }
        }

        return [.. scores.Zip(parts, (score, named) => new RewardResult(score, named))];
    }
}
