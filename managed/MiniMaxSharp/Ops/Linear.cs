using MiniMaxSharp.Native;

namespace MiniMaxSharp.Ops;

/// <summary>
/// y = x Wᵀ; x [rows, in], W [out, in], y [rows, out]. With a low-rank addition y = x Wᵀ + scale · (x Aᵀ) Bᵀ, the second term in single
/// precision.
/// </summary>
internal static unsafe class Linear
{
    // y is stored as resultType, by default as x is; fp32 widens bfloat16 operands before multiplying (LM head, router).
    public static Tensor Apply(Tensor x, Parameter weight, ElementType? resultType = null, bool fp32 = false)
    {
        Tensor y = Product(x, weight, resultType, fp32);
        return weight.Adapter is { } adapter
            ? ScaledSum.Apply(y, 1, Product(Product(x, adapter.A, ElementType.Float32, fp32: true), adapter.B, ElementType.Float32, fp32: true), adapter.Scale)
            : y;
    }

    private static Tensor Product(Tensor x, Parameter weight, ElementType? resultType, bool fp32)
    {
        Tensor w = weight.Value;
        long rows = x.Shape[0], width = x.Shape[1];
        w.Require(weight.Name, -1, width);
        Tensor y = Tensor.Empty(x.Device, resultType ?? x.ElementType, rows, w.Shape[0]);
        var p = new LinearForwardParams
        {
            StructSize = sizeof(LinearForwardParams),
            X = x.Data,
            W = w.Data,
            Y = y.Data,
            Rows = rows,
            InFeatures = width,
            OutFeatures = w.Shape[0],
            XDtype = x.DType,
            WDtype = w.DType,
            YDtype = y.DType,
            Fp32Compute = fp32 ? 1 : 0,
        };
        NativeStatus.Check(NativeMethods.LinearForward(x.Device.Handle, &p));
        Tape.Record([x], [weight], [y], tape => Backward(tape, x, weight, y, fp32));
        return y;
    }

    private static void Backward(Tape tape, Tensor x, Parameter weight, Tensor y, bool fp32)
    {
        Tensor w = weight.Value, dy = tape.GradientOf(y);
        Tensor? dx = tape.IsTracked(x) ? Tensor.Empty(x.Device, x.ElementType, x.Shape) : null;
        Tensor? dw = weight.IsTrainable ? weight.GradientSum() : null;
        var p = new LinearBackwardParams
        {
            StructSize = sizeof(LinearBackwardParams),
            X = x.Data,
            W = w.Data,
            Dy = dy.Data,
            Dx = dx is null ? null : dx.Data,
            Dw = dw is null ? null : dw.Data,
            Rows = x.Shape[0],
            InFeatures = x.Shape[1],
            OutFeatures = w.Shape[0],
            XDtype = x.DType,
            WDtype = w.DType,
            DyDtype = dy.DType,
            DxDtype = x.DType,
            DwDtype = DType.F32,
            AccumulateDw = 1,
            Fp32Compute = fp32 ? 1 : 0,
        };
        NativeStatus.Check(NativeMethods.LinearBackward(x.Device.Handle, &p));
        if (dx is not null)
        {
            tape.AddGradient(x, dx);
        }
    }
}
