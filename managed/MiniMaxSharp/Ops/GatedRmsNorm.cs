using MiniMaxSharp.Native;

namespace MiniMaxSharp.Ops;

/// <summary>y = σ(gate) ⊙ rms(x; w, ε): what follows lightning attention. x, gate, y [rows, width].</summary>
internal static unsafe class GatedRmsNorm
{
    public static Tensor Apply(Tensor x, Tensor gate, Parameter weight, float eps)
    {
        long rows = x.Shape[0], width = x.Shape[1];
        weight.Value.Require(weight.Name, width);
        Tensor y = Tensor.Empty(x.Device, x.ElementType, rows, width);
        Tensor rstd = Tensor.Empty(x.Device, ElementType.Float32, rows);
        var p = new GatedRmsNormForwardParams
        {
            StructSize = sizeof(GatedRmsNormForwardParams),
            X = x.Data,
            Gate = gate.Data,
            Weight = weight.Value.Data,
            Y = y.Data,
            Rstd = rstd.Floats,
            Rows = rows,
            Width = width,
            Eps = eps,
            Dtype = x.DType,
            WeightDtype = weight.Value.DType,
        };
        NativeStatus.Check(NativeMethods.GatedRmsNormForward(x.Device.Handle, &p));
        Tape.Record([x, gate], [weight], [y], tape => Backward(tape, x, gate, weight, rstd, y));
        return y;
    }

    private static void Backward(Tape tape, Tensor x, Tensor gate, Parameter weight, Tensor rstd, Tensor y)
    {
        Tensor dx = Tensor.Empty(x.Device, x.ElementType, x.Shape);
        Tensor dgate = Tensor.Empty(x.Device, x.ElementType, x.Shape);
        var p = new GatedRmsNormBackwardParams
        {
            StructSize = sizeof(GatedRmsNormBackwardParams),
            X = x.Data,
            Gate = gate.Data,
            Weight = weight.Value.Data,
            Rstd = rstd.Floats,
            Dy = tape.GradientOf(y).Data,
            Dx = dx.Data,
            Dgate = dgate.Data,
            Dweight = weight.IsTrainable ? weight.GradientSum().Data : null,
            Rows = x.Shape[0],
            Width = x.Shape[1],
            Dtype = x.DType,
            WeightDtype = weight.Value.DType,
            DweightDtype = DType.F32,
        };
        NativeStatus.Check(NativeMethods.GatedRmsNormBackward(x.Device.Handle, &p));
        tape.AddGradient(x, dx);
        tape.AddGradient(gate, dgate);
    }
}
