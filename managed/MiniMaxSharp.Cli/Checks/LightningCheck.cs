using MiniMaxSharp.Native;

namespace MiniMaxSharp.Cli.Checks;

/// <summary>q, k [b, h, n, dk], v [b, h, n, dv], states [b, h, dk, dv]; forward, backward, and token by token.</summary>
internal static unsafe class LightningCheck
{
    public static void Run(OperatorCase c)
    {
        long[] q = c.Shape("q"), v = c.Shape("v");
        var s = new Sizes(q[0], q[1], q[2], q[3], v[3]);
        Tensor o = c.Empty("v"), dq = c.Empty("q"), dk = c.Empty("q"), dv = c.Empty("v");
        long[] states = [s.Batch, s.Heads, s.Dk, s.Dv];
        Tensor stateOut = Tensor.Empty(c.Device, ElementType.Float32, states);
        Tensor dstateIn = Tensor.Empty(c.Device, ElementType.Float32, states);
        Tensor offsets = Tensor.From<int>(c.Device, [0, (int)s.Tokens], 2);
        var inputs = new Inputs(
            c.Input("q"), c.Input("k"), c.Input("v"), c.Input("slope"), c.Input("do"),
            c.HasInput("state_in") ? c.Input("state_in") : null, c.HasInput("dstate_out") ? c.Input("dstate_out") : null, offsets);
        for (long b = 0; b < s.Batch; b++)
        {
            Forward(c.Device, s, inputs, b, o, stateOut);
            Backward(c.Device, s, inputs, b, dq, dk, dv, dstateIn);
        }

        c.Compare("o", o);
        c.Compare("state_out", stateOut);
        c.Compare("dq", dq);
        c.Compare("dk", dk);
        c.Compare("dv", dv);
        c.Compare("dstate_in", dstateIn);
        Decode(c, s, inputs);
    }

    private static void Forward(Device device, Sizes s, Inputs x, long b, Tensor o, Tensor stateOut)
    {
        long k = b * s.Heads * s.Tokens * s.Dk, v = b * s.Heads * s.Tokens * s.Dv, state = b * s.Heads * s.Dk * s.Dv;
        var p = new LightningAttentionForwardParams
        {
            StructSize = sizeof(LightningAttentionForwardParams),
            Q = x.Q.Floats + k,
            K = x.K.Floats + k,
            V = x.V.Floats + v,
            O = o.Floats + v,
            Slopes = x.Slopes.Floats,
            CuSeqlens = x.Offsets.Ints,
            StateIn = x.StateIn is null ? null : x.StateIn.Floats + state,
            StateOut = stateOut.Floats + state,
            Sequences = 1,
            Tokens = s.Tokens,
            MaxSeqlen = s.Tokens,
            Heads = s.Heads,
            DimK = s.Dk,
            DimV = s.Dv,
            QTokenStride = s.Dk,
            QHeadStride = s.Tokens * s.Dk,
            KTokenStride = s.Dk,
            KHeadStride = s.Tokens * s.Dk,
            VTokenStride = s.Dv,
            VHeadStride = s.Tokens * s.Dv,
            OTokenStride = s.Dv,
            OHeadStride = s.Tokens * s.Dv,
            Dtype = DType.F32,
        };
        NativeStatus.Check(NativeMethods.LightningAttentionForward(device.Handle, &p));
    }

    private static void Backward(Device device, Sizes s, Inputs x, long b, Tensor dq, Tensor dk, Tensor dv, Tensor dstateIn)
    {
        long k = b * s.Heads * s.Tokens * s.Dk, v = b * s.Heads * s.Tokens * s.Dv, state = b * s.Heads * s.Dk * s.Dv;
        var p = new LightningAttentionBackwardParams
        {
            StructSize = sizeof(LightningAttentionBackwardParams),
            Q = x.Q.Floats + k,
            K = x.K.Floats + k,
            V = x.V.Floats + v,
            DO = x.Gradient.Floats + v,
            Dq = dq.Floats + k,
            Dk = dk.Floats + k,
            Dv = dv.Floats + v,
            Slopes = x.Slopes.Floats,
            CuSeqlens = x.Offsets.Ints,
            StateIn = x.StateIn is null ? null : x.StateIn.Floats + state,
            DstateOut = x.StateGradient is null ? null : x.StateGradient.Floats + state,
            DstateIn = dstateIn.Floats + state,
            Sequences = 1,
            Tokens = s.Tokens,
            MaxSeqlen = s.Tokens,
            Heads = s.Heads,
            DimK = s.Dk,
            DimV = s.Dv,
            QTokenStride = s.Dk,
            QHeadStride = s.Tokens * s.Dk,
            KTokenStride = s.Dk,
            KHeadStride = s.Tokens * s.Dk,
            VTokenStride = s.Dv,
            VHeadStride = s.Tokens * s.Dv,
            OTokenStride = s.Dv,
            OHeadStride = s.Tokens * s.Dv,
            DqTokenStride = s.Dk,
            DqHeadStride = s.Tokens * s.Dk,
            DkTokenStride = s.Dk,
            DkHeadStride = s.Tokens * s.Dk,
            DvTokenStride = s.Dv,
            DvHeadStride = s.Tokens * s.Dv,
            Dtype = DType.F32,
        };
        NativeStatus.Check(NativeMethods.LightningAttentionBackward(device.Handle, &p));
    }

    private static void Decode(OperatorCase c, Sizes s, Inputs x)
    {
        Tensor o = c.Empty("v");
        Tensor state = x.StateIn?.Clone() ?? Tensor.Zeros(c.Device, ElementType.Float32, s.Batch, s.Heads, s.Dk, s.Dv);
        Tensor slots = Tensor.From<int>(c.Device, [.. Enumerable.Range(0, (int)s.Batch)], s.Batch);
        for (long t = 0; t < s.Tokens; t++)
        {
            var p = new LightningAttentionDecodeParams
            {
                StructSize = sizeof(LightningAttentionDecodeParams),
                Q = x.Q.Floats + t * s.Dk,
                K = x.K.Floats + t * s.Dk,
                V = x.V.Floats + t * s.Dv,
                O = o.Floats + t * s.Dv,
                Slopes = x.Slopes.Floats,
                StateSlots = slots.Ints,
                State = state.Floats,
                Batch = s.Batch,
                Heads = s.Heads,
                DimK = s.Dk,
                DimV = s.Dv,
                QTokenStride = s.Heads * s.Tokens * s.Dk,
                QHeadStride = s.Tokens * s.Dk,
                KTokenStride = s.Heads * s.Tokens * s.Dk,
                KHeadStride = s.Tokens * s.Dk,
                VTokenStride = s.Heads * s.Tokens * s.Dv,
                VHeadStride = s.Tokens * s.Dv,
                OTokenStride = s.Heads * s.Tokens * s.Dv,
                OHeadStride = s.Tokens * s.Dv,
                Dtype = DType.F32,
            };
            NativeStatus.Check(NativeMethods.LightningAttentionDecode(c.Device.Handle, &p));
        }

        c.CompareAgain("o", "token by token", o);
        c.CompareAgain("state_out", "token by token", state);
    }

    private readonly record struct Sizes(long Batch, long Heads, long Tokens, long Dk, long Dv);

    private sealed record Inputs(
        Tensor Q, Tensor K, Tensor V, Tensor Slopes, Tensor Gradient, Tensor? StateIn, Tensor? StateGradient, Tensor Offsets);
}
