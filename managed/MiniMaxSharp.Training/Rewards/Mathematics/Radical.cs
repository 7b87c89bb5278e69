using System.Numerics;

namespace MiniMaxSharp.Training.Mathematics;

/// <summary>An integer's n-th root as outside · ⁿ√inside, with nothing left inside that has a root.</summary>
internal readonly record struct Radical(BigInteger Outside, BigInteger Inside)
{
    // Below the cube of the limit, division by all numbers up to it leaves at most two prime factors: an exact power, or none in it.
    private const int TrialLimit = 10_000;
    private static readonly BigInteger s_factored = (BigInteger)TrialLimit * TrialLimit * TrialLimit;

    /// <summary>Of a positive number; null if it is too large to be taken apart and has no exact root.</summary>
    public static Radical? Of(BigInteger value, int degree)
    {
        if (Exact(value, degree) is BigInteger exact)
        {
            return new Radical(exact, 1);
        }

        if (value >= s_factored)
        {
            return null;
        }

        BigInteger outside = 1, inside = 1;
        long rest = (long)value;
        for (long p = 2; p < TrialLimit && p * p <= rest; p++)
        {
            int count = 0;
            while (rest % p == 0)
            {
                rest /= p;
                count++;
            }

            outside *= BigInteger.Pow(p, count / degree);
            inside *= BigInteger.Pow(p, count % degree);
        }

        return Exact(rest, degree) is BigInteger root ? new Radical(outside * root, inside) : new Radical(outside, inside * rest);
    }

    /// <summary>The root if there is one, by Newton's method from above.</summary>
    private static BigInteger? Exact(BigInteger value, int degree)
    {
        if (value <= 1)
        {
            return value;
        }

        BigInteger root = BigInteger.One << (int)(value.GetBitLength() / degree + 1);
        while (true)
        {
            BigInteger next = ((degree - 1) * root + value / BigInteger.Pow(root, degree - 1)) / degree;
            if (next >= root)
            {
                return BigInteger.Pow(root, degree) == value ? root : null;
            }

            root = next;
        }
    }
}
