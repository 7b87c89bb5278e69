namespace MiniMaxSharp.Models;

/// <summary>Random weights, the same on every platform: splitmix64 keyed by seed and parameter name, Box–Muller.</summary>
internal static class Initialization
{
    public static void Fill(Parameter parameter, float deviation, ulong seed)
    {
        foreach ((string name, Tensor tensor) in parameter.Tensors())
        {
            float[] values = name.EndsWith("norm.weight", StringComparison.Ordinal)
                ? [.. Enumerable.Repeat(1f, checked((int)tensor.Count))]
                : Normal(name, checked((int)tensor.Count), deviation, seed);
            using Tensor single = Tensor.From<float>(tensor.Device, values, tensor.Shape);
            tensor.Accumulate(single, 1, 0);
        }
    }

    /// <summary>Values of N(0, deviation²) that depend on the seed and the name alone.</summary>
    public static float[] Normal(string name, int count, float deviation, ulong seed)
    {
        var random = new SplitMix64(seed ^ Hash(name));
        var values = new float[count];
        for (int i = 0; i < count; i += 2)
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            double angle = 2 * Math.PI * random.NextDouble();
            values[i] = (float)(deviation * radius * Math.Cos(angle));
            if (i + 1 < count)
            {
                values[i + 1] = (float)(deviation * radius * Math.Sin(angle));
            }
        }

        return values;
    }

    // FNV-1a, so that a weight's values do not depend on the order of the parameters.
    private static ulong Hash(string name)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in name)
        {
            hash = (hash ^ c) * 1099511628211;
        }

        return hash;
    }
}
