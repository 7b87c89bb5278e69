using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace MiniMaxSharp.Checkpoints;

/// <summary>
/// A safetensors file, mapped into memory: opening reads the header only. Any number of threads may read. The file must
/// not shrink while it is open; replacing it by renaming, as <see cref="SafetensorsWriter"/> does, is harmless.
/// </summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private const int PrefixBytes = 8;
    private const long MaxHeaderBytes = 100_000_000;
    private readonly MemoryMappedFile _mapping;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _data;
    private readonly long _dataStart;
    private bool _disposed;

    private SafetensorsFile(string path, FileStream stream)
    {
        Path = path;
        long length = stream.Length, header = ReadHeaderLength(stream);
        _mapping = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        _view = _mapping.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        try
        {
            var json = new ReadOnlySpan<byte>(start + PrefixBytes, (int)header);
            _dataStart = PrefixBytes + header;
            _data = start + _dataStart;
            (Tensors, Metadata) = new SafetensorsHeader(path, json, length - PrefixBytes - header).Parse();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Where the file is.</summary>
    public string Path { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>The strings under <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Maps the file and checks its header; tensor data is not touched.</summary>
    /// <exception cref="CheckpointFormatException">It is not a safetensors file, or is cut short or damaged.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
        try
        {
            return new SafetensorsFile(path, stream);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>The entry of a tensor.</summary>
    /// <exception cref="CheckpointFormatException">The file has no such tensor.</exception>
    public TensorInfo Info(string name) =>
        Tensors.TryGetValue(name, out TensorInfo? tensor) ? tensor : throw new CheckpointFormatException($"{Path} has no tensor '{name}'.");

    /// <summary>A tensor's bytes as stored (little-endian), valid until this is disposed.</summary>
    /// <exception cref="CheckpointFormatException">There is no such tensor, or it has 2 GiB or more: use <see cref="Pointer"/>.</exception>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        TensorInfo tensor = Info(name);
        return tensor.ByteLength <= int.MaxValue
            ? new ReadOnlySpan<byte>(Pointer(name), (int)tensor.ByteLength)
            : throw Error(tensor, $"{tensor.ByteLength} bytes are too many for a span");
    }

    /// <summary>Where a tensor's bytes are, <see cref="TensorInfo.ByteLength"/> of them, valid until this is disposed. They may be unaligned.</summary>
    /// <exception cref="CheckpointFormatException">There is no such tensor.</exception>
    public byte* Pointer(string name)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _data + Info(name).Offset;
    }

    /// <summary>All elements in single precision; integers are rounded to it, BOOL is 0 or 1.</summary>
    /// <exception cref="CheckpointFormatException">There is no such tensor, or it has too many elements for an array.</exception>
    public float[] ReadAsFloat(string name) => Info(name).DType switch
    {
        "F32" => Elements<float>(name).ToArray(),
        "F64" => Convert<double, float>(name, x => (float)x),
        _ => Array.ConvertAll(ReadAsDouble(name), x => (float)x),
    };

    /// <summary>All elements in double precision; BOOL is 0 or 1.</summary>
    /// <exception cref="CheckpointFormatException">There is no such tensor, or it has too many elements for an array.</exception>
    public double[] ReadAsDouble(string name) => Info(name).DType switch
    {
        "F64" => Elements<double>(name).ToArray(),
        "F32" => Convert<float, double>(name, x => x),
        "BF16" => Convert<ushort, double>(name, x => BFloat16.ToSingle(x)),
        "F16" => Convert<Half, double>(name, x => (double)x),
        _ => Array.ConvertAll(ReadAsInt64(name), x => (double)x),
    };

    /// <summary>All elements of an integer tensor; BOOL is 0 or 1.</summary>
    /// <exception cref="CheckpointFormatException">There is no such tensor, it does not hold integers, or too many.</exception>
    public long[] ReadAsInt64(string name)
    {
        TensorInfo tensor = Info(name);
        return tensor.DType switch
        {
            "I64" => Elements<long>(name).ToArray(),
            "I32" => Convert<int, long>(name, x => x),
            "U8" => Convert<byte, long>(name, x => x),
            "BOOL" => Convert<byte, long>(name, x => x == 0 ? 0 : 1),
            _ => throw Error(tensor, "it does not hold integers"),
        };
    }

    /// <summary>Copies into a tensor of the same shape, converting between floating-point types.</summary>
    /// <exception cref="CheckpointFormatException">There is no such tensor, or shape or type do not fit.</exception>
    public void CopyTo(string name, Tensor tensor) => TensorReader.Copy(this, Info(name), tensor, finite: false);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _mapping.Dispose();
        }
    }

    /// <summary>Maps the bytes of one tensor, or of a part of one, apart from the file: what is read there is given back with it.</summary>
    internal MappedBytes Map(TensorInfo tensor)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new MappedBytes(_mapping, _dataStart + tensor.Offset, tensor.ByteLength);
    }

    internal CheckpointFormatException Error(TensorInfo tensor, string problem) => new($"{Path}: tensor {tensor}: {problem}.");

    private long ReadHeaderLength(FileStream stream)
    {
        long length = stream.Length;
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        if (stream.ReadAtLeast(prefix, PrefixBytes, throwOnEndOfStream: false) < PrefixBytes)
        {
            throw new CheckpointFormatException($"{Path}: {length} bytes are too few for a safetensors file.");
        }

        ulong header = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        return header <= (ulong)Math.Min(length - PrefixBytes, MaxHeaderBytes)
            ? (long)header
            : throw new CheckpointFormatException(
                $"{Path}: a header of {header} bytes; the file has {length} bytes, and more than {MaxHeaderBytes} are refused.");
    }

    private ReadOnlySpan<T> Elements<T>(string name) where T : unmanaged => MemoryMarshal.Cast<byte, T>(Bytes(name));

    private TTo[] Convert<TFrom, TTo>(string name, Func<TFrom, TTo> convert) where TFrom : unmanaged
    {
        ReadOnlySpan<TFrom> elements = Elements<TFrom>(name);
        var values = new TTo[elements.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = convert(elements[i]);
        }

        return values;
    }
}

/// <summary>
/// Bytes of a file mapped by themselves. Pages that were read through a mapping count as the process's memory until it is
/// unmapped, so who copies a checkpoint maps one tensor after the other.
/// </summary>
internal sealed unsafe class MappedBytes : IDisposable
{
    private readonly MemoryMappedViewAccessor? _view;

    public MappedBytes(MemoryMappedFile file, long start, long length)
    {
        // A view of no bytes would be one of the rest of the file.
        if (length > 0)
        {
            _view = file.CreateViewAccessor(start, length, MemoryMappedFileAccess.Read);
            byte* page = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref page);
            Start = page + _view.PointerOffset;
        }
    }

    public byte* Start { get; }

    public void Dispose()
    {
        _view?.SafeMemoryMappedViewHandle.ReleasePointer();
        _view?.Dispose();
    }
}
