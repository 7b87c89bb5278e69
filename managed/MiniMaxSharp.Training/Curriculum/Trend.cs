namespace MiniMaxSharp.Training;

/// <summary>Where a series of numbers is going.</summary>
internal static class Trend
{
    /// <summary>
    /// How much the line of least squares changes from the first value to the last, as a share of the mean; 0 for fewer than two
    /// values, NaN where one is not finite.
    /// </summary>
    public static double RelativeChange(IReadOnlyList<double> values)
    {
        if (values.Count < 2)
        {
            return 0;
        }

        double middle = (values.Count - 1) / 2.0, mean = values.Average(), xy = 0, xx = 0;
        for (int i = 0; i < values.Count; i++)
        {
            xy += (i - middle) * (values[i] - mean);
            xx += (i - middle) * (i - middle);
        }

        return xy == 0 ? 0 : xy / xx * (values.Count - 1) / Math.Abs(mean);
    }

    /// <summary>The last <paramref name="count"/> of the values and a new one.</summary>
    public static IReadOnlyList<T> Append<T>(IReadOnlyList<T> values, T value, int count) => [.. values.Append(value).TakeLast(count)];
}
