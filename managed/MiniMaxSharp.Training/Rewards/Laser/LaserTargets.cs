using System.Text.Json;
using System.Text.Json.Serialization;

namespace MiniMaxSharp.Training;

/// <summary>A judged response of the monitoring set.</summary>
/// <param name="Length">Its tokens.</param>
/// <param name="Passed">Whether it is right and in the right form.</param>
public readonly record struct LengthSample(int Length, bool Passed);

/// <summary>The target length of each difficulty, in tokens. A checkpoint keeps <see cref="ToJson"/>.</summary>
public sealed record LaserTargets
{
    /// <summary>For easy prompts.</summary>
    public required int Easy { get; init; }

    /// <summary>For medium prompts.</summary>
    public required int Medium { get; init; }

    /// <summary>For hard prompts.</summary>
    public required int Hard { get; init; }

    /// <summary>Before the monitoring set has been looked at: no length is too long.</summary>
    public static LaserTargets Unlimited(int maxLength) => new() { Easy = maxLength, Medium = maxLength, Hard = maxLength };

    /// <summary>The difficulty of a prompt whose group has so many right answers: two thirds are easy, one third is medium.</summary>
    public static LaserDifficulty DifficultyOf(int passed, int responses) =>
        3L * passed >= 2L * responses ? LaserDifficulty.Easy : 3L * passed >= responses ? LaserDifficulty.Medium : LaserDifficulty.Hard;

    /// <summary>The target of a difficulty.</summary>
    public int this[LaserDifficulty difficulty] => difficulty switch
    {
        LaserDifficulty.Easy => Easy,
        LaserDifficulty.Medium => Medium,
        LaserDifficulty.Hard => Hard,
        _ => throw new ArgumentOutOfRangeException(nameof(difficulty), difficulty, "not a difficulty"),
    };

    /// <summary>
    /// The targets after a look at the monitoring set (arXiv 2505.15612, section 4): for each difficulty the smallest candidate ℓ with
    /// P(ℓ) · n ≥ 1, P being the share of the difficulty's responses of at most ℓ tokens and n the right answers it promises in a
    /// group. A difficulty without prompts in the set keeps its target (choice).
    /// </summary>
    /// <param name="groups">The responses of each prompt.</param>
    /// <param name="options">Step and limit of the candidates, size of a group.</param>
    /// <exception cref="ArgumentException">A response is longer than the limit.</exception>
    public LaserTargets Update(IEnumerable<IReadOnlyList<LengthSample>> groups, LaserOptions options)
    {
        ArgumentNullException.ThrowIfNull(groups);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        ILookup<LaserDifficulty, int> lengths = groups
            .SelectMany(group => group.Select(sample => (Difficulty: DifficultyOf(group.Count(s => s.Passed), group.Count), sample.Length)))
            .ToLookup(sample => sample.Difficulty, sample => sample.Length);
        return new LaserTargets
        {
            Easy = Target(LaserDifficulty.Easy, lengths, options),
            Medium = Target(LaserDifficulty.Medium, lengths, options),
            Hard = Target(LaserDifficulty.Hard, lengths, options),
        };
    }

    /// <summary>The state that <see cref="FromJson"/> takes up.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, LaserJson.Default.LaserTargets);

    /// <summary>Takes up a state.</summary>
    /// <exception cref="InvalidDataException">It is not one.</exception>
    public static LaserTargets FromJson(string json)
    {
        try
        {
            LaserTargets? targets = JsonSerializer.Deserialize(json, LaserJson.Default.LaserTargets);
            return targets is { Easy: > 0, Medium: > 0, Hard: > 0 }
                ? targets
                : throw new InvalidDataException($"LASER's targets are three positive lengths, not {json}.");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"LASER's targets cannot be read from {json}: {error.Message}", error);
        }
    }

    // P(ℓ) · n ≥ 1 in whole numbers: at least ⌈total / n⌉ responses have to fit, so the target is the candidate that the longest of these needs.
    private int Target(LaserDifficulty difficulty, ILookup<LaserDifficulty, int> lengths, LaserOptions options)
    {
        int[] sorted = [.. lengths[difficulty].Order()];
        if (sorted.Length == 0)
        {
            return this[difficulty];
        }

        if (sorted[^1] > options.MaxLength)
        {
            throw new ArgumentException($"A response of the monitoring set has {sorted[^1]} tokens, more than the {options.MaxLength} that LASER was told of.");
        }

        int expected = options.ExpectedCorrect(difficulty);
        int needed = sorted[(sorted.Length + expected - 1) / expected - 1];
        int steps = Math.Max((needed + options.CandidateStep - 1) / options.CandidateStep, 1);
        return (int)Math.Min((long)steps * options.CandidateStep, options.MaxLength);
    }
}

[JsonSerializable(typeof(LaserTargets))]
internal sealed partial class LaserJson : JsonSerializerContext;
