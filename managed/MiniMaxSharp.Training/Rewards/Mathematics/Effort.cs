namespace MiniMaxSharp.Training.Mathematics;

/// <summary>
/// What reading or comparing an answer may cost: so many products of terms, so many levels, numbers of so many bits. Whoever
/// writes 10^999999999 gets an exception, not the number.
/// </summary>
internal sealed class Effort
{
    public const int MaxBits = 4096;
    public const int MaxTerms = 128;
    public const int MaxPower = 1_000_000;
    public const int MaxName = 1000;
    private int _left = 20_000;

    /// <exception cref="FormatException">It is used up.</exception>
    public void Spend(int products)
    {
        _left -= products;
        if (_left < 0)
        {
            throw TooComplex();
        }
    }

    public static FormatException TooComplex() => new("the answer is too complex to be worked out");
}
