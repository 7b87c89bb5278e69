using MiniMaxSharp.Native;

namespace MiniMaxSharp;

/// <summary>How the elements of a <see cref="Tensor"/> are stored.</summary>
public enum ElementType
{
    /// <summary>IEEE single precision, 4 bytes.</summary>
    Float32 = DType.F32,

    /// <summary>bfloat16, 2 bytes: the upper half of a single.</summary>
    BFloat16 = DType.Bf16,

    /// <summary>Signed 32-bit integer.</summary>
    Int32 = DType.I32,

    /// <summary>Signed 64-bit integer.</summary>
    Int64 = DType.I64,

    /// <summary>IEEE double precision, 8 bytes; for data, not for computing.</summary>
    Float64 = DType.F64,

    /// <summary>Signed 8-bit integer; of weights, times a scale for each row.</summary>
    Int8 = DType.I8,
}

internal static class ElementTypes
{
    public static int Size(this ElementType type) => type switch
    {
        ElementType.Int8 => 1,
        ElementType.BFloat16 => 2,
        ElementType.Float32 or ElementType.Int32 => 4,
        ElementType.Int64 or ElementType.Float64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not an element type"),
    };

    public static DType Native(this ElementType type) => (DType)type;

    public static ElementType Of<T>() where T : unmanaged => default(T) switch
    {
        float => ElementType.Float32,
        int => ElementType.Int32,
        long => ElementType.Int64,
        double => ElementType.Float64,
        ushort => ElementType.BFloat16,
        sbyte => ElementType.Int8,
        _ => throw new NotSupportedException($"A tensor cannot hold {typeof(T).Name}; float, ushort (bfloat16), sbyte, int, long and double are possible."),
    };
}
