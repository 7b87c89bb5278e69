using System.Numerics;

namespace MiniMaxSharp.Training.Mathematics;

/// <summary>A fraction in lowest terms with a positive denominator.</summary>
internal readonly struct Rational : IEquatable<Rational>
{
    /// <exception cref="FormatException">The denominator is zero, or a part has more than <see cref="Effort.MaxBits"/> bits.</exception>
    public Rational(BigInteger numerator, BigInteger denominator)
    {
        if (denominator.IsZero)
        {
            throw new FormatException("division by zero");
        }

        BigInteger divisor = BigInteger.GreatestCommonDivisor(numerator, denominator) * denominator.Sign;
        (Numerator, Denominator) = (numerator / divisor, denominator / divisor);
        if (Math.Max(Numerator.GetBitLength(), Denominator.GetBitLength()) > Effort.MaxBits)
        {
            throw Effort.TooComplex();
        }
    }

    public static Rational Zero { get; } = new(0, 1);

    public static Rational One { get; } = new(1, 1);

    public BigInteger Numerator { get; }

    public BigInteger Denominator { get; }

    public bool IsZero => Numerator.IsZero;

    public bool IsInteger => Denominator.IsOne;

    public static implicit operator Rational(int value) => new(value, 1);

    public static Rational operator +(Rational a, Rational b) =>
        new(a.Numerator * b.Denominator + b.Numerator * a.Denominator, a.Denominator * b.Denominator);

    public static Rational operator -(Rational a) => new(-a.Numerator, a.Denominator);

    public static Rational operator *(Rational a, Rational b) => new(a.Numerator * b.Numerator, a.Denominator * b.Denominator);

    public static Rational operator /(Rational a, Rational b) => new(a.Numerator * b.Denominator, a.Denominator * b.Numerator);

    /// <summary>10 to a power that is known to be small.</summary>
    /// <exception cref="FormatException">It is not.</exception>
    public static Rational PowerOfTen(BigInteger exponent)
    {
        if (BigInteger.Abs(exponent) > Effort.MaxBits / 4)
        {
            throw Effort.TooComplex();
        }

        BigInteger power = BigInteger.Pow(10, (int)BigInteger.Abs(exponent));
        return exponent.Sign < 0 ? new Rational(1, power) : new Rational(power, 1);
    }

    public bool Equals(Rational other) => Numerator == other.Numerator && Denominator == other.Denominator;

    public override bool Equals(object? obj) => obj is Rational other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(Numerator, Denominator);

    public override string ToString() => IsInteger ? $"{Numerator}" : $"{Numerator}/{Denominator}";
}
