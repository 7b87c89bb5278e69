using System.Globalization;
using System.Text.Json;

namespace MiniMaxSharp.Training;

/// <summary>
/// A file of JSON lines, one a step: <c>phase</c>, <c>step</c> and numbers by name. All but the times
/// (<see cref="MetricNames.IsTime"/>) are the same whenever a run is repeated.
/// </summary>
public sealed class MetricsLog : IDisposable
{
    private readonly JsonLinesFile _file;

    /// <summary>Opens the file and cuts it to <paramref name="length"/> bytes: what a checkpoint says had been written.</summary>
    /// <exception cref="InvalidDataException">The file is shorter than that.</exception>
    public MetricsLog(string path, long length = 0) => _file = new JsonLinesFile(path, length);

    /// <summary>Bytes written so far, for a checkpoint.</summary>
    public long Length => _file.Length;

    /// <summary>Adds a line.</summary>
    public void Write(string phase, int step, params ReadOnlySpan<(string Name, double Value)> values)
    {
        (string, double)[] fields = [.. values];
        _file.Write(phase, step, writer =>
        {
            foreach ((string name, double value) in fields)
            {
                if (double.IsFinite(value))
                {
                    writer.WriteNumber(name, value);
                }
                else
                {
                    writer.WriteString(name, value.ToString(CultureInfo.InvariantCulture));
                }
            }
        });
    }

    /// <summary>Adds a line.</summary>
    public void Write(string phase, int step, TrainingMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        Write(phase, step, metrics.Values.AsSpan());
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    /// <summary>Reads a log back: phase, step and the finite numbers of each line.</summary>
    /// <exception cref="InvalidDataException">A line is not one of a log; names the file and the line.</exception>
    public static IReadOnlyList<MetricsLine> Read(string path) => JsonLinesFile.Read(path, (phase, step, json) => new MetricsLine(phase, step, Numbers(json)));

    private static Dictionary<string, double> Numbers(JsonElement json) => json.EnumerateObject()
        .Where(p => p.Value.ValueKind == JsonValueKind.Number && p.Name != "step")
        .ToDictionary(p => p.Name, p => p.Value.GetDouble());
}

/// <summary>A line of a <see cref="MetricsLog"/>.</summary>
public sealed record MetricsLine(string Phase, int Step, IReadOnlyDictionary<string, double> Values);
