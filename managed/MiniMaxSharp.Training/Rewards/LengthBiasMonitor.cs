using System.Text.Json;
using System.Text.Json.Serialization;

namespace MiniMaxSharp.Training;

/// <summary>Settings of <see cref="LengthBiasMonitor"/>; all are choices, as the report publishes none.</summary>
public sealed record LengthBiasOptions
{
    /// <summary>Responses that are looked at: the latest.</summary>
    public int Window { get; init; } = 1024;

    /// <summary>Responses without which nothing is said.</summary>
    public int MinSamples { get; init; } = 128;

    /// <summary>Correlation of length and reward, given correctness, above which there is a bias.</summary>
    public double MaxCorrelation { get; init; } = 0.3;

    /// <summary>What one standard deviation of length may earn beyond what it brings in success, in standard deviations of the reward.</summary>
    public double MaxExcessSlope { get; init; } = 0.2;

    /// <summary>Throws on a setting that makes no sense.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Which one.</exception>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MinSamples, 3);
        ArgumentOutOfRangeException.ThrowIfLessThan(Window, MinSamples);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MaxCorrelation);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MaxExcessSlope);
    }
}

/// <summary>A rewarded response.</summary>
/// <param name="Length">Its tokens.</param>
/// <param name="Reward">What the reward model gave it.</param>
/// <param name="Correct">Whether it is right by a rule; null where no rule can tell.</param>
public sealed record LengthObservation(int Length, double Reward, bool? Correct = null);

/// <summary>What the window shows.</summary>
/// <param name="Samples">Responses in it.</param>
/// <param name="Correlation">
/// Of length and reward among responses that are equally right: right, wrong and unknown ones each about their own means. The metric
/// <c>length_reward_correlation</c>. 0 where either does not vary.
/// </param>
/// <param name="ExcessSlope">
/// Rise of the reward less rise of the success with length, over responses of known correctness, both per standard deviation of
/// length and in standard deviations of themselves; 0 where one of the three does not vary.
/// </param>
public sealed record LengthBiasReading(int Samples, double Correlation, double ExcessSlope);

/// <summary>
/// Watches online whether a reward model pays for length itself (MiniMax-M1 report, section 4.2). <see cref="BiasDetected"/> is where its
/// recalibration hooks in: raised when a reading goes over a threshold, and not again before one has been below both.
/// </summary>
public sealed class LengthBiasMonitor
{
    private readonly LengthBiasOptions _options;
    private readonly Queue<LengthObservation> _window;
    private bool _biased;

    /// <param name="options">Window and thresholds.</param>
    /// <param name="state">What <see cref="ToJson"/> gave; null at the start of a run.</param>
    /// <exception cref="InvalidDataException">The state is not one of this window.</exception>
    public LengthBiasMonitor(LengthBiasOptions options, string? state = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        LengthBiasState saved = state is null ? new LengthBiasState() : Read(state);
        if (saved.Window.Length > options.Window)
        {
            throw new InvalidDataException($"The length-bias monitor was saved with {saved.Window.Length} responses; its window has {options.Window}.");
        }

        (_window, _biased) = (new Queue<LengthObservation>(saved.Window), saved.Biased);
    }

    /// <summary>A bias has appeared. Raised on the thread that observes, once for each time.</summary>
    public event EventHandler<LengthBiasReading>? BiasDetected;

    /// <summary>Takes in a step's responses in order and says what the window now shows.</summary>
    /// <exception cref="ArgumentException">A reward is not finite.</exception>
    public LengthBiasReading Observe(IEnumerable<LengthObservation> responses)
    {
        ArgumentNullException.ThrowIfNull(responses);
        foreach (LengthObservation response in responses)
        {
            if (!double.IsFinite(response.Reward))
            {
                throw new ArgumentException($"A response of {response.Length} tokens has the reward {response.Reward}.", nameof(responses));
            }

            _window.Enqueue(response);
            if (_window.Count > _options.Window)
            {
                _window.Dequeue();
            }
        }

        var reading = new LengthBiasReading(_window.Count, Correlation(), ExcessSlope());
        bool before = _biased;
        _biased = reading.Samples >= _options.MinSamples
            && (reading.Correlation > _options.MaxCorrelation || reading.ExcessSlope > _options.MaxExcessSlope);
        if (_biased && !before)
        {
            BiasDetected?.Invoke(this, reading);
        }

        return reading;
    }

    /// <summary>The state, for a checkpoint.</summary>
    public string ToJson() =>
        JsonSerializer.Serialize(new LengthBiasState { Window = [.. _window], Biased = _biased }, LengthBiasJson.Default.LengthBiasState);

    private static LengthBiasState Read(string json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, LengthBiasJson.Default.LengthBiasState) is { Window: not null } state
                ? state
                : throw new InvalidDataException("The length-bias monitor's state is empty.");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"The length-bias monitor's state cannot be read: {error.Message}", error);
        }
    }

    private double Correlation()
    {
        double product = 0, lengths = 0, rewards = 0;
        foreach (IGrouping<bool?, LengthObservation> alike in _window.GroupBy(o => o.Correct))
        {
            double meanLength = alike.Average(o => o.Length), meanReward = alike.Average(o => o.Reward);
            product += alike.Sum(o => (o.Length - meanLength) * (o.Reward - meanReward));
            lengths += alike.Sum(o => (o.Length - meanLength) * (o.Length - meanLength));
            rewards += alike.Sum(o => (o.Reward - meanReward) * (o.Reward - meanReward));
        }

        return lengths > 0 && rewards > 0 ? product / Math.Sqrt(lengths * rewards) : 0;
    }

    // A slope in standard deviations of both sides is Pearson's correlation.
    private double ExcessSlope()
    {
        LengthObservation[] known = [.. _window.Where(o => o.Correct is not null)];
        double[] lengths = [.. known.Select(o => (double)o.Length)], rewards = [.. known.Select(o => o.Reward)];
        double[] success = [.. known.Select(o => o.Correct == true ? 1.0 : 0)];
        return Varies(lengths) && Varies(rewards) && Varies(success)
            ? Statistics.Pearson(lengths, rewards) - Statistics.Pearson(lengths, success)
            : 0;
    }

    private static bool Varies(double[] values) => values.AsSpan().ContainsAnyExcept(values.FirstOrDefault());
}

internal sealed record LengthBiasState
{
    public LengthObservation[] Window { get; set; } = [];

    public bool Biased { get; set; }
}

[JsonSerializable(typeof(LengthBiasState))]
internal sealed partial class LengthBiasJson : JsonSerializerContext;
