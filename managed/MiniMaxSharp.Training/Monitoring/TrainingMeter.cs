using System.Diagnostics.Metrics;

namespace MiniMaxSharp.Training;

/// <summary>
/// The metrics of a run as gauges of a <see cref="Meter"/> named <see cref="MeterName"/>, under the names of <see cref="MetricNames"/>, tagged
/// with <c>run</c> and <c>phase</c>; <c>step</c> is a gauge, too. Without a listener they cost next to nothing. One caller at a time.
/// </summary>
/// <param name="run">Name of the run.</param>
public sealed class TrainingMeter(string run) : IDisposable
{
    /// <summary>What a listener or an exporter subscribes to.</summary>
    public const string MeterName = "MiniMaxSharp.Training";

    private readonly Meter _meter = new(MeterName);
    private readonly Dictionary<string, Gauge<double>> _gauges = [];

    /// <summary>Records a step. Numbers that are not finite are left out.</summary>
    public void Record(string phase, int step, TrainingMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        KeyValuePair<string, object?> owner = new("run", run), part = new("phase", phase);
        foreach ((string name, double value) in metrics.Values.Append(("step", step)))
        {
            if (!double.IsFinite(value))
            {
                continue;
            }

            if (!_gauges.TryGetValue(name, out Gauge<double>? gauge))
            {
                gauge = _meter.CreateGauge<double>(name, Unit(name));
                _gauges.Add(name, gauge);
            }

            gauge.Record(value, owner, part);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private static string? Unit(string name) => name switch
    {
        MetricNames.TokensPerSecond => "{token}/s",
        _ when MetricNames.IsTime(name) => "s",
        _ when name.EndsWith("_length", StringComparison.Ordinal) || name.EndsWith("_tokens", StringComparison.Ordinal) => "{token}",
        _ => null,
    };
}
