using System.Runtime.InteropServices;
using MiniMaxSharp.Native;

namespace MiniMaxSharp.Checkpoints;

/// <summary>A tensor to be written: its description, and who writes its bytes when their turn comes.</summary>
/// <param name="Name">Its name in the file; unique.</param>
/// <param name="DType">How elements are stored: F64, F32, BF16, F16, I64, I32, U8 or BOOL.</param>
/// <param name="Shape">Size of each dimension, outermost first.</param>
/// <param name="Write">Writes exactly as many little-endian bytes as type and shape ask for.</param>
public sealed record TensorSource(string Name, string DType, long[] Shape, Action<Stream> Write)
{
    private const int PieceBytes = 1 << 20;

    /// <summary>Size in bytes.</summary>
    /// <exception cref="ArgumentException">The type is not supported, or a dimension is negative.</exception>
    public long ByteLength => StoredTypes.Size(DType) is > 0 and int size && !Array.Exists(Shape, length => length < 0)
        ? checked(Tensor.Product(Shape) * size)
        : throw new ArgumentException($"Tensor '{Name}': {DType}{Tensor.Describe(Shape)} cannot be stored; {StoredTypes.All} can.");

    /// <summary>The values of a tensor, read when they are written: it must live until then.</summary>
    public static TensorSource Of(string name, Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return new(name, StoredTypes.Of(tensor.ElementType), tensor.Shape.ToArray(), stream => Copy(tensor, stream));
    }

    /// <summary>Values of the host: float, double, Half, long, int, byte or bool.</summary>
    /// <exception cref="ArgumentException">The number of values does not fit the shape.</exception>
    public static TensorSource Of<T>(string name, ReadOnlyMemory<T> values, params long[] shape) where T : unmanaged
    {
        string type = default(T) switch
        {
            double => "F64",
            float => "F32",
            Half => "F16",
            long => "I64",
            int => "I32",
            byte => "U8",
            bool => "BOOL",
            _ => throw new NotSupportedException($"safetensors files cannot hold {typeof(T).Name}."),
        };
        return values.Length == Tensor.Product(shape)
            ? new(name, type, shape, stream => stream.Write(MemoryMarshal.AsBytes(values.Span)))
            : throw new ArgumentException($"{values.Length} values do not fit {Tensor.Describe(shape)}.", nameof(values));
    }

    private static unsafe void Copy(Tensor tensor, Stream stream)
    {
        byte[] buffer = new byte[Math.Min(tensor.Bytes, PieceBytes)];
        for (long start = 0; start < tensor.Bytes; start += buffer.Length)
        {
            int length = (int)Math.Min(buffer.Length, tensor.Bytes - start);
            fixed (byte* piece = buffer)
            {
                NativeStatus.Check(NativeMethods.MemoryCopy(tensor.Device.Handle, piece, (byte*)tensor.Data + start, length));
            }

            stream.Write(buffer, 0, length);
        }
    }
}
