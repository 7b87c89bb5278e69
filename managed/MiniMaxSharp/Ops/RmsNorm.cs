using MiniMaxSharp.Native;

namespace MiniMaxSharp.Ops;

/// <summary>
/// s = α · x + β · branch (or x, without a branch); y = w ⊙ s / sqrt(mean(s²) + ε) over the last axis.
/// x, branch, s, y [rows, width]; statistics in single precision.
/// </summary>
internal static unsafe class RmsNorm
{
    public static Tensor Apply(Tensor x, Parameter weight, float eps) => Apply(x, null, 1, 0, weight, eps).Y;

    public static (Tensor Sum, Tensor Y) Apply(Tensor x, Tensor? branch, float alpha, float beta, Parameter weight, float eps)
    {
        long rows = x.Shape[0], width = x.Shape[1];
        weight.Value.Require(weight.Name, width);
        Tensor? sum = branch is null ? null : Tensor.Empty(x.Device, x.ElementType, rows, width);
        Tensor y = Tensor.Empty(x.Device, x.ElementType, rows, width);
        Tensor rstd = Tensor.Empty(x.Device, ElementType.Float32, rows);
        var p = new RmsNormForwardParams
        {
            StructSize = sizeof(RmsNormForwardParams),
            X = x.Data,
            Branch = branch is null ? null : branch.Data,
            Weight = weight.Value.Data,
            Sum = sum is null ? null : sum.Data,
            Y = y.Data,
            Rstd = rstd.Floats,
            Rows = rows,
            Width = width,
            Eps = eps,
            Alpha = alpha,
            Beta = beta,
            Dtype = x.DType,
            WeightDtype = weight.Value.DType,
        };
        NativeStatus.Check(NativeMethods.RmsNormForward(x.Device.Handle, &p));
        if (branch is null)
        {
            Tape.Record([x], [weight], [y], tape => Backward(tape, x, null, x, alpha, beta, weight, rstd, y));
        }
        else
        {
            Tape.Record([x, branch], [weight], [y, sum!], tape => Backward(tape, x, branch, sum!, alpha, beta, weight, rstd, y));
        }

        return (sum ?? x, y);
    }

    private static void Backward(Tape tape, Tensor x, Tensor? branch, Tensor sum, float alpha, float beta, Parameter weight, Tensor rstd, Tensor y)
    {
        Tensor dx = Tensor.Empty(x.Device, x.ElementType, x.Shape);
        Tensor? dbranch = branch is null ? null : Tensor.Empty(x.Device, x.ElementType, x.Shape);
        var p = new RmsNormBackwardParams
        {
            StructSize = sizeof(RmsNormBackwardParams),
            Sum = sum.Data,
            Weight = weight.Value.Data,
            Rstd = rstd.Floats,
            Dy = tape.GradientOf(y).Data,
            Dsum = branch is not null && tape.HasGradient(sum) ? tape.GradientOf(sum).Data : null,
            Dx = dx.Data,
            Dbranch = dbranch is null ? null : dbranch.Data,
            Dweight = weight.IsTrainable ? weight.GradientSum().Data : null,
            Rows = x.Shape[0],
            Width = x.Shape[1],
            Alpha = alpha,
            Beta = beta,
            Dtype = x.DType,
            WeightDtype = weight.Value.DType,
            DweightDtype = DType.F32,
        };
        NativeStatus.Check(NativeMethods.RmsNormBackward(x.Device.Handle, &p));
        tape.AddGradient(x, dx);
        if (branch is not null)
        {
            tape.AddGradient(branch, dbranch!);
        }
    }
}
