using MiniMaxSharp.Native;

namespace MiniMaxSharp.Ops;

/// <summary>y[r] = table[ids[r]]; ids [rows] int32, table [vocabulary, width], y [rows, width].</summary>
internal static unsafe class Embedding
{
    public static Tensor Apply(Tensor ids, Parameter table)
    {
        Tensor w = table.Value;
        Tensor y = Tensor.Empty(w.Device, w.ElementType, ids.Count, w.Shape[1]);
        var p = new EmbeddingForwardParams
        {
            StructSize = sizeof(EmbeddingForwardParams),
            Table = w.Data,
            Ids = ids.Ints,
            Y = y.Data,
            Rows = ids.Count,
            Vocabulary = w.Shape[0],
            Width = w.Shape[1],
            Dtype = w.DType,
        };
        NativeStatus.Check(NativeMethods.EmbeddingForward(w.Device.Handle, &p));
        Tape.Record([], [table], [y], tape => Backward(tape, ids, table, y));
        return y;
    }

    private static void Backward(Tape tape, Tensor ids, Parameter table, Tensor y)
    {
        Tensor dy = tape.GradientOf(y);
        var p = new EmbeddingBackwardParams
        {
            StructSize = sizeof(EmbeddingBackwardParams),
            Dy = dy.Data,
            Ids = ids.Ints,
            Dtable = table.GradientSum().Data,
            Rows = ids.Count,
            Vocabulary = table.Value.Shape[0],
            Width = table.Value.Shape[1],
            DyDtype = dy.DType,
            DtableDtype = DType.F32,
        };
        NativeStatus.Check(NativeMethods.EmbeddingBackward(y.Device.Handle, &p));
    }
}
