using System.Text.Json;
using System.Text.Unicode;

namespace MiniMaxSharp.Checkpoints;

/// <summary>One tensor of a safetensors file.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="DType">How elements are stored: F64, F32, BF16, F16, I64, I32, U8 or BOOL.</param>
/// <param name="Shape">Size of each dimension, outermost first; empty for a single number.</param>
/// <param name="Offset">Where its bytes start, counted from the end of the header.</param>
/// <param name="ByteLength">How many bytes it has.</param>
public sealed record TensorInfo(string Name, string DType, long[] Shape, long Offset, long ByteLength)
{
    /// <summary>Number of elements.</summary>
    public long Count => Tensor.Product(Shape);

    /// <inheritdoc/>
    public override string ToString() => $"{Name}: {DType}{Tensor.Describe(Shape)}";
}

/// <summary>
/// Reads the JSON header of a safetensors file where it lies. Nothing in it is believed: what it says must fit the file,
/// and the tensors must cover the data without hole or overlap. Memory use is in proportion to the header.
/// </summary>
internal readonly ref struct SafetensorsHeader(string file, ReadOnlySpan<byte> json, long dataLength)
{
    private const int MaxRank = 32;
    private readonly ReadOnlySpan<byte> _json = json;

    /// <exception cref="CheckpointFormatException">The header is malformed or contradicts the file's length.</exception>
    public (IReadOnlyDictionary<string, TensorInfo> Tensors, IReadOnlyDictionary<string, string> Metadata) Parse()
    {
        if (!Utf8.IsValid(_json))
        {
            throw Error("the header is not valid UTF-8");
        }

        var tensors = new Dictionary<string, TensorInfo>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            var reader = new Utf8JsonReader(_json);
            ReadTensors(ref reader, tensors, metadata);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // InvalidOperationException is how the reader refuses an escaped lone surrogate.
            throw new CheckpointFormatException($"{file}: the header is not valid JSON: {error.Message}", error);
        }

        RequireContiguous(tensors.Values);
        return (tensors, metadata);
    }

    private void ReadTensors(ref Utf8JsonReader reader, Dictionary<string, TensorInfo> tensors, Dictionary<string, string> metadata)
    {
        Expect(ref reader, JsonTokenType.StartObject, "the header");
        bool hasMetadata = false;
        while (NextProperty(ref reader, out string name))
        {
            if (name != "__metadata__")
            {
                Add(tensors, name, ReadTensor(ref reader, name));
                continue;
            }

            if (hasMetadata)
            {
                throw Error("'__metadata__' appears twice");
            }

            hasMetadata = true;
            ReadMetadata(ref reader, metadata);
        }

        // Anything after the object is found here, too.
        if (reader.Read())
        {
            throw Error("the header goes on after its end");
        }
    }

    private void ReadMetadata(ref Utf8JsonReader reader, Dictionary<string, string> metadata)
    {
        Expect(ref reader, JsonTokenType.StartObject, "'__metadata__'");
        while (NextProperty(ref reader, out string key))
        {
            Expect(ref reader, JsonTokenType.String, $"'{key}' of '__metadata__'");
            Add(metadata, key, reader.GetString()!);
        }
    }

    private TensorInfo ReadTensor(ref Utf8JsonReader reader, string name)
    {
        Expect(ref reader, JsonTokenType.StartObject, $"tensor '{name}'");
        string? type = null;
        long[]? shape = null, offsets = null;
        while (NextProperty(ref reader, out string key))
        {
            switch (key)
            {
                case "dtype" when type is null:
                    Expect(ref reader, JsonTokenType.String, $"'dtype' of tensor '{name}'");
                    type = reader.GetString()!;
                    break;
                case "shape" when shape is null:
                    shape = ReadSizes(ref reader, name, key, MaxRank);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadSizes(ref reader, name, key, 2);
                    break;
                default:
                    throw Error($"tensor '{name}' has the key '{key}' twice, or it is unknown");
            }
        }

        if (type is null || shape is null || offsets is not { Length: 2 })
        {
            throw Error($"tensor '{name}' needs 'dtype', 'shape' and two 'data_offsets'");
        }

        return Check(new TensorInfo(name, type, shape, offsets[0], offsets[1] - offsets[0]));
    }

    private TensorInfo Check(TensorInfo tensor)
    {
        int size = StoredTypes.Size(tensor.DType);
        if (size == 0)
        {
            throw Error($"tensor '{tensor.Name}' is stored as {tensor.DType}; {StoredTypes.All} are supported");
        }

        if (tensor.ByteLength < 0 || tensor.Offset + tensor.ByteLength > dataLength)
        {
            throw Error($"tensor '{tensor.Name}' lies at {tensor.Offset}..{tensor.Offset + tensor.ByteLength}, the file has {dataLength} bytes of data");
        }

        if (ByteLength(tensor.Shape, size) != tensor.ByteLength)
        {
            throw Error($"tensor '{tensor.Name}' of {tensor.DType}{Tensor.Describe(tensor.Shape)} cannot have {tensor.ByteLength} bytes");
        }

        return tensor;
    }

    /// <summary>Product of shape and element size; null if it overflows.</summary>
    private static long? ByteLength(long[] shape, int size)
    {
        long bytes = size;
        foreach (long length in shape)
        {
            if (length != 0 && bytes > long.MaxValue / length)
            {
                return null;
            }

            bytes *= length;
        }

        return bytes;
    }

    private long[] ReadSizes(ref Utf8JsonReader reader, string tensor, string key, int most)
    {
        Expect(ref reader, JsonTokenType.StartArray, $"'{key}' of tensor '{tensor}'");
        var sizes = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long size) || size < 0)
            {
                throw Error($"'{key}' of tensor '{tensor}' holds something else than non-negative integers of 63 bits");
            }

            if (sizes.Count == most)
            {
                throw Error($"'{key}' of tensor '{tensor}' has more than {most} entries");
            }

            sizes.Add(size);
        }

        return [.. sizes];
    }

    private void RequireContiguous(IEnumerable<TensorInfo> tensors)
    {
        long end = 0;
        foreach (TensorInfo tensor in tensors.OrderBy(t => t.Offset).ThenBy(t => t.ByteLength))
        {
            if (tensor.Offset != end)
            {
                throw Error($"tensor '{tensor.Name}' starts at {tensor.Offset}, but the tensor before it ends at {end}");
            }

            end += tensor.ByteLength;
        }

        if (end != dataLength)
        {
            throw Error($"the tensors end at {end}, but the file has {dataLength} bytes of data");
        }
    }

    private static bool NextProperty(ref Utf8JsonReader reader, out string name)
    {
        bool found = reader.Read() && reader.TokenType == JsonTokenType.PropertyName;
        name = found ? reader.GetString()! : "";
        return found;
    }

    private void Expect(ref Utf8JsonReader reader, JsonTokenType type, string what)
    {
        if (!reader.Read() || reader.TokenType != type)
        {
            throw Error($"{what} should be {Describe(type)}, not {Describe(reader.TokenType)}");
        }
    }

    private void Add<T>(Dictionary<string, T> entries, string name, T value)
    {
        if (!entries.TryAdd(name, value))
        {
            throw Error($"'{name}' appears twice");
        }
    }

    private static string Describe(JsonTokenType type) => type switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => "a string",
        JsonTokenType.None => "nothing",
        _ => type.ToString(),
    };

    private CheckpointFormatException Error(string message) => new($"{file}: {message}.");
}
