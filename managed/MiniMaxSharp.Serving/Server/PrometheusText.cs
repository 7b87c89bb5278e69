using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace MiniMaxSharp.Serving.Server;

/// <summary>
/// What a meter measured since this object began to listen, in Prometheus' text format. Names and units are translated as
/// OpenTelemetry prescribes: dots to underscores, seconds as a suffix, units in braces dropped.
/// </summary>
internal sealed class PrometheusText : IDisposable
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<Instrument, Family> _families = new();

    /// <param name="accept">Which meters to listen to.</param>
    public PrometheusText(Func<Meter, bool> accept)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (accept(instrument.Meter))
            {
                listener.EnableMeasurementEvents(instrument, _families.GetOrAdd(instrument, i => new Family(i)));
            }
        };
        _listener.SetMeasurementEventCallback<int>((_, value, tags, family) => ((Family)family!).Add(value, tags));
        _listener.SetMeasurementEventCallback<long>((_, value, tags, family) => ((Family)family!).Add(value, tags));
        _listener.SetMeasurementEventCallback<double>((_, value, tags, family) => ((Family)family!).Add(value, tags));
        _listener.Start();
    }

    public string Write()
    {
        _listener.RecordObservableInstruments();
        var text = new StringBuilder();
        foreach (Family family in _families.Values.OrderBy(f => f.Name, StringComparer.Ordinal))
        {
            family.Write(text);
        }

        return text.ToString();
    }

    public void Dispose() => _listener.Dispose();

    /// <summary>One instrument; its series by labels.</summary>
    private sealed class Family
    {
        private readonly Dictionary<string, Series> _series = [];
        private readonly string _kind;
        private readonly bool _observed;
        private readonly string? _help;
        private readonly double[] _bounds;

        public Family(Instrument instrument)
        {
            string type = instrument.GetType().Name;
            _kind = type.Contains("Histogram") ? "histogram" : type.Contains("UpDown") || type.Contains("Gauge") ? "gauge" : "counter";
            _observed = instrument.IsObservable || type.StartsWith("Gauge", StringComparison.Ordinal);
            _help = instrument.Description;
            _bounds = instrument switch
            {
                Histogram<int> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(b => (double)b)],
                Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds],
                _ => [],
            };
            string name = instrument.Name.Replace('.', '_').Replace('-', '_');
            name = instrument.Unit == "s" ? name + "_seconds" : name;
            Name = _kind == "counter" ? name + "_total" : name;
        }

        public string Name { get; }

        public void Add(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            string labels = Labels(tags);
            lock (_series)
            {
                if (!_series.TryGetValue(labels, out Series? series))
                {
                    _series[labels] = series = new Series(_bounds.Length);
                }

                series.Count++;
                series.Sum = _observed ? value : series.Sum + value;
                for (int i = _bounds.Length - 1; i >= 0 && value <= _bounds[i]; i--)
                {
                    series.Buckets[i]++;
                }
            }
        }

        public void Write(StringBuilder text)
        {
            lock (_series)
            {
                text.Append(CultureInfo.InvariantCulture, $"# HELP {Name} {_help}\n# TYPE {Name} {_kind}\n");
                foreach ((string labels, Series series) in _series)
                {
                    if (_kind != "histogram")
                    {
                        Line("", labels, series.Sum);
                        continue;
                    }

                    string before = labels.Length > 0 ? labels + "," : "";
                    for (int i = 0; i < _bounds.Length; i++)
                    {
                        Line("_bucket", string.Create(CultureInfo.InvariantCulture, $"{before}le=\"{_bounds[i]}\""), series.Buckets[i]);
                    }

                    Line("_bucket", before + "le=\"+Inf\"", series.Count);
                    Line("_sum", labels, series.Sum);
                    Line("_count", labels, series.Count);
                }
            }

            void Line(string suffix, string labels, double value) =>
                text.Append(CultureInfo.InvariantCulture, $"{Name}{suffix}{(labels.Length > 0 ? $"{{{labels}}}" : "")} {value}\n");
        }

        private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var labels = new StringBuilder();
            foreach ((string key, object? value) in tags)
            {
                string text = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
                labels.Append(labels.Length > 0 ? "," : "").Append(key.Replace('.', '_')).Append("=\"")
                    .Append(text.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")).Append('"');
            }

            return labels.ToString();
        }
    }

    private sealed class Series(int bounds)
    {
        public long[] Buckets { get; } = new long[bounds];

        public long Count { get; set; }

        public double Sum { get; set; }
    }
}
