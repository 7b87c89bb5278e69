using MiniMaxSharp.Native;

namespace MiniMaxSharp.Ops;

/// <summary>
/// Lightning attention on packed sequences: S_t = λ S_{t-1} + k_tᵀ v_t, o_t = q_t S_t. qkv [tokens, heads · 3 · d] with q, k and
/// v of a head beside each other, o [tokens, heads · d], slopes [heads]; states a pool [slots, heads, d, d] in single precision.
/// </summary>
internal static unsafe class LightningAttention
{
    /// <summary>The whole of each sequence, or a further piece from the states of its slots, which are brought up to date.</summary>
    public static Tensor Apply(Tensor qkv, Tensor slopes, PackedBatch batch, Tensor? states = null, Tensor? slots = null)
    {
        long heads = slopes.Count, d = qkv.Shape[1] / (3 * heads), size = qkv.ElementType.Size();
        Tensor o = Tensor.Empty(qkv.Device, qkv.ElementType, qkv.Shape[0], heads * d);
        byte* q = (byte*)qkv.Data;
        var p = new LightningAttentionForwardParams
        {
            StructSize = sizeof(LightningAttentionForwardParams),
            Q = q,
            K = q + d * size,
            V = q + 2 * d * size,
            O = o.Data,
            Slopes = slopes.Floats,
            CuSeqlens = batch.Offsets.Ints,
            StateSlots = slots is null ? null : slots.Ints,
            StateIn = states is null ? null : states.Floats,
            StateOut = states is null ? null : states.Floats,
            Sequences = batch.Sequences,
            Tokens = batch.TokenCount,
            MaxSeqlen = batch.MaxLength,
            Heads = heads,
            DimK = d,
            DimV = d,
            QTokenStride = 3 * heads * d,
            QHeadStride = 3 * d,
            KTokenStride = 3 * heads * d,
            KHeadStride = 3 * d,
            VTokenStride = 3 * heads * d,
            VHeadStride = 3 * d,
            OTokenStride = heads * d,
            OHeadStride = d,
            Dtype = qkv.DType,
        };
        NativeStatus.Check(NativeMethods.LightningAttentionForward(qkv.Device.Handle, &p));
        Tape.Record([qkv], [], [o], tape => Backward(tape, qkv, slopes, batch, o));
        return o;
    }

    /// <summary>One token for each slot, states updated in place.</summary>
    public static Tensor Decode(Tensor qkv, Tensor slopes, Tensor states, Tensor slots)
    {
        long heads = slopes.Count, d = qkv.Shape[1] / (3 * heads), size = qkv.ElementType.Size();
        Tensor o = Tensor.Empty(qkv.Device, qkv.ElementType, qkv.Shape[0], heads * d);
        byte* q = (byte*)qkv.Data;
        var p = new LightningAttentionDecodeParams
        {
            StructSize = sizeof(LightningAttentionDecodeParams),
            Q = q,
            K = q + d * size,
            V = q + 2 * d * size,
            O = o.Data,
            Slopes = slopes.Floats,
            StateSlots = slots.Ints,
            State = states.Floats,
            Batch = qkv.Shape[0],
            Heads = heads,
            DimK = d,
            DimV = d,
            QTokenStride = 3 * heads * d,
            QHeadStride = 3 * d,
            KTokenStride = 3 * heads * d,
            KHeadStride = 3 * d,
            VTokenStride = 3 * heads * d,
            VHeadStride = 3 * d,
            OTokenStride = heads * d,
            OHeadStride = d,
            Dtype = qkv.DType,
        };
        NativeStatus.Check(NativeMethods.LightningAttentionDecode(qkv.Device.Handle, &p));
        return o;
    }

    /// <summary>
    /// Decay slopes of a layer, [heads]: ALiBi's rule scaled by 1 − layer/(layers − 1) + 1e-5, where layers of both
    /// kinds are counted.
    /// </summary>
    public static float[] Slopes(int heads, int layer, int layers)
    {
        float scale = (float)(1 - (double)layer / (layers - 1) + 1e-5);
        return Array.ConvertAll(BaseSlopes(heads), slope => slope * scale);
    }

    /// <summary>The same as transformers' minimax has them: one geometric series whatever the heads, and 1e-5 more in the denominator.</summary>
    public static float[] TransformersSlopes(int heads, int layer, int layers)
    {
        float ratio = (float)Math.Pow(2, -8.0 / heads), scale = (float)(1 - layer / (layers - 1 + 1e-5) + 1e-5);
        return [.. Enumerable.Range(1, heads).Select(h => MathF.Pow(ratio, h) * scale)];
    }

    /// <summary>2^(-8(h+1)/H) for a power of two; else those of the next lower one, then every second of the next higher.</summary>
    public static float[] BaseSlopes(int heads)
    {
        int power = 1 << int.Log2(heads);
        var slopes = new float[heads];
        for (int h = 0; h < heads; h++)
        {
            double exponent = h < power ? 8.0 * (h + 1) / power : 8.0 * (2 * (h - power) + 1) / (2 * power);
            slopes[h] = (float)Math.Pow(2, -exponent);
        }

        return slopes;
    }

    private static void Backward(Tape tape, Tensor qkv, Tensor slopes, PackedBatch batch, Tensor o)
    {
        long heads = slopes.Count, d = qkv.Shape[1] / (3 * heads), size = qkv.ElementType.Size();
        Tensor dqkv = Tensor.Empty(qkv.Device, qkv.ElementType, qkv.Shape);
        byte* q = (byte*)qkv.Data, dq = (byte*)dqkv.Data;
        var p = new LightningAttentionBackwardParams
        {
            StructSize = sizeof(LightningAttentionBackwardParams),
            Q = q,
            K = q + d * size,
            V = q + 2 * d * size,
            DO = tape.GradientOf(o).Data,
            Dq = dq,
            Dk = dq + d * size,
            Dv = dq + 2 * d * size,
            Slopes = slopes.Floats,
            CuSeqlens = batch.Offsets.Ints,
            Sequences = batch.Sequences,
            Tokens = batch.TokenCount,
            MaxSeqlen = batch.MaxLength,
            Heads = heads,
            DimK = d,
            DimV = d,
            QTokenStride = 3 * heads * d,
            QHeadStride = 3 * d,
            KTokenStride = 3 * heads * d,
            KHeadStride = 3 * d,
            VTokenStride = 3 * heads * d,
            VHeadStride = 3 * d,
            OTokenStride = heads * d,
            OHeadStride = d,
            DqTokenStride = 3 * heads * d,
            DqHeadStride = 3 * d,
            DkTokenStride = 3 * heads * d,
            DkHeadStride = 3 * d,
            DvTokenStride = 3 * heads * d,
            DvHeadStride = 3 * d,
            Dtype = qkv.DType,
        };
        NativeStatus.Check(NativeMethods.LightningAttentionBackward(qkv.Device.Handle, &p));
        tape.AddGradient(qkv, dqkv);
    }
}
