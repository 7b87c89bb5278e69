using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace MiniMaxSharp.Training.Mathematics;

/// <summary>
/// √radicand · symbol^power · …, the radicand positive and free of squares, the powers not 0, the symbols in order. Symbols are
/// letters, π, and whatever is not worked out, such as a logarithm.
/// </summary>
internal sealed class Monomial(BigInteger radicand, ImmutableSortedDictionary<string, int> powers)
{
    /// <summary>Reduced as i² = −1.</summary>
    public const string ImaginaryUnit = "i";

    public static Monomial One { get; } = new(1, ImmutableSortedDictionary.Create<string, int>(StringComparer.Ordinal));

    public BigInteger Radicand { get; } = radicand;

    public ImmutableSortedDictionary<string, int> Powers { get; } = powers;

    /// <summary>The same for equal monomials alone.</summary>
    public string Key { get; } = Write(radicand, powers);

    /// <summary>The product, and the number that comes out of the radicals and of i².</summary>
    public (Monomial Product, BigInteger Factor) Times(Monomial other)
    {
        BigInteger common = BigInteger.GreatestCommonDivisor(Radicand, other.Radicand);
        BigInteger factor = common;
        ImmutableSortedDictionary<string, int> powers = Powers;
        foreach ((string symbol, int power) in other.Powers)
        {
            powers = With(powers, symbol, powers.GetValueOrDefault(symbol) + power);
        }

        if (powers.TryGetValue(ImaginaryUnit, out int turns))
        {
            int quarter = ((turns % 4) + 4) % 4;
            factor *= quarter >= 2 ? -1 : 1;
            powers = With(powers, ImaginaryUnit, quarter % 2);
        }

        return (new Monomial(Radicand / common * (other.Radicand / common), powers), factor);
    }

    private static ImmutableSortedDictionary<string, int> With(ImmutableSortedDictionary<string, int> powers, string symbol, int power) =>
        Math.Abs(power) > Effort.MaxPower ? throw Effort.TooComplex() : power == 0 ? powers.Remove(symbol) : powers.SetItem(symbol, power);

    private static string Write(BigInteger radicand, ImmutableSortedDictionary<string, int> powers)
    {
        var key = new StringBuilder();
        if (!radicand.IsOne)
        {
            key.Append(CultureInfo.InvariantCulture, $"√{radicand}");
        }

        foreach ((string symbol, int power) in powers)
        {
            key.Append(CultureInfo.InvariantCulture, $"·{symbol}^{power}");
        }

        return key.Length <= Effort.MaxName ? key.ToString() : throw Effort.TooComplex();
    }
}

/// <summary>
/// A sum of coefficient · monomial with rational coefficients, none 0, one for each monomial. As square roots of numbers without
/// square factors are independent over the rationals, two of these are equal as values exactly if they are as sums.
/// </summary>
internal sealed class Polynomial
{
    private readonly ImmutableSortedDictionary<string, (Monomial Monomial, Rational Coefficient)> _terms;

    private Polynomial(ImmutableSortedDictionary<string, (Monomial, Rational)> terms)
    {
        _terms = terms.Count <= Effort.MaxTerms ? terms : throw Effort.TooComplex();
    }

    public static Polynomial Zero { get; } = new(ImmutableSortedDictionary.Create<string, (Monomial, Rational)>(StringComparer.Ordinal));

    public static Polynomial One { get; } = Of(Rational.One);

    public int Count => _terms.Count;

    public bool IsZero => Count == 0;

    /// <summary>The terms in the order of their monomials' keys.</summary>
    public IEnumerable<(Monomial Monomial, Rational Coefficient)> Terms => _terms.Values;

    public static Polynomial Of(Rational value) => Of(Monomial.One, value);

    public static Polynomial Of(Monomial monomial, Rational coefficient) => Zero.Plus(monomial, coefficient);

    public static Polynomial Symbol(string name) => Of(new Monomial(1, Monomial.One.Powers.Add(name, 1)), Rational.One);

    /// <summary>The number, or null if there is a symbol or a root in it.</summary>
    public Rational? AsRational() => Count switch
    {
        0 => Rational.Zero,
        1 when _terms.TryGetValue(Monomial.One.Key, out (Monomial, Rational Coefficient) term) => term.Coefficient,
        _ => null,
    };

    public Polynomial Plus(Polynomial other, Effort effort)
    {
        effort.Spend(other.Count);
        return other.Terms.Aggregate(this, (sum, term) => sum.Plus(term.Monomial, term.Coefficient));
    }

    public Polynomial Negated() => new(_terms.ToImmutableSortedDictionary(
        t => t.Key, t => (t.Value.Monomial, -t.Value.Coefficient), StringComparer.Ordinal));

    public Polynomial Times(Polynomial other, Effort effort)
    {
        effort.Spend(Count * other.Count);
        Polynomial product = Zero;
        foreach ((Monomial monomial, Rational coefficient) in Terms)
        {
            foreach ((Monomial with, Rational times) in other.Terms)
            {
                (Monomial joined, BigInteger factor) = monomial.Times(with);
                product = product.Plus(joined, coefficient * times * new Rational(factor, 1));
            }
        }

        return product;
    }

    /// <summary>1/this, if it is a single term that is not 0; otherwise null.</summary>
    public Polynomial? Reciprocal()
    {
        if (Count != 1)
        {
            return null;
        }

        // 1/√r = √r / r
        (Monomial monomial, Rational coefficient) = _terms.Values.Single();
        var powers = monomial.Powers.ToImmutableSortedDictionary(p => p.Key, p => -p.Value, StringComparer.Ordinal);
        (Monomial inverse, BigInteger sign) = new Monomial(monomial.Radicand, powers).Times(Monomial.One);
        return Of(inverse, new Rational(sign, 1) / (coefficient * new Rational(monomial.Radicand, 1)));
    }

    public bool IsEqualTo(Polynomial other) =>
        Count == other.Count && Terms.Zip(other.Terms).All(t => t.First.Monomial.Key == t.Second.Monomial.Key && t.First.Coefficient.Equals(t.Second.Coefficient));

    public override string ToString() =>
        IsZero ? "0" : string.Join(" + ", Terms.Select(t => t.Monomial.Key.Length == 0 ? $"{t.Coefficient}" : $"{t.Coefficient} {t.Monomial.Key}"));

    private Polynomial Plus(Monomial monomial, Rational coefficient)
    {
        Rational sum = (_terms.TryGetValue(monomial.Key, out (Monomial, Rational Coefficient) term) ? term.Coefficient : Rational.Zero) + coefficient;
        return new Polynomial(sum.IsZero ? _terms.Remove(monomial.Key) : _terms.SetItem(monomial.Key, (monomial, sum)));
    }
}
