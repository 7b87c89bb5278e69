namespace MiniMaxSharp.Training;

internal static class Statistics
{
    /// <summary>Pearson's correlation; 1 where both sides are constant and equal, NaN where only one is constant.</summary>
    public static double Pearson(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        double mx = x.Average(), my = y.Average(), xy = 0, xx = 0, yy = 0;
        for (int i = 0; i < x.Count; i++)
        {
            xy += (x[i] - mx) * (y[i] - my);
            xx += (x[i] - mx) * (x[i] - mx);
            yy += (y[i] - my) * (y[i] - my);
        }

        return xx == 0 && yy == 0 ? 1 : xy / Math.Sqrt(xx * yy);
    }
}
