namespace MiniMaxSharp.Checkpoints;

/// <summary>The element types of safetensors that are read and written, by the names that the format gives them.</summary>
internal static class StoredTypes
{
    public const string All = "F64, F32, BF16, F16, I64, I32, U8 and BOOL";

    /// <summary>Bytes of an element; 0 for a type that is not supported.</summary>
    public static int Size(string type) => type switch
    {
        "F64" or "I64" => 8,
        "F32" or "I32" => 4,
        "BF16" or "F16" => 2,
        "U8" or "BOOL" => 1,
        _ => 0,
    };

    /// <summary>How safetensors calls the elements of a tensor.</summary>
    public static string Of(ElementType type) => type switch
    {
        ElementType.Float64 => "F64",
        ElementType.Float32 => "F32",
        ElementType.BFloat16 => "BF16",
        ElementType.Int64 => "I64",
        ElementType.Int32 => "I32",
        ElementType.Int8 => throw new NotSupportedException("Int8 without its scales is not to be stored."),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not an element type"),
    };
}
