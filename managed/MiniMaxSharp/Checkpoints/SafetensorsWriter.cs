using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace MiniMaxSharp.Checkpoints;

/// <summary>
/// Writes safetensors files: tensor by tensor, without a copy of the whole, and atomically (another name beside, flushed
/// to the disk, renamed). The same tensors give the same bytes: larger element types come first, which keeps every tensor
/// aligned, and otherwise the order given.
/// </summary>
public static class SafetensorsWriter
{
    private const int Alignment = 8;

    /// <summary>Writes tensors of a device as they are stored.</summary>
    /// <exception cref="ArgumentException">Two tensors have one name.</exception>
    public static void Write(string path, IEnumerable<(string Name, Tensor Tensor)> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        using var views = new TensorViews(tensors);
        Write(path, views.Sources);
    }

    /// <summary>Writes the tensors, and strings under <c>__metadata__</c> in the order of their keys.</summary>
    /// <exception cref="ArgumentException">Two tensors have one name, or a type or shape cannot be stored.</exception>
    /// <exception cref="InvalidOperationException">A source wrote more or fewer bytes than it said.</exception>
    public static void Write(string path, IReadOnlyList<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        AtomicFile.Write(path, stream => Write(stream, tensors, metadata));
    }

    internal static void Write(Stream stream, IReadOnlyList<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        TensorSource[] ordered = [.. tensors.OrderByDescending(t => StoredTypes.Size(t.DType))];
        WriteHeader(stream, ordered, new SortedDictionary<string, string>(metadata?.ToDictionary() ?? [], StringComparer.Ordinal));
        foreach (TensorSource tensor in ordered)
        {
            long start = stream.Position;
            tensor.Write(stream);
            if (stream.Position - start != tensor.ByteLength)
            {
                throw new InvalidOperationException(
                    $"Tensor '{tensor.Name}' has {tensor.ByteLength} bytes, but {stream.Position - start} were written.");
            }
        }
    }

    private static void WriteHeader(Stream stream, TensorSource[] tensors, SortedDictionary<string, string> metadata)
    {
        var json = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(json, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            WriteMetadata(writer, metadata);
            WriteTensors(writer, tensors);
            writer.WriteEndObject();
        }

        int padding = -json.WrittenCount & (Alignment - 1);
        Span<byte> prefix = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, json.WrittenCount + padding);
        stream.Write(prefix);
        stream.Write(json.WrittenSpan);
        stream.Write("        "u8[..padding]);
    }

    private static void WriteMetadata(Utf8JsonWriter writer, SortedDictionary<string, string> metadata)
    {
        if (metadata.Count == 0)
        {
            return;
        }

        writer.WriteStartObject("__metadata__");
        foreach ((string key, string value) in metadata)
        {
            writer.WriteString(key, value);
        }

        writer.WriteEndObject();
    }

    private static void WriteTensors(Utf8JsonWriter writer, TensorSource[] tensors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        long offset = 0;
        foreach (TensorSource tensor in tensors)
        {
            if (!names.Add(tensor.Name))
            {
                throw new ArgumentException($"A tensor cannot be named '{tensor.Name}': the name is taken.", nameof(tensors));
            }

            writer.WriteStartObject(tensor.Name);
            writer.WriteString("dtype", tensor.DType);
            WriteSizes(writer, "shape", tensor.Shape);
            WriteSizes(writer, "data_offsets", offset, offset + tensor.ByteLength);
            writer.WriteEndObject();
            offset += tensor.ByteLength;
        }
    }

    private static void WriteSizes(Utf8JsonWriter writer, string key, params ReadOnlySpan<long> sizes)
    {
        writer.WriteStartArray(key);
        foreach (long size in sizes)
        {
            writer.WriteNumberValue(size);
        }

        writer.WriteEndArray();
    }
}

/// <summary>Keeps tensors alive until they are written, though whoever enumerates them disposes each after its turn.</summary>
internal sealed class TensorViews : IDisposable
{
    private readonly List<Tensor> _views = [];
    private readonly List<TensorSource> _sources = [];

    public TensorViews(IEnumerable<(string Name, Tensor Tensor)> tensors)
    {
        foreach ((string name, Tensor tensor) in tensors)
        {
            Tensor view = tensor.View(tensor.Shape);
            _views.Add(view);
            _sources.Add(TensorSource.Of(name, view));
        }
    }

    public IReadOnlyList<TensorSource> Sources => _sources;

    public void Dispose() => _views.ForEach(view => view.Dispose());
}
