using MiniMaxSharp.Generation;

namespace MiniMaxSharp.Training;

/// <summary>A prompt to roll out, and what the reward needs to know of it.</summary>
/// <param name="Tokens">The prompt as the model sees it.</param>
/// <param name="Data">Whatever the reward function was written for: a puzzle, a reference answer.</param>
public sealed record RolloutPrompt(int[] Tokens, object? Data = null);

/// <summary>A response to be scored.</summary>
/// <param name="Prompt">What it responds to.</param>
/// <param name="Text">The response as text.</param>
/// <param name="Completion">Its tokens.</param>
public sealed record Response(RolloutPrompt Prompt, string Text, Completion Completion);

/// <summary>What a response earned.</summary>
/// <param name="Score">The reward; null where the function does not apply.</param>
/// <param name="Parts">Named parts, for the metrics.</param>
public sealed record RewardResult(double? Score, IReadOnlyDictionary<string, double>? Parts = null)
{
    /// <summary>Another score, and one part more.</summary>
    internal RewardResult Rescored(double score, string part, double value) =>
        new(score, new SortedDictionary<string, double>((Parts ?? new Dictionary<string, double>()).ToDictionary(), StringComparer.Ordinal) { { part, value } });
}

/// <summary>Scores responses: by rule, by a model, by running a program.</summary>
public interface IRewardFunction
{
    /// <summary>Name in the metrics.</summary>
    string Name { get; }

    /// <summary>One result a response, in order.</summary>
    ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation);
}
