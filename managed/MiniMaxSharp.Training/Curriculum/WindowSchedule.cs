using System.Text.Json;

namespace MiniMaxSharp.Training;

/// <summary>A length of output, and what it is trained on.</summary>
/// <param name="Tokens">New tokens at most (<see cref="Generation.GenerationOptions.MaxNewTokens"/>).</param>
public sealed record WindowStage(int Tokens)
{
    /// <summary>The prompts that are kept, by their pass rate.</summary>
    public PassRateFilter Filter { get; init; } = new();

    /// <summary>How much hard prompts are favoured: a prompt's weight is (1 − p) to this power; 0: all alike.</summary>
    public double Hardness { get; init; }

    /// <summary>Multiplies the weight of synthetic reasoning (a factor of <see cref="TaskMixture.Weights"/>).</summary>
    public double SyntheticFactor { get; init; } = 1;

    /// <summary>How often to draw a prompt of this pass rate, against others; 0: it is dropped.</summary>
    public double Weight(double passRate) => Filter.Keeps(passRate) ? Math.Pow(1 - passRate, Hardness) : 0;
}

/// <summary>What a step says of a window.</summary>
/// <param name="Perplexity">Of the generated sequences.</param>
/// <param name="Length">99th percentile of their lengths, in tokens.</param>
public sealed record WindowObservation(double Perplexity, double Length)
{
    /// <summary>Out of the metrics of a step.</summary>
    public static WindowObservation Of(TrainingMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        return new(metrics[MetricNames.GeneratedPerplexity], metrics[MetricNames.P99Length]);
    }
}

/// <summary>Which stage it is and what was seen of it lately; immutable, and JSON in a checkpoint.</summary>
/// <param name="Stage">From 0.</param>
/// <param name="Recent">The last steps of this stage, oldest first.</param>
public sealed record WindowState(int Stage, IReadOnlyList<WindowObservation> Recent)
{
    /// <summary>For a checkpoint.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, CurriculumJson.Default.WindowState);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It is something else.</exception>
    public static WindowState FromJson(string json) => CurriculumJson.Read(json, CurriculumJson.Default.WindowState);
}

/// <summary>
/// Lets outputs grow in stages (MiniMax-M1 report, section 5). A stage ends when (a) the perplexity of what is generated has converged
/// and (b) the 99th percentile of its length comes near the window. What "converged" and "near" mean, and the last stage's data, are
/// choices. It keeps nothing: state goes in, state comes out.
/// </summary>
public sealed record WindowSchedule
{
    /// <summary>The stages, shorter ones first. The report's: 40K, 48K, 56K, 64K, 72K and 80K, the last with less that is easy or synthetic.</summary>
    public IReadOnlyList<WindowStage> Stages { get; init; } =
    [
        new(40_000), new(48_000), new(56_000), new(64_000), new(72_000),
        new(80_000) { Filter = new PassRateFilter(0, 0.7), Hardness = 1, SyntheticFactor = 0.5 },
    ];

    /// <summary>Steps over which both triggers look; none fires on fewer.</summary>
    public int Steps { get; init; } = 20;

    /// <summary>Perplexity has converged when the line through these steps changes by no more than this share of their mean.</summary>
    public double Tolerance { get; init; } = 0.02;

    /// <summary>Length is near the window when its mean over these steps is at least this share of it.</summary>
    public double NearShare { get; init; } = 0.9;

    /// <summary>The first stage, nothing seen.</summary>
    public WindowState Start()
    {
        Validate();
        return new WindowState(0, []);
    }

    /// <summary>The stage of a state.</summary>
    /// <exception cref="ArgumentException">The state is of a longer schedule.</exception>
    public WindowStage StageOf(WindowState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state.Stage >= 0 && state.Stage < Stages.Count
            ? Stages[state.Stage]
            : throw new ArgumentException($"The state is in stage {state.Stage}; the schedule has {Stages.Count}.", nameof(state));
    }

    /// <summary>After a step: the same stage with one more observation, or the next one with none.</summary>
    public WindowState Next(WindowState state, WindowObservation step)
    {
        Validate();
        ArgumentNullException.ThrowIfNull(state);
        WindowState seen = state with { Recent = Trend.Append(state.Recent, step, Steps) };
        return state.Stage < Stages.Count - 1 && HasConverged(seen) && NearsWindow(seen) ? new WindowState(state.Stage + 1, []) : seen;
    }

    /// <summary>Trigger (a).</summary>
    public bool HasConverged(WindowState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state.Recent.Count >= Steps && Math.Abs(Trend.RelativeChange([.. state.Recent.Select(r => r.Perplexity)])) <= Tolerance;
    }

    /// <summary>Trigger (b).</summary>
    public bool NearsWindow(WindowState state) =>
        state.Recent.Count >= Steps && state.Recent.Average(r => r.Length) >= NearShare * StageOf(state).Tokens;

    /// <summary>Throws on a setting that makes no sense.</summary>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Steps, 2);
        ArgumentOutOfRangeException.ThrowIfNegative(Tolerance);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(NearShare);
        if (Stages.Count == 0 || Stages[0].Tokens < 1 || Stages.Zip(Stages.Skip(1)).Any(s => s.Second.Tokens <= s.First.Tokens))
        {
            throw new ArgumentException($"The windows {string.Join(", ", Stages.Select(s => s.Tokens))} should be positive and grow.", nameof(Stages));
        }
    }
}
