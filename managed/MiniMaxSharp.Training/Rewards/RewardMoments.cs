using System.Text.Json;
using System.Text.Json.Serialization;

namespace MiniMaxSharp.Training;

/// <summary>Mean and deviation of all scores so far; immutable. A checkpoint keeps <see cref="ToJson"/>.</summary>
public sealed record RewardMoments
{
    /// <summary>Before any score.</summary>
    public static RewardMoments None { get; } = new() { Count = 0, Mean = 0, SquaredDeviations = 0 };

    /// <summary>Scores that were taken in.</summary>
    public required long Count { get; init; }

    /// <summary>Their mean.</summary>
    public required double Mean { get; init; }

    /// <summary>The sum of the squares of their distances from it.</summary>
    public required double SquaredDeviations { get; init; }

    /// <summary>The standard deviation of the scores, as a population; 0 before any.</summary>
    [JsonIgnore]
    public double Deviation => Count == 0 ? 0 : Math.Sqrt(SquaredDeviations / Count);

    /// <summary>The moments with more scores taken in, one after the other (Welford's method).</summary>
    /// <exception cref="ArgumentException">One is not finite.</exception>
    public RewardMoments With(IEnumerable<double> scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        (long count, double mean, double squares) = (Count, Mean, SquaredDeviations);
        foreach (double score in scores)
        {
            if (!double.IsFinite(score))
            {
                throw new ArgumentException($"A score is {score}.", nameof(scores));
            }

            double before = score - mean;
            mean += before / ++count;
            squares += before * (score - mean);
        }

        return new RewardMoments { Count = count, Mean = mean, SquaredDeviations = squares };
    }

    /// <summary>The state, to the bit, that <see cref="FromJson"/> takes up.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, RewardJson.Default.RewardMoments);

    /// <summary>Takes up a state.</summary>
    /// <exception cref="InvalidDataException">It is not one.</exception>
    public static RewardMoments FromJson(string json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, RewardJson.Default.RewardMoments) is { Count: >= 0, SquaredDeviations: >= 0 and < double.PositiveInfinity } moments
                && double.IsFinite(moments.Mean)
                ? moments
                : throw new InvalidDataException($"A reward's moments are a count, a mean and a sum of squares, not {json}.");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"A reward's moments cannot be read from {json}: {error.Message}", error);
        }
    }
}

[JsonSerializable(typeof(RewardMoments))]
internal sealed partial class RewardJson : JsonSerializerContext;
