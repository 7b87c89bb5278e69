using MiniMaxSharp.Native;

namespace MiniMaxSharp.Generation;

/// <summary>Chooses a token for each row of logits [rows, vocabulary]; a row's choice depends on its own seed and position only.</summary>
internal static unsafe class Sampler
{
    public static (int[] Tokens, float[] LogProbabilities) Sample(
        Tensor logits, GenerationOptions options, ReadOnlySpan<long> seeds, ReadOnlySpan<long> positions)
    {
        Device device = logits.Device;
        int rows = (int)logits.Shape[0];
        using Tensor temperature = Filled(device, rows, options.Temperature);
        using Tensor topP = Filled(device, rows, options.TopP);
        using Tensor minP = Filled(device, rows, options.MinP);
        using Tensor topK = Filled(device, rows, options.TopK);
        using Tensor seed = Tensor.From(device, seeds, rows);
        using Tensor position = Tensor.From(device, positions, rows);
        using Tensor token = Tensor.Empty(device, ElementType.Int32, rows);
        using Tensor logp = Tensor.Empty(device, ElementType.Float32, rows);
        var p = new SampleParams
        {
            StructSize = sizeof(SampleParams),
            Logits = logits.Floats,
            Temperature = temperature.Floats,
            TopP = topP.Floats,
            MinP = minP.Floats,
            TopK = topK.Ints,
            Seed = seed.Longs,
            Position = position.Longs,
            Token = token.Ints,
            Logp = logp.Floats,
            Rows = rows,
            Vocabulary = logits.Shape[1],
        };
        NativeStatus.Check(NativeMethods.Sample(device.Handle, &p));
        return (token.ToArray<int>(), logp.ToArray<float>());
    }

    private static Tensor Filled<T>(Device device, int rows, T value) where T : unmanaged
    {
        var values = new T[rows];
        Array.Fill(values, value);
        return Tensor.From<T>(device, values, rows);
    }
}
