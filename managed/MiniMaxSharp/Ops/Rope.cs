using MiniMaxSharp.Native;

namespace MiniMaxSharp.Ops;

/// <summary>
/// Rotary position embedding of the first R features of each head, in place; x [tokens, heads · headDim],
/// positions [tokens] int32, inverse frequencies [R / 2].
/// </summary>
internal static unsafe class Rope
{
    /// <summary>1 / θ^(2m / R), each step rounded to single precision as the published code has it.</summary>
    public static float[] InverseFrequencies(int rotaryDim, double theta)
    {
        var frequencies = new float[rotaryDim / 2];
        for (int m = 0; m < frequencies.Length; m++)
        {
            frequencies[m] = 1 / (float)Math.Pow(theta, (float)(2.0 * m / rotaryDim));
        }

        return frequencies;
    }

    public static Tensor Apply(Tensor x, Tensor positions, Tensor inverseFrequencies, long headDim)
    {
        Tensor y = x.View(x.Shape);
        Rotate(x, y, positions, inverseFrequencies, headDim, inverse: false);
        Tape.Record([x], [], [y], tape => Backward(tape, x, y, positions, inverseFrequencies, headDim));
        return y;
    }

    private static void Backward(Tape tape, Tensor x, Tensor y, Tensor positions, Tensor inverseFrequencies, long headDim)
    {
        Tensor dx = Tensor.Empty(x.Device, x.ElementType, x.Shape);
        Rotate(tape.GradientOf(y), dx, positions, inverseFrequencies, headDim, inverse: true);
        tape.AddGradient(x, dx);
    }

    private static void Rotate(Tensor x, Tensor y, Tensor positions, Tensor inverseFrequencies, long headDim, bool inverse)
    {
        var p = new RopeForwardParams
        {
            StructSize = sizeof(RopeForwardParams),
            X = x.Data,
            Y = y.Data,
            Positions = positions.Ints,
            InvFreq = inverseFrequencies.Floats,
            Tokens = x.Shape[0],
            Heads = x.Shape[1] / headDim,
            HeadDim = headDim,
            RotaryDim = inverseFrequencies.Count * 2,
            XTokenStride = x.Shape[1],
            XHeadStride = headDim,
            YTokenStride = x.Shape[1],
            YHeadStride = headDim,
            Dtype = x.DType,
            Inverse = inverse ? 1 : 0,
        };
        NativeStatus.Check(NativeMethods.RopeForward(x.Device.Handle, &p));
    }
}
