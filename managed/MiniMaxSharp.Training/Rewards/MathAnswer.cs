using System.Diagnostics.CodeAnalysis;
using MiniMaxSharp.Training.Mathematics;

namespace MiniMaxSharp.Training;

/// <summary>
/// A mathematical answer read from text, to be compared by value and exactly: integers, fractions, mixed numbers, decimals,
/// percentages, powers, roots, π, expressions with letters; tuples, intervals, sets, lists and unions; equations and inequalities.
/// LaTeX, Unicode and plain text are understood. Nothing is executed; time and memory are bounded whatever the text.
/// <para>Choices: 50 % is 1/2; degrees and units do not count; x = 3 is 3; x &gt; 3 is (3, ∞); ± is both values; sets, lists without
/// brackets and unions are the same; 1,234 without a space is a thousand outside of brackets; a function that is not a root
/// or a power equals itself at the same argument. What cannot be read is compared as text, without spaces and case.</para>
/// </summary>
public sealed class MathAnswer
{
    /// <summary>Longer texts are not read as mathematics.</summary>
    public const int MaxLength = 2000;

    private readonly MathValue _value;

    private MathAnswer(MathValue value)
    {
        _value = value;
    }

    /// <summary>Reads an answer.</summary>
    /// <exception cref="FormatException">It is nothing that is known here, divides by zero, or is too complex; the message says what.</exception>
    public static MathAnswer Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Length <= MaxLength
            ? new MathAnswer(MathParser.Parse(MathNotation.Unify(text), new Effort()))
            : throw new FormatException($"an answer of {text.Length} characters; {MaxLength} are read at most");
    }

    /// <summary>Reads an answer, if it is one.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out MathAnswer? answer)
    {
        try
        {
            answer = Parse(text);
            return true;
        }
        catch (FormatException)
        {
            answer = null;
            return false;
        }
    }

    /// <summary>Whether both have the same value. False if to find out is more work than is allowed.</summary>
    public bool IsEqualTo(MathAnswer other)
    {
        ArgumentNullException.ThrowIfNull(other);
        try
        {
            return MathValue.Same(_value, other._value, new Effort());
        }
        catch (FormatException)
        {
            return false;
        }
    }

    /// <summary>Whether two texts are the same answer: by value, or as text where one of them is words or cannot be read.</summary>
    public static bool AreEqual(string expected, string given)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(given);
        bool read = TryParse(expected, out MathAnswer? right) & TryParse(given, out MathAnswer? answer);
        bool words = !read || right!._value is Words || answer!._value is Words;
        return (read && right!.IsEqualTo(answer!)) || (words && MathNotation.Bare(expected) == MathNotation.Bare(given));
    }
}
