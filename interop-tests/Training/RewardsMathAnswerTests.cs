using System.Globalization;
using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Mathematical answers are compared by value, whatever they look like.</summary>
public sealed class RewardsMathAnswerTests
{
    [Theory]
    [InlineData("42", "42.0", "+42", "042", "$42$", @"\boxed{42}", "42.", @"\(42\)", "4.2e1", @"4.2\times 10^1", "x = 42", "84/2")]
    [InlineData("-1/2", @"-\frac{1}{2}", @"\frac{-1}{2}", @"\dfrac12\cdot(-1)", "-0.5", "-.5", "-50%", @"-50\%", "−½", "(-1/2)")]
    [InlineData("7/3", "2 1/3", @"2\frac{1}{3}", @"2\dfrac13", @"2.\overline{3}", "14/6", @"\left(\frac{7}{3}\right)")]
    [InlineData("1234567", "1,234,567", @"1{,}234{,}567", @"1\,234\,567", "1.234567e6", "1.234567E+6", @"1.234567\cdot10^{6}")]
    [InlineData(@"2\sqrt{3}", @"\sqrt{12}", "2√3", "√12", "√(12)", "sqrt(12)", "sqrt12", "2*sqrt(3)", @"\frac{6}{\sqrt{3}}", @"12^{1/2}", @"\sqrt2\sqrt6", "2(3)^(1/2)")]
    [InlineData(@"\frac{1}{1+\sqrt{2}}", @"\sqrt{2}-1", @"-1+\sqrt 2", @"\frac{\sqrt8-2}{2}")]
    [InlineData(@"\frac{3\pi}{4}", "3π/4", "0.75π", "3*pi/4", @"\frac34\pi")]
    [InlineData("2", @"\sqrt[3]{8}", @"16^{1/4}", @"2\text{ cm}", "2 cm^2", "2cm", "2 meters", "2 dollars", @"\$2", "2 km/h", "2°", @"2^\circ", "2^{\\circ}", "2 degrees", "2个")]
    [InlineData("3,-1", "-1, 3", @"1\pm 2", @"\{3,-1\}", "{-1,3}", "x = 3 or x = -1", @"x=-1\text{ and }x=3", "x = 1 ± 2", @"x\in\{-1,3\}", "3, -1, 3")]
    [InlineData("(1, -2)", @"\left(1,-2\right)", "( 2/2 , -2.0 )", "(x,y)=(1,-2)", @"(1;-2)")]
    [InlineData("[1,5)", @"\left[1,5\right)", @"1\le x<5", "5 > x ≥ 1", "[1,5[", @"x\in[1,5)")]
    [InlineData(@"(-\infty,1)\cup(3,\infty)", @"(3,\infty)\cup(-\infty,1)", "x<1 or x>3", "x > 3, x < 1", "(-inf,1) ∪ (3,inf)")]
    [InlineData(@"\emptyset", "∅", @"\{\}", @"\varnothing")]
    [InlineData("x^2-1", "(x+1)(x-1)", "x*x - 1", @"\frac{x^3-x}{x}", "-(1-x)(1+x)", "x²-1")]
    [InlineData(@"\frac{x+1}{x-1}", @"\frac{x^2+2x+1}{x^2-1}", "(x+1)/(x-1)", "1+2/(x-1)")]
    [InlineData("y = 2x+3", "2x - y + 3 = 0", "-4x+2y=6")]
    [InlineData("3+4i", "4i+3", "(2+i)^2", "25/(3-4i)", @"3+\sqrt{-16}")]
    [InlineData("day = Tuesday", "Tuesday", @"day = \text{Tuesday}", "day=tuesday")]
    [InlineData("Evelyn", @"\text{Evelyn}", "evelyn", @"\mathrm{Evelyn}.")]
    [InlineData("C", @"\text{C}", "(C)", @"\text{(C)}", @"\mathbf{C}")]
    [InlineData(@"10^{999999999}", "10^{999999999}", "10^{ 999999999 }")]
    [InlineData(@"\ln 2", @"\ln(2)", "ln(4/2)")]
    [InlineData("2^10", "1024", "2^{10}", "2**10", "32^2", "2^{2^3+2}")]
    [InlineData("-4", "-2^2", "-(2^2)", "3--7-14")]
    [InlineData(@"\{1\pm\sqrt{5},-2\}", @"-2, 1+\sqrt5, 1-\sqrt5", @"x = 1 \pm \sqrt{5} \text{ or } x = -2")]
    [InlineData(@"137\frac{1}{2}\text{ inches}", @"\frac{275}2", "137.5", "137 1/2 inches")]
    [InlineData(@"864 \mbox{ inches}^2", "864", "864 square inches")]
    [InlineData(@"\left( 3, \frac{\pi}{2} \right)", "(3, π/2)", "(3.0, 0.5pi)")]
    [InlineData(@"6r^2-4r-24", "2(3r^2 - 2r - 12)", "-24-4r+6r^{2}")]
    [InlineData(@"2516_8", "2516_{8}")]
    [InlineData("(4, 5] ", @"\left] 4,5 \right]", "]4;5]", @"4 < t \leqslant 5")]
    [InlineData("No", "no", @"\text{No}")]
    public void Different_forms_of_a_value_are_equal(params string[] forms)
    {
        foreach (string a in forms)
        {
            foreach (string b in forms)
            {
                Assert.True(MathAnswer.AreEqual(a, b), $"{a} ≠ {b}");
            }
        }
    }

    [Theory]
    [InlineData("1", "2", "-1", "1/2", "10", "0.1", "x", "1%", @"\{1\}", "(1,1)", "", "one", "1,2", "√1.0001", "i", "1 2")]
    [InlineData("1, 2", "1, 2, 3", "2, 3")]
    [InlineData("0.333", "1/3", "0.3333333333333333333333", "33%")]
    [InlineData("(1,2)", "(2,1)", "[1,2]", "[1,2)", "(1,2]", "{1,2}", "1,3", "(1,2,3)", "(1,2)∪(3,4)", "12")]
    [InlineData(@"\sqrt2", "1.41421356", @"\sqrt3", @"2\sqrt2", @"-\sqrt2", @"\sqrt[3]{2}", @"1+\sqrt2")]
    [InlineData("π", "3.14159", "22/7", "2π", "π^2")]
    [InlineData("x>3", @"x\ge3", "x<3", "3", "x=4")]
    [InlineData("x+1", "x-1", "y+1", "X+1", "x", "1")]
    [InlineData("y=2x+3", "y=2x-3", "y=x+3", "2x+3=1")]
    [InlineData("1,234", "1, 234", "(1,234)", "1.234")]
    [InlineData("10^{999999999}", "10^{999999998}", "0", "1e999999999")]
    [InlineData("yes", "no", "maybe", "y")]
    [InlineData(@"\ln 2", @"\ln 3", @"\log 2", "0.693", @"\sin 2")]
    [InlineData("3xy", "3", "3x", "3x^2y")]
    public void Different_values_are_not(params string[] values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            for (int j = 0; j < values.Length; j++)
            {
                Assert.Equal(i == j, MathAnswer.AreEqual(values[i], values[j]));
            }
        }
    }

    [Theory]
    [InlineData("10^999999999")]
    [InlineData("9^9^9^9^9")]
    [InlineData("1e999999999")]
    [InlineData("1e-99999999999999999999999999")]
    [InlineData("(1+x+y+z)^{1000}")]
    [InlineData("((((x+1)^{99}+y)^{99}+z)^{99}+w)^{99}")]
    [InlineData(@"\sqrt[99]{2}")]
    [InlineData("1/0")]
    [InlineData(@"\frac{1}{\sqrt{2}-\sqrt{2}}")]
    [InlineData("0^0")]
    [InlineData("0^{-1}")]
    [InlineData("")]
    [InlineData("3 4")]
    [InlineData("(1")]
    [InlineData(@"\frac{1}")]
    [InlineData(@"\begin{pmatrix}1\\2\end{pmatrix}")]
    [InlineData("__import__('os').system('x')")]
    public void What_cannot_be_worked_out_is_refused_by_name(string text)
    {
        Assert.False(MathAnswer.TryParse(text, out _));
        Assert.NotEqual("", Assert.Throws<FormatException>(() => MathAnswer.Parse(text)).Message);
        Assert.True(MathAnswer.AreEqual(text, $" {text} "));
    }

    [Fact]
    public void Endless_nesting_and_length_are_refused()
    {
        foreach (string part in new[] { "(", "{", "[", @"\{", @"\sqrt{", @"\frac{", "2^", "2^{", "-", "sin ", "|", "√", "1/", "(1,", "1∪", "1+", "x^x^", "1/(1+" })
        {
            string text = string.Concat(Enumerable.Repeat(part, 2000 / part.Length));
            Assert.False(MathAnswer.TryParse(text, out _), part);
        }

        Assert.False(MathAnswer.TryParse(new string('1', MathAnswer.MaxLength + 1), out _));
        string nested = string.Concat(Enumerable.Repeat("(", 30)) + "7" + string.Concat(Enumerable.Repeat(")", 30));
        Assert.True(MathAnswer.AreEqual("7", nested));
    }

    [Property(MaxTest = 500)]
    public bool A_rational_equals_itself_in_every_form(int numerator, PositiveInt denominator, PositiveInt scale, byte one, byte other)
    {
        string[] forms = [.. Forms(numerator, denominator.Get, scale.Get)];
        return MathAnswer.AreEqual(forms[one % forms.Length], forms[other % forms.Length]);
    }

    [Property(MaxTest = 500)]
    public bool A_rational_differs_from_another_in_every_form(
        int numerator, PositiveInt denominator, int otherNumerator, PositiveInt otherDenominator, byte one, byte other)
    {
        string[] forms = [.. Forms(numerator, denominator.Get, 3)], others = [.. Forms(otherNumerator, otherDenominator.Get, 7)];
        bool equal = (BigInteger)numerator * otherDenominator.Get == (BigInteger)otherNumerator * denominator.Get;
        return MathAnswer.AreEqual(forms[one % forms.Length], others[other % others.Length]) == equal;
    }

    [Property(MaxTest = 500)]
    public bool Surds_are_compared_exactly(sbyte a, sbyte b, byte n, sbyte c, sbyte d, byte m)
    {
        // a + b√n against c + d√m: the product of the difference's four conjugates is a whole number and none is above 2100, so that
        // a difference which is not 0 is above 1e-10.
        (n, m) = ((byte)(n % 50), (byte)(m % 50));
        double left = a + b * Math.Sqrt(n), right = c + d * Math.Sqrt(m);
        bool equal = Math.Abs(left - right) < 1e-11;
        return MathAnswer.AreEqual($@"{a}+({b})\sqrt{{{n}}}", $"({d})*sqrt({m})+({c})") == equal
            && MathAnswer.AreEqual($@"{a}+({b})\sqrt{{{n}}}", $"({(long)b * 6})*sqrt({n}/36)+({a})");
    }

    [Property(MaxTest = 100)]
    public bool Sets_have_no_order_and_tuples_do(int[] items, ulong seed)
    {
        if (items.Length < 2)
        {
            return true;
        }

        int[] shuffled = [.. items];
        new SplitMix64(seed).Shuffle(shuffled.AsSpan());
        string set = $@"\{{{string.Join(',', items)}\}}", mixed = $"{{{string.Join(", ", shuffled)}}}";
        string tuple = $"({string.Join(',', items)})", mixedTuple = $"({string.Join(", ", shuffled)})";
        return MathAnswer.AreEqual(set, mixed)
            && !MathAnswer.AreEqual(set, $@"\{{{string.Join(',', items.Append(items.Max() == int.MaxValue ? items.Min() - 1 : items.Max() + 1))}\}}")
            && MathAnswer.AreEqual(tuple, mixedTuple) == items.SequenceEqual(shuffled);
    }

    [Property(MaxTest = 300)]
    public bool An_interval_is_an_inequality(int low, int high, bool withLow, bool withHigh)
    {
        string interval = $"{(withLow ? '[' : '(')}{low},{high}{(withHigh ? ']' : ')')}";
        string other = $"{(withLow ? '(' : '[')}{low},{high}{(withHigh ? ']' : ')')}";
        string inequality = $"{low} {(withLow ? @"\le" : "<")} x {(withHigh ? "<=" : "<")} {high}";
        return MathAnswer.AreEqual(interval, inequality) && !MathAnswer.AreEqual(other, inequality);
    }

    [Property(MaxTest = 1000)]
    public bool No_text_makes_it_throw(NonNull<string> text, NonNull<string> other) =>
        MathAnswer.AreEqual(text.Get, text.Get) && MathAnswer.AreEqual(text.Get, other.Get) == MathAnswer.AreEqual(other.Get, text.Get);

    [Property(MaxTest = 1500)]
    public Property No_heap_of_notation_makes_it_throw()
    {
        string[] pieces =
        [
            @"\frac", @"\sqrt", "{", "}", "(", ")", "[", "]", @"\{", @"\}", "^", "_", "+", "-", "*", "/", @"\pm", ",", ";", "=", "<", @"\le", " ", "1", "23", "0",
            ".", "%", "e9", "99", "x", "y", "π", "i", "|", @"\cup", @"\infty", @"\text{and}", @"\text{", " or ", "sin", "ln", @"\overline", "cm", "√", "°", @"\", "$", "1/3", "-2",
        ];
        Gen<string> heaps = Gen.Elements(pieces).ListOf().Select(string.Concat);
        return Prop.ForAll(heaps.ToArbitrary(), text => MathAnswer.AreEqual(text, text));
    }

    private static IEnumerable<string> Forms(int numerator, int denominator, int scale)
    {
        (BigInteger n, BigInteger d) = ((BigInteger)numerator * scale, (BigInteger)denominator * scale);
        yield return $"{numerator}/{denominator}";
        yield return $"{n}/{d}";
        yield return $@"\frac{{{numerator}}}{{{denominator}}}";
        yield return $@"$\dfrac{{{n}}}{{{d}}}$";
        yield return $@"\left(-\frac{{{-n}}}{{{d}}}\right)";
        yield return $@"\frac{{{n * 100}}}{{{d}}}\%";
        yield return $"{n}e-3/{d}e-3";
        yield return $@"x = {n}\cdot {d}^{{-1}}";
        yield return $@"\frac{{{numerator}\sqrt{{2}}}}{{{denominator}\sqrt{{2}}}}";
        yield return $@"{numerator}\pi/({denominator}\pi)\text{{ cm}}";
        BigInteger whole = BigInteger.Abs(n) / d, rest = BigInteger.Abs(n) % d;
        yield return $@"{(n.Sign < 0 ? "-" : "")}{whole}\frac{{{rest}}}{{{d}}}" is var mixed && whole > 0 && rest > 0 ? mixed : $"{n}/{d}";
        yield return Decimal(numerator, denominator) ?? $"({n})/({d})";
    }

    // The decimal fraction, if it ends.
    private static string? Decimal(BigInteger numerator, BigInteger denominator)
    {
        BigInteger thousandths = numerator * BigInteger.Pow(10, 12);
        if (thousandths % denominator != 0)
        {
            return null;
        }

        string digits = BigInteger.Abs(thousandths / denominator).ToString("D13", CultureInfo.InvariantCulture);
        return $"{(numerator.Sign < 0 ? "-" : "")}{digits[..^12]}.{digits[^12..]}";
    }
}
