using System.Numerics;

namespace MiniMaxSharp.Training.Mathematics;

/// <summary>A quotient of two sums. Equality is exact, by products across; the denominator is 1 wherever it can be.</summary>
internal sealed class Expression
{
    private Expression(Polynomial numerator, Polynomial denominator)
    {
        Numerator = numerator;
        Denominator = denominator;
    }

    public Polynomial Numerator { get; }

    public Polynomial Denominator { get; }

    public static Expression Of(Rational value) => new(Polynomial.Of(value), Polynomial.One);

    public static Expression Symbol(string name) => new(Polynomial.Symbol(name), Polynomial.One);

    /// <summary>The number, or null if there is a symbol or a root in it.</summary>
    public Rational? AsRational() => Denominator.AsRational() is { } one && one.Equals(Rational.One) ? Numerator.AsRational() : null;

    public Expression Plus(Expression other, Effort effort) => Denominator.IsEqualTo(other.Denominator)
        ? Quotient(Numerator.Plus(other.Numerator, effort), Denominator, effort)
        : Quotient(
            Numerator.Times(other.Denominator, effort).Plus(other.Numerator.Times(Denominator, effort), effort),
            Denominator.Times(other.Denominator, effort),
            effort);

    public Expression Negated() => new(Numerator.Negated(), Denominator);

    public Expression Times(Expression other, Effort effort) =>
        Quotient(Numerator.Times(other.Numerator, effort), Denominator.Times(other.Denominator, effort), effort);

    /// <exception cref="FormatException">The divisor is zero.</exception>
    public Expression Over(Expression other, Effort effort) =>
        Quotient(Numerator.Times(other.Denominator, effort), Denominator.Times(other.Numerator, effort), effort);

    /// <exception cref="FormatException">It would be too large, or 0 to a power that is not positive.</exception>
    public Expression Power(Expression exponent, Effort effort)
    {
        if (exponent.AsRational() is not { } power)
        {
            return Symbol($"({this})^({exponent})");
        }

        if (BigInteger.Abs(power.Numerator) > Effort.MaxBits || power.Denominator > 64)
        {
            throw Effort.TooComplex();
        }

        Expression root = power.IsInteger ? this : Root((int)power.Denominator);
        return root.Power((int)power.Numerator, effort);
    }

    /// <summary>The n-th root; real roots and square roots of rational numbers are worked out, others stay as they are.</summary>
    /// <exception cref="FormatException">An even root of more than degree 2 of a negative number.</exception>
    public Expression Root(int degree)
    {
        if (AsRational() is not { } value)
        {
            return Symbol($"{degree}√({this})");
        }

        if (value.Numerator.Sign < 0 && degree % 2 == 0 && degree > 2)
        {
            throw new FormatException("an even root of a negative number");
        }

        // ⁿ√(p/q) = ⁿ√(p·qⁿ⁻¹) / q
        RequireBits(value.Denominator, degree - 1);
        BigInteger inside = BigInteger.Abs(value.Numerator) * BigInteger.Pow(value.Denominator, degree - 1);
        if (Radical.Of(inside, degree) is not { } radical)
        {
            return Symbol($"{degree}√({this})");
        }

        var powers = Monomial.One.Powers;
        if (value.Numerator.Sign < 0 && degree == 2)
        {
            powers = powers.Add(Monomial.ImaginaryUnit, 1);
        }

        if (degree > 2 && !radical.Inside.IsOne)
        {
            powers = powers.Add($"{degree}√{radical.Inside}", 1);
        }

        var coefficient = new Rational(radical.Outside, value.Denominator);
        return new Expression(
            Polynomial.Of(new Monomial(degree == 2 ? radical.Inside : 1, powers), value.Numerator.Sign < 0 && degree > 2 ? -coefficient : coefficient),
            Polynomial.One);
    }

    public bool IsEqualTo(Expression other, Effort effort) => Denominator.IsEqualTo(other.Denominator)
        ? Numerator.IsEqualTo(other.Numerator)
        : Numerator.Times(other.Denominator, effort).IsEqualTo(other.Numerator.Times(Denominator, effort));

    public override string ToString() => Denominator.IsEqualTo(Polynomial.One) ? $"{Numerator}" : $"({Numerator})/({Denominator})";

    private static Expression Quotient(Polynomial numerator, Polynomial denominator, Effort effort)
    {
        if (denominator.IsZero)
        {
            throw new FormatException("division by zero");
        }

        return denominator.Reciprocal() is { } inverse
            ? new Expression(numerator.Times(inverse, effort), Polynomial.One)
            : new Expression(numerator, denominator);
    }

    private static void RequireBits(BigInteger value, int power)
    {
        if (value.GetBitLength() * power > Effort.MaxBits)
        {
            throw Effort.TooComplex();
        }
    }

    private Expression Power(int exponent, Effort effort)
    {
        if (exponent <= 0 && Numerator.IsZero)
        {
            throw new FormatException("0 to a power that is not positive");
        }

        if (AsRational() is { } value)
        {
            int size = Math.Abs(exponent);
            RequireBits(BigInteger.Max(BigInteger.Abs(value.Numerator), value.Denominator) - 1, size);
            var power = new Rational(BigInteger.Pow(value.Numerator, size), BigInteger.Pow(value.Denominator, size));
            return Of(exponent < 0 ? Rational.One / power : power);
        }

        Expression result = Of(Rational.One), square = exponent < 0 ? Of(Rational.One).Over(this, effort) : this;
        for (int left = Math.Abs(exponent); left > 0; left >>= 1)
        {
            if ((left & 1) == 1)
            {
                result = result.Times(square, effort);
            }

            if (left > 1)
            {
                square = square.Times(square, effort);
            }
        }

        return result;
    }
}
