using System.Diagnostics.Metrics;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Metrics as a listener gets them.</summary>
public sealed class MeterTests
{
    [Fact]
    public void A_listener_hears_each_metric_under_its_name()
    {
        using var heard = new Listener("run-a");
        using (var meter = new TrainingMeter("run-a"))
        using (var other = new TrainingMeter("run-b"))
        {
            meter.Record("cispo", 7, new TrainingMetrics([("reward", 0.5), ("completions/mean_length", 12), ("tokens_per_second", 99), ("kl", double.NaN)]));
            other.Record("cispo", 1, new TrainingMetrics([("reward", 0.1)]));
            meter.Record("cispo", 8, new TrainingMetrics([("reward", 0.75)]));
        }

        Assert.Equal(
            [("reward", 0.5, null), ("completions/mean_length", 12, "{token}"), ("tokens_per_second", 99, "{token}/s"), ("step", 7, null), ("reward", 0.75, null), ("step", 8, null)],
            heard.Values);
    }

    // Meters are the process's; other tests may record at the same time.
    private sealed class Listener : IDisposable
    {
        private readonly MeterListener _listener = new();

        public Listener(string run)
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "MiniMaxSharp.Training")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) =>
            {
                foreach ((string name, object? tag) in tags)
                {
                    if (name == "run" && tag is string of && of == run)
                    {
                        Values.Add((instrument.Name, value, instrument.Unit));
                    }
                }
            });
            _listener.Start();
        }

        public List<(string Name, double Value, string? Unit)> Values { get; } = [];

        public void Dispose() => _listener.Dispose();
    }
}
