using System.Globalization;
using System.Text.Json;

namespace MiniMaxSharp.Training;

/// <summary>The settings that <see cref="LateStageRemedies"/> advises on.</summary>
/// <param name="RepetitionTokens"><see cref="Generation.GenerationOptions.RepetitionTokens"/>.</param>
/// <param name="CombinedLoss">Whether the loss combines the mean over tokens with that over samples.</param>
/// <param name="MaxGradientNorm"><see cref="AdamWOptions.MaxGradientNorm"/>; 0: gradients are not clipped.</param>
/// <param name="MaxImportanceWeight"><see cref="PolicyObjective.MaxWeight"/>, 1 + ε_high.</param>
public sealed record StabilitySettings(int RepetitionTokens, bool CombinedLoss, float MaxGradientNorm, float MaxImportanceWeight);

/// <summary>What a step says of a collapse. A number that was not measured is NaN and speaks for none.</summary>
/// <param name="Perplexity">Of the generated sequences.</param>
/// <param name="TailPerplexityRatio">Perplexity of the last quarters of responses, divided by that of what is before them.</param>
/// <param name="PositiveLength">Mean length of responses with a positive advantage.</param>
/// <param name="NegativeLength">Mean length of responses with a negative advantage.</param>
public sealed record CollapseSignals(double Perplexity, double TailPerplexityRatio, double PositiveLength, double NegativeLength)
{
    /// <summary>Out of the metrics of a step.</summary>
    public static CollapseSignals Of(TrainingMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        return new(
            metrics[MetricNames.GeneratedPerplexity],
            metrics[MetricNames.TailPerplexityRatio],
            metrics[MetricNames.PositiveMeanLength],
            metrics[MetricNames.NegativeMeanLength]);
    }
}

/// <summary>The settings in force and what was seen under them; immutable, and JSON in a checkpoint.</summary>
/// <param name="Settings">In force.</param>
/// <param name="Recent">The last steps since they are, oldest first.</param>
public sealed record RemedyState(StabilitySettings Settings, IReadOnlyList<CollapseSignals> Recent)
{
    /// <summary>For a checkpoint.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, CurriculumJson.Default.RemedyState);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It is something else.</exception>
    public static RemedyState FromJson(string json) => CurriculumJson.Read(json, CurriculumJson.Default.RemedyState);
}

/// <summary>
/// Answers the collapse of long outputs, whose ends turn to garble while perplexity rises and wrong answers outgrow right ones, with
/// what the report did (MiniMax-M1, section 5): the stop on repetition, the combined loss, a lower clip of gradients and a lower
/// ε_high. Thresholds and step sizes are choices. It keeps nothing: state goes in, state comes out.
/// </summary>
public sealed record LateStageRemedies
{
    /// <summary>Steps that are looked at; after a change as many have to be seen before the next one.</summary>
    public int Steps { get; init; } = 20;

    /// <summary>A rise of perplexity over these steps, as a share of its mean, that is a sign.</summary>
    public double PerplexityRise { get; init; } = 0.2;

    /// <summary>A mean <see cref="CollapseSignals.TailPerplexityRatio"/> that is a sign.</summary>
    public double TailRatio { get; init; } = 2;

    /// <summary>By how much more than positive ones negative responses grow over these steps, as a share, that is a sign.</summary>
    public double NegativeGrowth { get; init; } = 0.2;

    /// <summary>The repetition stop once it is called for (report, section 3.2).</summary>
    public int RepetitionTokens { get; init; } = 3000;

    /// <summary>The gradient clip is halved, but not below this.</summary>
    public float LeastGradientNorm { get; init; } = 0.1f;

    /// <summary>ε_high is halved, but not below this.</summary>
    public float LeastEpsilonHigh { get; init; } = 0.5f;

    /// <summary>Nothing seen under these settings.</summary>
    public RemedyState Start(StabilitySettings settings)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Steps, 2);
        return new RemedyState(settings, []);
    }

    /// <summary>After a step: the same settings with one more observation, or stricter ones with none.</summary>
    public RemedyState Next(RemedyState state, CollapseSignals step)
    {
        ArgumentNullException.ThrowIfNull(state);
        RemedyState seen = state with { Recent = Trend.Append(state.Recent, step, Steps) };
        return Signs(seen).Count == 0 ? seen : new RemedyState(Stricter(state.Settings), []);
    }

    /// <summary>The signs of a collapse in a state, in words; none before enough steps were seen.</summary>
    public IReadOnlyList<string> Signs(RemedyState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (state.Recent.Count < Steps)
        {
            return [];
        }

        double rise = Change(r => r.Perplexity), tail = state.Recent.Average(r => r.TailPerplexityRatio);
        double growth = Change(r => r.NegativeLength) - Change(r => r.PositiveLength);
        List<string> signs = [];
        if (rise > PerplexityRise)
        {
            signs.Add(string.Create(CultureInfo.InvariantCulture, $"perplexity rose by {rise:P0}"));
        }

        if (tail > TailRatio)
        {
            signs.Add(string.Create(CultureInfo.InvariantCulture, $"the ends of responses have {tail:F1} times the perplexity of their beginnings"));
        }

        if (growth > NegativeGrowth)
        {
            signs.Add(string.Create(CultureInfo.InvariantCulture, $"negative responses outgrew positive ones by {growth:P0}"));
        }

        return signs;

        double Change(Func<CollapseSignals, double> value) => Trend.RelativeChange([.. state.Recent.Select(value)]);
    }

    // A clip or a cap that is lower already stays; without one, the usual one comes first.
    private StabilitySettings Stricter(StabilitySettings now) => new(
        Math.Min(now.RepetitionTokens, RepetitionTokens),
        CombinedLoss: true,
        now.MaxGradientNorm == 0 ? 1 : Math.Min(now.MaxGradientNorm, Math.Max(LeastGradientNorm, now.MaxGradientNorm / 2)),
        float.IsInfinity(now.MaxImportanceWeight) ? 5 : Math.Min(now.MaxImportanceWeight, 1 + Math.Max(LeastEpsilonHigh, (now.MaxImportanceWeight - 1) / 2)));
}
