namespace MiniMaxSharp.Tests.Support;

/// <summary>Compares the gradient g of a whole model's loss with a finite difference along it, which should be |g|².</summary>
internal static class Slopes
{
    /// <param name="parameters">All that the loss depends on.</param>
    /// <param name="loss">Gives the loss and adds its gradient to the parameters'.</param>
    public static void Check(IReadOnlyList<Parameter> parameters, Func<double> loss)
    {
        loss();
        float[]?[] gradients = [.. parameters.Select(p => p.Gradient?.ToFloats())];
        float[][] values = [.. parameters.Select(p => p.Value.ToFloats())];
        double squares = gradients.Sum(g => g?.Sum(x => (double)x * x) ?? 0);
        Assert.True(squares > 1e-6, "there is no gradient");
        double step = 2e-3 / Math.Sqrt(squares);
        double slope = (At(step) - At(-step)) / (2 * step);
        Assert.Equal(1, slope / squares, 0.02);

        double At(double along)
        {
            for (int i = 0; i < values.Length; i++)
            {
                parameters[i].Value.CopyFrom<float>(values[i].Select((v, j) => (float)(v + along * (gradients[i]?[j] ?? 0))).ToArray());
                parameters[i].ClearGradient();
            }

            return loss();
        }
    }
}
