namespace MiniMaxSharp.Ops;

/// <summary>y = α · x + β · branch, elementwise.</summary>
internal static class ScaledSum
{
    public static Tensor Apply(Tensor x, float alpha, Tensor branch, float beta)
    {
        Tensor y = Tensor.Empty(x.Device, x.ElementType, x.Shape);
        y.Accumulate(x, alpha, 0);
        y.Accumulate(branch, beta);
        Tape.Record([x, branch], [], [y], tape =>
        {
            tape.AddGradient(x, Scaled(tape.GradientOf(y), alpha));
            tape.AddGradient(branch, Scaled(tape.GradientOf(y), beta));
        });
        return y;
    }

    private static Tensor Scaled(Tensor x, float factor)
    {
        Tensor y = Tensor.Empty(x.Device, x.ElementType, x.Shape);
        y.Accumulate(x, factor, 0);
        return y;
    }
}
