using MiniMaxSharp.Native;

namespace MiniMaxSharp.Cli.Checks;

/// <summary>q [b, hq, nq, d], k, v [b, hkv, nk, d], bottom-right causal; forward, backward, and over pages.</summary>
internal static unsafe class AttentionCheck
{
    private const int PageSize = 16;

    public static void Run(OperatorCase c)
    {
        long[] q = c.Shape("q"), k = c.Shape("k");
        var s = new Sizes(q[0], q[1], k[1], q[2], k[2], q[3], (float)c.Number("scale"), (long)c.Number("window", 0));
        Tensor o = c.Empty("q"), paged = c.Empty("q"), lse = Tensor.Empty(c.Device, ElementType.Float32, s.Batch, s.Heads, s.Queries);
        Tensor dq = c.Empty("q"), dk = c.Empty("k"), dv = c.Empty("k");
        Tensor offsetsQ = Tensor.From<int>(c.Device, [0, (int)s.Queries], 2), offsetsK = Tensor.From<int>(c.Device, [0, (int)s.Keys], 2);
        Tensor qs = c.Input("q"), ks = c.Input("k"), vs = c.Input("v"), gradient = c.Input("do");
        for (long b = 0; b < s.Batch; b++)
        {
            long atQ = b * s.Heads * s.Queries * s.D, atK = b * s.KvHeads * s.Keys * s.D;
            float* l = lse.Floats + b * s.Heads * s.Queries;
            Forward(c.Device, s, qs.Floats + atQ, ks.Floats + atK, vs.Floats + atK, o.Floats + atQ, l, offsetsQ, offsetsK);
            Backward(
                c.Device, s, qs.Floats + atQ, ks.Floats + atK, vs.Floats + atK, o.Floats + atQ, gradient.Floats + atQ, l,
                dq.Floats + atQ, dk.Floats + atK, dv.Floats + atK, offsetsQ, offsetsK);
            Paged(c.Device, s, qs.Floats + atQ, ks.Floats + atK, vs.Floats + atK, paged.Floats + atQ, offsetsQ);
        }

        c.Compare("o", o);
        c.Compare("lse", lse);
        c.Compare("dq", dq);
        c.Compare("dk", dk);
        c.Compare("dv", dv);
        c.CompareAgain("o", "over pages", paged);
    }

    private static void Forward(Device device, Sizes s, float* q, float* k, float* v, float* o, float* lse, Tensor offsetsQ, Tensor offsetsK)
    {
        var p = new AttentionForwardParams
        {
            StructSize = sizeof(AttentionForwardParams),
            Q = q,
            K = k,
            V = v,
            O = o,
            Lse = lse,
            CuSeqlensQ = offsetsQ.Ints,
            CuSeqlensK = offsetsK.Ints,
            Sequences = 1,
            TokensQ = s.Queries,
            TokensK = s.Keys,
            MaxSeqlenQ = s.Queries,
            MaxSeqlenK = s.Keys,
            Heads = s.Heads,
            KvHeads = s.KvHeads,
            HeadDim = s.D,
            Window = s.Window,
            QTokenStride = s.D,
            QHeadStride = s.Queries * s.D,
            KTokenStride = s.D,
            KHeadStride = s.Keys * s.D,
            VTokenStride = s.D,
            VHeadStride = s.Keys * s.D,
            OTokenStride = s.D,
            OHeadStride = s.Queries * s.D,
            Scale = s.Scale,
            Dtype = DType.F32,
        };
        NativeStatus.Check(NativeMethods.AttentionForward(device.Handle, &p));
    }

    private static void Backward(
        Device device, Sizes s, float* q, float* k, float* v, float* o, float* gradient, float* lse, float* dq, float* dk, float* dv,
        Tensor offsetsQ, Tensor offsetsK)
    {
        var p = new AttentionBackwardParams
        {
            StructSize = sizeof(AttentionBackwardParams),
            Q = q,
            K = k,
            V = v,
            O = o,
            DO = gradient,
            Lse = lse,
            Dq = dq,
            Dk = dk,
            Dv = dv,
            CuSeqlensQ = offsetsQ.Ints,
            CuSeqlensK = offsetsK.Ints,
            Sequences = 1,
            TokensQ = s.Queries,
            TokensK = s.Keys,
            MaxSeqlenQ = s.Queries,
            MaxSeqlenK = s.Keys,
            Heads = s.Heads,
            KvHeads = s.KvHeads,
            HeadDim = s.D,
            Window = s.Window,
            QTokenStride = s.D,
            QHeadStride = s.Queries * s.D,
            KTokenStride = s.D,
            KHeadStride = s.Keys * s.D,
            VTokenStride = s.D,
            VHeadStride = s.Keys * s.D,
            OTokenStride = s.D,
            OHeadStride = s.Queries * s.D,
            DqTokenStride = s.D,
            DqHeadStride = s.Queries * s.D,
            DkTokenStride = s.D,
            DkHeadStride = s.Keys * s.D,
            DvTokenStride = s.D,
            DvHeadStride = s.Keys * s.D,
            Scale = s.Scale,
            Dtype = DType.F32,
        };
        NativeStatus.Check(NativeMethods.AttentionBackward(device.Handle, &p));
    }

    // Pages in descending order, so that an implementation that ignores the table is found out.
    private static void Paged(Device device, Sizes s, float* q, float* k, float* v, float* o, Tensor offsetsQ)
    {
        int pages = (int)((s.Keys + PageSize - 1) / PageSize);
        int[] table = [.. Enumerable.Range(0, pages).Select(i => pages - 1 - i)];
        long[] slots = [.. Enumerable.Range(0, (int)s.Keys).Select(t => (long)table[t / PageSize] * PageSize + t % PageSize)];
        Tensor keys = Tensor.Zeros(device, ElementType.Float32, pages, PageSize, s.KvHeads, s.D);
        Tensor values = Tensor.Zeros(device, ElementType.Float32, pages, PageSize, s.KvHeads, s.D);
        var write = new KvCacheWriteParams
        {
            StructSize = sizeof(KvCacheWriteParams),
            K = k,
            V = v,
            KCache = keys.Data,
            VCache = values.Data,
            Slots = Tensor.From<long>(device, slots, slots.Length).Longs,
            Tokens = s.Keys,
            KvHeads = s.KvHeads,
            HeadDim = s.D,
            KTokenStride = s.D,
            KHeadStride = s.Keys * s.D,
            VTokenStride = s.D,
            VHeadStride = s.Keys * s.D,
            Dtype = DType.F32,
        };
        NativeStatus.Check(NativeMethods.KvCacheWrite(device.Handle, &write));
        var p = new AttentionDecodeParams
        {
            StructSize = sizeof(AttentionDecodeParams),
            Q = q,
            KCache = keys.Data,
            VCache = values.Data,
            O = o,
            CuSeqlensQ = offsetsQ.Ints,
            KvLens = Tensor.From<int>(device, [(int)s.Keys], 1).Ints,
            BlockTable = Tensor.From<int>(device, table, pages).Ints,
            Sequences = 1,
            TokensQ = s.Queries,
            MaxSeqlenQ = s.Queries,
            MaxKvLen = s.Keys,
            MaxPages = pages,
            PageSize = PageSize,
            Heads = s.Heads,
            KvHeads = s.KvHeads,
            HeadDim = s.D,
            Window = s.Window,
            QTokenStride = s.D,
            QHeadStride = s.Queries * s.D,
            OTokenStride = s.D,
            OHeadStride = s.Queries * s.D,
            Scale = s.Scale,
            Dtype = DType.F32,
        };
        NativeStatus.Check(NativeMethods.AttentionDecode(device.Handle, &p));
    }

    private readonly record struct Sizes(
        long Batch, long Heads, long KvHeads, long Queries, long Keys, long D, float Scale, long Window);
}
