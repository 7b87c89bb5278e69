using MiniMaxSharp.Native;

namespace MiniMaxSharp.Ops;

/// <summary>y = (1 − c) · sparse + c · shared with c = σ(coefficient); sparse, shared, y [tokens, width], coefficient [tokens, 1].</summary>
internal static unsafe class SharedMlpCombine
{
    public static Tensor Apply(Tensor sparse, Tensor shared, Tensor coefficient)
    {
        Tensor y = Tensor.Empty(sparse.Device, sparse.ElementType, sparse.Shape);
        var p = new SharedMlpCombineForwardParams
        {
            StructSize = sizeof(SharedMlpCombineForwardParams),
            Sparse = sparse.Data,
            Shared = shared.Data,
            Coefficient = coefficient.Floats,
            Y = y.Data,
            Tokens = sparse.Shape[0],
            Width = sparse.Shape[1],
            Dtype = sparse.DType,
        };
        NativeStatus.Check(NativeMethods.SharedMlpCombineForward(sparse.Device.Handle, &p));
        Tape.Record([sparse, shared, coefficient], [], [y], tape => Backward(tape, sparse, shared, coefficient, y));
        return y;
    }

    private static void Backward(Tape tape, Tensor sparse, Tensor shared, Tensor coefficient, Tensor y)
    {
        Tensor dsparse = Tensor.Empty(sparse.Device, sparse.ElementType, sparse.Shape);
        Tensor dshared = Tensor.Empty(sparse.Device, sparse.ElementType, sparse.Shape);
        Tensor dcoefficient = Tensor.Empty(sparse.Device, ElementType.Float32, coefficient.Shape);
        var p = new SharedMlpCombineBackwardParams
        {
            StructSize = sizeof(SharedMlpCombineBackwardParams),
            Sparse = sparse.Data,
            Shared = shared.Data,
            Coefficient = coefficient.Floats,
            Dy = tape.GradientOf(y).Data,
            Dsparse = dsparse.Data,
            Dshared = dshared.Data,
            Dcoefficient = dcoefficient.Floats,
            Tokens = sparse.Shape[0],
            Width = sparse.Shape[1],
            Dtype = sparse.DType,
        };
        NativeStatus.Check(NativeMethods.SharedMlpCombineBackward(sparse.Device.Handle, &p));
        tape.AddGradient(sparse, dsparse);
        tape.AddGradient(shared, dshared);
        tape.AddGradient(coefficient, dcoefficient);
    }
}
