using System.Text.Json;

namespace MiniMaxSharp.Training;

/// <summary>A file of JSON objects, one a line, that is added to and that a resumed run cuts to what its checkpoint knows of.</summary>
internal sealed class JsonLinesFile : IDisposable
{
    private readonly FileStream _file;

    /// <exception cref="InvalidDataException">The file is shorter than <paramref name="length"/> bytes.</exception>
    public JsonLinesFile(string path, long length)
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

    public long Length => _file.Length;

    public void Write(string phase, int step, Action<Utf8JsonWriter> fields)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("phase", phase);
            writer.WriteNumber("step", step);
            fields(writer);
            writer.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        _file.Write(buffer.GetBuffer(), 0, (int)buffer.Length);
        _file.Flush();
    }

    public void Dispose() => _file.Dispose();

    /// <summary>What becomes of each line; a file that is being written to can be read.</summary>
    /// <exception cref="InvalidDataException">A line is not JSON or not what it should be; names the file and the line.</exception>
    public static IReadOnlyList<T> Read<T>(string path, Func<string, int, JsonElement, T> convert)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        var lines = new List<T>();
        while (reader.ReadLine() is { } text)
        {
            try
            {
                using JsonDocument json = JsonDocument.Parse(text);
                lines.Add(convert(json.RootElement.GetProperty("phase").GetString()!, json.RootElement.GetProperty("step").GetInt32(), json.RootElement));
            }
            catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or ArgumentException)
            {
                throw new InvalidDataException($"{path}, line {lines.Count + 1}: {error.Message}", error);
            }
        }

        return lines;
    }
}
