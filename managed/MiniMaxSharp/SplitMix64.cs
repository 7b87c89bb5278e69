namespace MiniMaxSharp;

/// <summary>
/// The splitmix64 generator: a counter through a mixing function. Its whole state is one number, so that a run
/// can be saved and resumed to the bit, and the same numbers come out in C++, C# and Python.
/// </summary>
/// <param name="state">The seed, or a saved <see cref="State"/>.</param>
public sealed class SplitMix64(ulong state)
{
    /// <summary>What to save in order to go on from here.</summary>
    public ulong State { get; private set; } = state;

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
    {
        State += 0x9e3779b97f4a7c15;
        return Mix(State);
    }

    /// <summary>Uniform in [0, 1) with 53 bits.</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1ul << 53));

    /// <summary>Uniform in [0, <paramref name="bound"/>), by multiplication (bias below 2⁻³²).</summary>
    public int Below(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 1);
        return (int)((Next() >> 32) * (ulong)bound >> 32);
    }

    /// <summary>Fisher–Yates.</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = Below(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>The mixing function alone: a good 64-bit hash of a 64-bit number.</summary>
    public static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
