using System.Numerics.Tensors;
using MiniMaxSharp.Native;

namespace MiniMaxSharp.Generation;

/// <summary>
/// Chooses the next token of each sequence from its row of logits [rows, vocabulary]. A choice depends on the row, the sequence's
/// own seed and position only, never on the batch.
/// </summary>
internal static unsafe class Sampler
{
    /// <summary>
    /// Appends a token to each sequence; result by row. A sequence whose processor fails keeps what it has: its
    /// result is null, and <see cref="ActiveSequence.Error"/> says why.
    /// </summary>
    public static GenerationUpdate?[] Choose(Tensor logits, IReadOnlyList<ActiveSequence> sequences)
    {
        long vocabulary = logits.Shape[1];
        var raw = new float[sequences.Count][];
        for (int i = 0; i < sequences.Count; i++)
        {
            if (sequences[i].LooksAtLogits)
            {
                using Tensor row = logits.Slice(i, 1);
                raw[i] = row.ToArray<float>();
                var edited = (float[])raw[i].Clone();
                if (sequences[i].TryEdit(edited))
                {
                    row.CopyFrom<float>(edited);
                }
            }
        }

        (int[] tokens, float[] logp) = Sample(logits, sequences);
        var updates = new GenerationUpdate?[sequences.Count];
        for (int i = 0; i < sequences.Count; i++)
        {
            ActiveSequence sequence = sequences[i];
            if (sequence.Error is not null)
            {
                continue;
            }

            bool injected = sequence.TryInject(out int token);
            token = injected ? token : tokens[i];
            float p = raw[i] is { } row ? row[token] - LogSumExp(row) : logp[i];
            updates[i] = sequence.Append(token, p, injected, raw[i] is { } all ? Top(all, sequence.Options.TopLogProbabilities) : []);
        }

        return updates;
    }

    private static (int[] Tokens, float[] LogProbabilities) Sample(Tensor logits, IReadOnlyList<ActiveSequence> sequences)
    {
        Device device = logits.Device;
        int rows = sequences.Count;
        using Tensor temperature = Each(s => s.Options.Temperature);
        using Tensor topP = Each(s => s.Options.TopP);
        using Tensor minP = Each(s => s.Options.MinP);
        using Tensor topK = Each(s => s.Options.TopK);
        using Tensor seed = Each(s => (long)s.Seed);
        using Tensor position = Each(s => (long)s.Tokens.Count);
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

        Tensor Each<T>(Func<ActiveSequence, T> value) where T : unmanaged =>
            Tensor.From<T>(device, (T[])[.. sequences.Select(value)], rows);
    }

    private static float LogSumExp(ReadOnlySpan<float> row)
    {
        float max = TensorPrimitives.Max(row);
        double sum = 0;
        foreach (float x in row)
        {
            sum += Math.Exp(x - max);
        }

        return max + (float)Math.Log(sum);
    }

    // Descending, ties by the lower id.
    private static TokenLogProbability[] Top(float[] row, int count)
    {
        if (count == 0)
        {
            return [];
        }

        float total = LogSumExp(row);
        var queue = new PriorityQueue<int, (float, int)>();
        for (int id = 0; id < row.Length; id++)
        {
            if (queue.Count < count)
            {
                queue.Enqueue(id, (row[id], -id));
            }
            else if (row[id] > row[queue.Peek()])
            {
                queue.DequeueEnqueue(id, (row[id], -id));
            }
        }

        var top = new TokenLogProbability[queue.Count];
        for (int i = top.Length - 1; i >= 0; i--)
        {
            int id = queue.Dequeue();
            top[i] = new TokenLogProbability(id, row[id] - total);
        }

        return top;
    }
}
