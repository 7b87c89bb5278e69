using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using MiniMaxSharp.Native;

namespace MiniMaxSharp.Checkpoints;

/// <summary>Copies a stored tensor from the mapped file to a device, piece by piece: no copy of the whole is made on the way.</summary>
internal static unsafe class TensorReader
{
    private const int PieceElements = 1 << 18;

    /// <summary>Copies into a tensor of the same shape; <paramref name="finite"/> refuses NaN and infinity, also those made by the conversion.</summary>
    public static void Copy(SafetensorsFile file, TensorInfo stored, Tensor tensor, bool finite)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (!tensor.Shape.SequenceEqual(stored.Shape))
        {
            throw file.Error(stored, $"the shape {Tensor.Describe(tensor.Shape)} was expected");
        }

        bool same = StoredTypes.Of(tensor.ElementType) == stored.DType;
        if (!same && !CanConvert(stored.DType, tensor.ElementType))
        {
            throw file.Error(stored, $"it cannot be read as {tensor.ElementType}");
        }

        int from = StoredTypes.Size(stored.DType), to = tensor.ElementType.Size();
        using MappedBytes source = file.Map(stored);
        byte[] buffer = same ? [] : new byte[Math.Min(tensor.Count, PieceElements) * to];
        for (long start = 0; start < tensor.Count; start += PieceElements)
        {
            int count = (int)Math.Min(PieceElements, tensor.Count - start);
            var piece = new ReadOnlySpan<byte>(source.Start + start * from, count * from);
            ReadOnlySpan<byte> converted = same ? piece : Convert(piece, stored.DType, tensor.ElementType, buffer.AsSpan(0, count * to));
            if (finite && !IsFinite(converted, tensor.ElementType))
            {
                throw file.Error(stored, $"it holds NaN or infinity (or does so as {tensor.ElementType})");
            }

            fixed (byte* values = converted)
            {
                NativeStatus.Check(NativeMethods.MemoryCopy(tensor.Device.Handle, (byte*)tensor.Data + start * to, values, converted.Length));
            }
        }
    }

    /// <summary>
    /// Copies a matrix as int8, rounded to a step of its own for each row: the largest magnitude / 127, which goes into
    /// <paramref name="scale"/>.
    /// </summary>
    public static void Quantize(SafetensorsFile file, TensorInfo stored, Tensor tensor, Tensor scale)
    {
        int columns = checked((int)tensor.Shape[1]), from = StoredTypes.Size(stored.DType);
        int rows = (int)Math.Min(Math.Max(1, PieceElements / columns), tensor.Shape[0]);
        using MappedBytes source = file.Map(stored);
        byte[] buffer = stored.DType == "F32" ? [] : new byte[rows * columns * sizeof(float)];
        var scaled = new float[columns];
        var steps = new float[rows];
        var values = new sbyte[rows * columns];
        for (long start = 0; start < tensor.Shape[0]; start += rows)
        {
            int count = (int)Math.Min(rows, tensor.Shape[0] - start);
            var piece = new ReadOnlySpan<byte>(source.Start + start * columns * from, count * columns * from);
            ReadOnlySpan<float> single = MemoryMarshal.Cast<byte, float>(
                stored.DType == "F32" ? piece : Convert(piece, stored.DType, ElementType.Float32, buffer.AsSpan(0, count * columns * sizeof(float))));
            for (int r = 0; r < count; r++)
            {
                ReadOnlySpan<float> row = single.Slice(r * columns, columns);
                steps[r] = MathF.Abs(TensorPrimitives.MaxMagnitude(row)) / sbyte.MaxValue;
                if (!float.IsFinite(steps[r]))
                {
                    throw file.Error(stored, "it holds NaN or infinity");
                }

                TensorPrimitives.Divide(row, steps[r] == 0 ? 1 : steps[r], scaled);
                TensorPrimitives.Round(scaled, scaled);
                TensorPrimitives.ConvertSaturating<float, sbyte>(scaled, values.AsSpan(r * columns, columns));
            }

            using Tensor some = tensor.Slice(start, count);
            using Tensor theirs = scale.Slice(start, count);
            some.CopyFrom<sbyte>(values.AsSpan(0, count * columns));
            theirs.CopyFrom<float>(steps.AsSpan(0, count));
        }
    }

    // F64 to BFloat16 is not here: it would round twice.
    private static bool CanConvert(string from, ElementType to) => (from, to) is
        ("BF16" or "F16" or "F64", ElementType.Float32) or ("F32" or "F16", ElementType.BFloat16);

    private static ReadOnlySpan<byte> Convert(ReadOnlySpan<byte> stored, string from, ElementType to, Span<byte> result)
    {
        switch (from, to)
        {
            case ("BF16", ElementType.Float32):
                Convert<ushort, float>(stored, result, BFloat16.ToSingle);
                break;
            case ("F16", ElementType.Float32):
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(stored), MemoryMarshal.Cast<byte, float>(result));
                break;
            case ("F64", ElementType.Float32):
                Convert<double, float>(stored, result, x => (float)x);
                break;
            case ("F32", ElementType.BFloat16):
                Convert<float, ushort>(stored, result, BFloat16.FromSingle);
                break;
            case ("F16", ElementType.BFloat16):
                Convert<Half, ushort>(stored, result, x => BFloat16.FromSingle((float)x));
                break;
        }

        return result;
    }

    private static void Convert<TFrom, TTo>(ReadOnlySpan<byte> stored, Span<byte> result, Func<TFrom, TTo> convert)
        where TFrom : unmanaged where TTo : unmanaged
    {
        ReadOnlySpan<TFrom> x = MemoryMarshal.Cast<byte, TFrom>(stored);
        Span<TTo> y = MemoryMarshal.Cast<byte, TTo>(result);
        for (int i = 0; i < x.Length; i++)
        {
            y[i] = convert(x[i]);
        }
    }

    private static bool IsFinite(ReadOnlySpan<byte> values, ElementType type)
    {
        if (type == ElementType.Float32)
        {
            return TensorPrimitives.IsFiniteAll(MemoryMarshal.Cast<byte, float>(values));
        }

        foreach (ushort bits in MemoryMarshal.Cast<byte, ushort>(values))
        {
            if ((bits & 0x7F80) == 0x7F80)
            {
                return false;
            }
        }

        return true;
    }
}
