using MiniMaxSharp.Native;

namespace MiniMaxSharp.Ops;

/// <summary>
/// Causal softmax attention with grouped key/value heads on packed sequences, scale 1/√d.
/// q, o [tokens, heads · d]; k, v [tokens, kvHeads · d].
/// </summary>
internal static unsafe class Attention
{
    public static Tensor Apply(Tensor q, Tensor k, Tensor v, PackedBatch batch, long headDim, long window)
    {
        long heads = q.Shape[1] / headDim, kvHeads = k.Shape[1] / headDim;
        Tensor o = Tensor.Empty(q.Device, q.ElementType, q.Shape);
        Tensor lse = Tensor.Empty(q.Device, ElementType.Float32, heads, q.Shape[0]);
        var p = new AttentionForwardParams
        {
            StructSize = sizeof(AttentionForwardParams),
            Q = q.Data,
            K = k.Data,
            V = v.Data,
            O = o.Data,
            Lse = lse.Floats,
            CuSeqlensQ = batch.Offsets.Ints,
            CuSeqlensK = batch.Offsets.Ints,
            Sequences = batch.Sequences,
            TokensQ = batch.TokenCount,
            TokensK = batch.TokenCount,
            MaxSeqlenQ = batch.MaxLength,
            MaxSeqlenK = batch.MaxLength,
            Heads = heads,
            KvHeads = kvHeads,
            HeadDim = headDim,
            Window = window,
            QTokenStride = heads * headDim,
            QHeadStride = headDim,
            KTokenStride = kvHeads * headDim,
            KHeadStride = headDim,
            VTokenStride = kvHeads * headDim,
            VHeadStride = headDim,
            OTokenStride = heads * headDim,
            OHeadStride = headDim,
            Scale = Scale(headDim),
            Dtype = q.DType,
        };
        NativeStatus.Check(NativeMethods.AttentionForward(q.Device.Handle, &p));
        Tape.Record([q, k, v], [], [o], tape => Backward(tape, q, k, v, batch, headDim, window, lse, o));
        return o;
    }

    /// <summary>Attention of new tokens, already written to the paged cache, over all that the cache holds of their sequence.</summary>
    public static Tensor Paged(Tensor q, Tensor keys, Tensor values, PackedBatch batch, PagedSequences pages, long headDim, long window)
    {
        long heads = q.Shape[1] / headDim;
        Tensor o = Tensor.Empty(q.Device, q.ElementType, q.Shape);
        var p = new AttentionDecodeParams
        {
            StructSize = sizeof(AttentionDecodeParams),
            Q = q.Data,
            KCache = keys.Data,
            VCache = values.Data,
            O = o.Data,
            CuSeqlensQ = batch.Offsets.Ints,
            KvLens = pages.Lengths.Ints,
            BlockTable = pages.Table.Ints,
            Sequences = batch.Sequences,
            TokensQ = batch.TokenCount,
            MaxSeqlenQ = batch.MaxLength,
            MaxKvLen = pages.MaxLength,
            MaxPages = pages.Table.Shape[1],
            PageSize = keys.Shape[1],
            Heads = heads,
            KvHeads = keys.Shape[2],
            HeadDim = headDim,
            Window = window,
            QTokenStride = heads * headDim,
            QHeadStride = headDim,
            OTokenStride = heads * headDim,
            OHeadStride = headDim,
            Scale = Scale(headDim),
            Dtype = q.DType,
        };
        NativeStatus.Check(NativeMethods.AttentionDecode(q.Device.Handle, &p));
        return o;
    }

    /// <summary>Writes k and v [tokens, kvHeads · d] into the pages [pages, pageSize, kvHeads, d] at the given token slots.</summary>
    public static void WriteCache(Tensor k, Tensor v, Tensor keys, Tensor values, Tensor tokenSlots)
    {
        long kvHeads = keys.Shape[2], d = keys.Shape[3];
        var p = new KvCacheWriteParams
        {
            StructSize = sizeof(KvCacheWriteParams),
            K = k.Data,
            V = v.Data,
            KCache = keys.Data,
            VCache = values.Data,
            Slots = tokenSlots.Longs,
            Tokens = k.Shape[0],
            KvHeads = kvHeads,
            HeadDim = d,
            KTokenStride = kvHeads * d,
            KHeadStride = d,
            VTokenStride = kvHeads * d,
            VHeadStride = d,
            Dtype = k.DType,
        };
        NativeStatus.Check(NativeMethods.KvCacheWrite(k.Device.Handle, &p));
    }

    private static float Scale(long headDim) => (float)(1 / Math.Sqrt(headDim));

    private static void Backward(Tape tape, Tensor q, Tensor k, Tensor v, PackedBatch batch, long headDim, long window, Tensor lse, Tensor o)
    {
        long heads = q.Shape[1] / headDim, kvHeads = k.Shape[1] / headDim;
        Tensor dq = Tensor.Empty(q.Device, q.ElementType, q.Shape);
        Tensor dk = Tensor.Empty(q.Device, q.ElementType, k.Shape);
        Tensor dv = Tensor.Empty(q.Device, q.ElementType, v.Shape);
        var p = new AttentionBackwardParams
        {
            StructSize = sizeof(AttentionBackwardParams),
            Q = q.Data,
            K = k.Data,
            V = v.Data,
            O = o.Data,
            DO = tape.GradientOf(o).Data,
            Lse = lse.Floats,
            Dq = dq.Data,
            Dk = dk.Data,
            Dv = dv.Data,
            CuSeqlensQ = batch.Offsets.Ints,
            CuSeqlensK = batch.Offsets.Ints,
            Sequences = batch.Sequences,
            TokensQ = batch.TokenCount,
            TokensK = batch.TokenCount,
            MaxSeqlenQ = batch.MaxLength,
            MaxSeqlenK = batch.MaxLength,
            Heads = heads,
            KvHeads = kvHeads,
            HeadDim = headDim,
            Window = window,
            QTokenStride = heads * headDim,
            QHeadStride = headDim,
            KTokenStride = kvHeads * headDim,
            KHeadStride = headDim,
            VTokenStride = kvHeads * headDim,
            VHeadStride = headDim,
            OTokenStride = heads * headDim,
            OHeadStride = headDim,
            DqTokenStride = heads * headDim,
            DqHeadStride = headDim,
            DkTokenStride = kvHeads * headDim,
            DkHeadStride = headDim,
            DvTokenStride = kvHeads * headDim,
            DvHeadStride = headDim,
            Scale = Scale(headDim),
            Dtype = q.DType,
        };
        NativeStatus.Check(NativeMethods.AttentionBackward(q.Device.Handle, &p));
        tape.AddGradient(q, dq);
        tape.AddGradient(k, dk);
        tape.AddGradient(v, dv);
    }
}
