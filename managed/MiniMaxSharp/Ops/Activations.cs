using MiniMaxSharp.Native;

namespace MiniMaxSharp.Ops;

/// <summary>y = x · σ(x), elementwise.</summary>
internal static unsafe class Silu
{
    public static Tensor Apply(Tensor x)
    {
        Tensor y = Tensor.Empty(x.Device, x.ElementType, x.Shape);
        var p = new SiluForwardParams { StructSize = sizeof(SiluForwardParams), X = x.Data, Y = y.Data, Count = x.Count, Dtype = x.DType };
        NativeStatus.Check(NativeMethods.SiluForward(x.Device.Handle, &p));
        Tape.Record([x], [], [y], tape => Backward(tape, x, y));
        return y;
    }

    private static void Backward(Tape tape, Tensor x, Tensor y)
    {
        Tensor dx = Tensor.Empty(x.Device, x.ElementType, x.Shape);
        var p = new SiluBackwardParams
        {
            StructSize = sizeof(SiluBackwardParams),
            X = x.Data,
            Dy = tape.GradientOf(y).Data,
            Dx = dx.Data,
            Count = x.Count,
            Dtype = x.DType,
        };
        NativeStatus.Check(NativeMethods.SiluBackward(x.Device.Handle, &p));
        tape.AddGradient(x, dx);
    }
}

/// <summary>y = silu(gate) · up, elementwise.</summary>
internal static unsafe class SwiGlu
{
    public static Tensor Apply(Tensor gate, Tensor up)
    {
        Tensor y = Tensor.Empty(gate.Device, gate.ElementType, gate.Shape);
        var p = new SwigluForwardParams
        {
            StructSize = sizeof(SwigluForwardParams),
            Gate = gate.Data,
            Up = up.Data,
            Y = y.Data,
            Count = gate.Count,
            Dtype = gate.DType,
        };
        NativeStatus.Check(NativeMethods.SwigluForward(gate.Device.Handle, &p));
        Tape.Record([gate, up], [], [y], tape => Backward(tape, gate, up, y));
        return y;
    }

    private static void Backward(Tape tape, Tensor gate, Tensor up, Tensor y)
    {
        Tensor dgate = Tensor.Empty(gate.Device, gate.ElementType, gate.Shape);
        Tensor dup = Tensor.Empty(gate.Device, gate.ElementType, gate.Shape);
        var p = new SwigluBackwardParams
        {
            StructSize = sizeof(SwigluBackwardParams),
            Gate = gate.Data,
            Up = up.Data,
            Dy = tape.GradientOf(y).Data,
            Dgate = dgate.Data,
            Dup = dup.Data,
            Count = gate.Count,
            Dtype = gate.DType,
        };
        NativeStatus.Check(NativeMethods.SwigluBackward(gate.Device.Handle, &p));
        tape.AddGradient(gate, dgate);
        tape.AddGradient(up, dup);
    }
}
