namespace MiniMaxSharp.Training;

/// <summary>Sums over the updates of a step.</summary>
internal sealed class StepTotals
{
    public int Updates;
    public int Tokens;
    public long ResponseTokens;
    public long Clipped;
    public long ZeroGradient;
    public double Loss;
    public double Auxiliary;
    public double ValueLoss;
    public double Entropy;
    public double Kl;
    public double GradientNorm;
    public double Pearson = double.NaN;
}
