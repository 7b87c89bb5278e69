using MiniMaxSharp.Native;

namespace MiniMaxSharp.Ops;

/// <summary>
/// A weight for an operation that takes it as a whole (experts, LM head): W + scale · B A where it has a low-rank addition, else W itself. The
/// sum is made in single precision and rounded once to W's type, as merging does, so that training sees what merging gives.
/// It costs a copy of the weight while the operation runs, and rank multiply-adds for each of its elements; on the way back again, and the
/// weight's whole gradient in single precision besides. Kept by nobody: the way back makes the sum anew.
/// </summary>
internal sealed unsafe class AdaptedWeight(Parameter weight) : IDisposable
{
    private readonly Tensor? _sum = weight.Adapter is null ? null : Sum(weight);
    private Tensor? _gradient;

    public Tensor Value => _sum ?? weight.Value;

    public bool NeedsGradient => weight.NeedsGradient;

    /// <summary>Where the operation adds the gradient by the whole weight, single precision; see <see cref="HandOn"/>.</summary>
    public Tensor Gradient() => weight.Adapter is null && weight.IsTrainable
        ? weight.GradientSum()
        : _gradient ??= Tensor.Zeros(weight.Value.Device, ElementType.Float32, weight.Value.Shape);

    /// <summary>
    /// Once the operation has added its gradient dW: dA = scale · Bᵀ dW and dB = scale · dW Aᵀ, and dW for a weight that is trained
    /// beside its addition.
    /// </summary>
    public void HandOn()
    {
        if (_gradient is null || weight.Adapter is not { } adapter)
        {
            return;
        }

        if (weight.IsTrainable)
        {
            weight.GradientSum().Accumulate(_gradient);
        }

        if (adapter.A.IsTrainable)
        {
            using Tensor scaled = Scaled(_gradient, adapter.Scale);
            ForEachMatrix(weight, (m, rank, columns, rows) =>
            {
                using Matrix dw = new(scaled, m), a = new(adapter.A.Value, m), b = new(adapter.B.Value, m);
                using Matrix da = new(adapter.A.GradientSum(), m), db = new(adapter.B.GradientSum(), m);
                BackwardProduct(x: dw.Tensor, w: null, dy: b.Tensor, dx: null, dw: da.Tensor, rows, columns, rank);
                AddProductTransposed(dw.Tensor, a.Tensor, db.Tensor, rows, columns, rank);
            });
        }
    }

    public void Dispose()
    {
        _sum?.Dispose();
        _gradient?.Dispose();
    }

    /// <summary>W + scale · B A of a weight that has an addition, in W's type.</summary>
    public static Tensor Sum(Parameter weight)
    {
        LowRank adapter = weight.Adapter!;
        Tensor sum = weight.Value.To(ElementType.Float32);
        using Tensor scaled = Scaled(adapter.B.Value, adapter.Scale);
        ForEachMatrix(weight, (m, rank, columns, rows) =>
        {
            using Matrix w = new(sum, m), a = new(adapter.A.Value, m), b = new(scaled, m);
            BackwardProduct(x: null, w: a.Tensor, dy: b.Tensor, dx: w.Tensor, dw: null, rows, columns, rank);
        });
        if (weight.Value.ElementType == ElementType.Float32)
        {
            return sum;
        }

        Tensor rounded = sum.To(weight.Value.ElementType);
        sum.Dispose();
        return rounded;
    }

    private static void ForEachMatrix(Parameter weight, Action<int, long, long, long> action)
    {
        ReadOnlySpan<long> shape = weight.Value.Shape;
        (long rows, long columns, long rank) = (shape[^2], shape[^1], weight.Adapter!.A.Value.Shape[^2]);
        long count = shape.Length == 2 ? 1 : shape[0];
        for (int m = 0; m < count; m++)
        {
            action(m, rank, columns, rows);
        }
    }

    private static Tensor Scaled(Tensor x, float factor)
    {
        Tensor y = Tensor.Empty(x.Device, ElementType.Float32, x.Shape);
        y.Accumulate(x, factor, 0);
        return y;
    }

    // dx += dy · w and dw += dyᵀ · x; x and dx [rows, columns], w and dw [rank, columns], dy [rows, rank].
    private static void BackwardProduct(Tensor? x, Tensor? w, Tensor dy, Tensor? dx, Tensor? dw, long rows, long columns, long rank)
    {
        var p = new LinearBackwardParams
        {
            StructSize = sizeof(LinearBackwardParams),
            X = x is null ? null : x.Data,
            W = w is null ? null : w.Data,
            Dy = dy.Data,
            Dx = dx is null ? null : dx.Data,
            Dw = dw is null ? null : dw.Data,
            Rows = rows,
            InFeatures = columns,
            OutFeatures = rank,
            XDtype = DType.F32,
            WDtype = DType.F32,
            DyDtype = DType.F32,
            DxDtype = DType.F32,
            DwDtype = DType.F32,
            AccumulateDx = 1,
            AccumulateDw = 1,
            Fp32Compute = 1,
        };
        NativeStatus.Check(NativeMethods.LinearBackward(dy.Device.Handle, &p));
    }

    // sum += x · wᵀ; x [rows, columns], w [rank, columns], sum [rows, rank].
    private static void AddProductTransposed(Tensor x, Tensor w, Tensor sum, long rows, long columns, long rank)
    {
        using Tensor y = Tensor.Empty(x.Device, ElementType.Float32, rows, rank);
        var p = new LinearForwardParams
        {
            StructSize = sizeof(LinearForwardParams),
            X = x.Data,
            W = w.Data,
            Y = y.Data,
            Rows = rows,
            InFeatures = columns,
            OutFeatures = rank,
            XDtype = DType.F32,
            WDtype = DType.F32,
            YDtype = DType.F32,
            Fp32Compute = 1,
        };
        NativeStatus.Check(NativeMethods.LinearForward(x.Device.Handle, &p));
        sum.Accumulate(y);
    }

    /// <summary>One matrix of a stack, or the only one; shares memory.</summary>
    private readonly ref struct Matrix
    {
        private readonly Tensor? _slice;

        public Matrix(Tensor stack, int index)
        {
            if (stack.Shape.Length == 2)
            {
                Tensor = stack;
                return;
            }

            _slice = stack.Slice(index, 1);
            Tensor = _slice;
        }

        public Tensor Tensor { get; }

        public void Dispose() => _slice?.Dispose();
    }
}
