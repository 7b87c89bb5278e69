using MiniMaxSharp.Native;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Cli.Checks;

/// <summary>x, dy [b, h, n, d], positions [n]; the angles are single-precision products, as published.</summary>
internal static unsafe class RopeCheck
{
    public static void Run(OperatorCase c)
    {
        long[] shape = c.Shape("x");
        int rotary = (int)c.Number("rotary_dim");
        Tensor positions = c.Input("positions"), frequencies = c.Input("inv_freq");
        Tensor y = Rotated(c, c.Input("x"), shape, rotary, positions, frequencies, inverse: false);
        c.Compare("y", y);
        c.Compare("dx", Rotated(c, c.Input("dy"), shape, rotary, positions, frequencies, inverse: true));
        CompareTables(c, shape[2], rotary, positions, frequencies);
        CompareExact(c, shape, rotary);
        c.CompareRelatively(
            "inv_freq", Rope.InverseFrequencies(rotary, c.Number("theta")), [.. c.Floats("inv_freq").Select(x => (double)x)], 2 * Math.Pow(2, -23));
    }

    // The golden of angles in double precision is held against such a rotation; ours is near it where positions are small.
    private static void CompareExact(OperatorCase c, long[] shape, int rotary)
    {
        if (!c.HasOutput("y_exact_angles"))
        {
            return;
        }

        float[] x = c.Floats("x");
        long[] positions = c.Integers("positions");
        int half = rotary / 2, d = (int)shape[3];
        double[] y = Array.ConvertAll(x, value => (double)value);
        for (int row = 0; row < x.Length / d; row++)
        {
            for (int m = 0; m < half; m++)
            {
                double angle = positions[row % shape[2]] / Math.Pow(c.Number("theta"), 2.0 * m / rotary);
                double a = x[row * d + m], b = x[row * d + m + half];
                y[row * d + m] = a * Math.Cos(angle) - b * Math.Sin(angle);
                y[row * d + m + half] = b * Math.Cos(angle) + a * Math.Sin(angle);
            }
        }

        c.Compare("y_exact_angles", y);
    }

    // Rotating (1, 0) gives (cos, sin).
    private static void CompareTables(OperatorCase c, long tokens, int rotary, Tensor positions, Tensor frequencies)
    {
        int half = rotary / 2;
        float[] unit = [.. Enumerable.Range(0, (int)tokens * rotary).Select(i => i % rotary < half ? 1f : 0f)];
        long[] shape = [1, 1, tokens, rotary];
        float[] table = Rotated(c, Tensor.From<float>(c.Device, unit, shape), shape, rotary, positions, frequencies, inverse: false).ToFloats();
        c.Compare("cos", table.Where((_, i) => i % rotary < half));
        c.Compare("sin", table.Where((_, i) => i % rotary >= half));
    }

    private static Tensor Rotated(OperatorCase c, Tensor x, long[] shape, int rotary, Tensor positions, Tensor frequencies, bool inverse)
    {
        Tensor y = Tensor.Empty(c.Device, ElementType.Float32, shape);
        long heads = shape[1], tokens = shape[2], d = shape[3];
        for (long b = 0; b < shape[0]; b++)
        {
            var p = new RopeForwardParams
            {
                StructSize = sizeof(RopeForwardParams),
                X = x.Floats + b * heads * tokens * d,
                Y = y.Floats + b * heads * tokens * d,
                Positions = positions.Ints,
                InvFreq = frequencies.Floats,
                Tokens = tokens,
                Heads = heads,
                HeadDim = d,
                RotaryDim = rotary,
                XTokenStride = d,
                XHeadStride = tokens * d,
                YTokenStride = d,
                YHeadStride = tokens * d,
                Dtype = DType.F32,
                Inverse = inverse ? 1 : 0,
            };
            NativeStatus.Check(NativeMethods.RopeForward(c.Device.Handle, &p));
        }

        return y;
    }
}
