using System.Globalization;
using System.Text;
using System.Text.Json;

namespace MiniMaxSharp.Training;

/// <summary>
/// A file of JSON lines, one a step: <c>phase</c>, <c>step</c> and numbers by name. Names that end in <c>seconds</c> or
/// <c>per_second</c> are times; all else is the same whenever a run is repeated.
/// </summary>
public sealed class MetricsLog : IDisposable
{
    private readonly FileStream _file;

    /// <summary>Opens the file and cuts it to <paramref name="length"/> bytes: what a checkpoint says had been written.</summary>
    /// <exception cref="InvalidDataException">The file is shorter than that.</exception>
    public MetricsLog(string path, long length = 0)
    {
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        if (_file.Length < length)
        {
            long found = _file.Length;
            _file.Dispose();
            throw new InvalidDataException($"{path} has {found} bytes; the checkpoint was made when it had {length}.");
        }

        _file.SetLength(length);
        _file.Seek(0, SeekOrigin.End);
    }

    /// <summary>Bytes written so far, for a checkpoint.</summary>
    public long Length => _file.Length;

    /// <summary>Adds a line.</summary>
    public void Write(string phase, int step, params ReadOnlySpan<(string Name, double Value)> values)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("phase", phase);
            writer.WriteNumber("step", step);
            foreach ((string name, double value) in values)
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

            writer.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        _file.Write(buffer.GetBuffer(), 0, (int)buffer.Length);
        _file.Flush();
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    /// <summary>Reads a log back: phase, step and the finite numbers of each line.</summary>
    public static IReadOnlyList<MetricsLine> Read(string path)
    {
        var lines = new List<MetricsLine>();
        foreach (string line in File.ReadLines(path, Encoding.UTF8))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            var values = new Dictionary<string, double>();
            foreach (JsonProperty property in json.RootElement.EnumerateObject())
            {
                if (property.Value.ValueKind == JsonValueKind.Number && property.Name != "step")
                {
                    values.Add(property.Name, property.Value.GetDouble());
                }
            }

            lines.Add(new MetricsLine(
                json.RootElement.GetProperty("phase").GetString()!, json.RootElement.GetProperty("step").GetInt32(), values));
        }

        return lines;
    }
}

/// <summary>A line of a <see cref="MetricsLog"/>.</summary>
public sealed record MetricsLine(string Phase, int Step, IReadOnlyDictionary<string, double> Values);
