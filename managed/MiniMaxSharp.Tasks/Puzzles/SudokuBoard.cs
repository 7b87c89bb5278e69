using System.Numerics;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// A sudoku being filled: the digit of each cell (0 is a blank) and what each row, column and box holds. Sets of digits are bits, digit d the bit d − 1.
/// No unit may hold a digit twice.
/// </summary>
internal sealed class SudokuBoard
{
    /// <summary>A choice, about a tenth of a second: to see that some grids of 9×9 have no solution takes a minute and more.</summary>
    private const int MostTries = 100_000;

    private readonly SudokuShape _shape;
    private readonly int[] _digits;
    private readonly int[] _held;
    private int _tries;

    internal SudokuBoard(SudokuShape shape, IReadOnlyList<int> digits)
    {
        (_shape, _digits, _held) = (shape, new int[shape.Cells], new int[shape.Units.Length]);
        for (var cell = 0; cell < digits.Count; cell++)
        {
            if (digits[cell] > 0)
                Put(cell, digits[cell]);
        }
    }

    internal bool IsBlank(int cell) => _digits[cell] == 0;

    internal int[] Digits => [.. _digits];

    /// <summary>The digits in the row, column and box of a cell.</summary>
    internal int Seen(int cell)
    {
        var units = _shape.UnitsOf[cell];
        return _held[units[0]] | _held[units[1]] | _held[units[2]];
    }

    /// <summary>The digits that a blank may still take.</summary>
    internal int Left(int cell) => ~Seen(cell) & Every;

    internal void Put(int cell, int digit)
    {
        _digits[cell] = digit;
        foreach (var unit in _shape.UnitsOf[cell])
            _held[unit] |= 1 << (digit - 1);
    }

    internal void Erase(int cell)
    {
        foreach (var unit in _shape.UnitsOf[cell])
            _held[unit] &= ~(1 << (_digits[cell] - 1));
        _digits[cell] = 0;
    }

    /// <summary>Up to <paramref name="most"/> ways to fill the blanks; the board stays as it is. With <paramref name="rng"/> digits are tried in random order.</summary>
    /// <exception cref="FormatException">The search takes too long to tell.</exception>
    internal List<int[]> Solutions(int most, Rng? rng = null)
    {
        var found = new List<int[]>();
        Search(found, most, rng);
        return found;
    }

    /// <summary>The digits of a set in ascending order.</summary>
    internal static IEnumerable<int> Members(int set)
    {
        for (; set != 0; set &= set - 1)
            yield return BitOperations.TrailingZeroCount(set) + 1;
    }

    private int Every => (1 << _shape.Side) - 1;

    private void Search(List<int[]> found, int most, Rng? rng)
    {
        var (cell, left) = Narrowest();
        if (cell < 0)
            found.Add(Digits);
        foreach (var digit in rng is null ? Members(left) : rng.Sample(Members(left), BitOperations.PopCount((uint)left)))
        {
            if (++_tries > MostTries)
                throw new FormatException($"{MostTries} digits were tried, and it is still open how many solutions the sudoku has.");
            Put(cell, digit);
            Search(found, most, rng);
            Erase(cell);
            if (found.Count == most)
                return;
        }
    }

    /// <summary>
    /// The blank with the fewest digits to try, and these; one if it is the only place of a digit in a row, column or box, none if some digit has
    /// no place left. (−1, 0) if there is no blank.
    /// </summary>
    private (int Cell, int Left) Narrowest()
    {
        var (narrowest, fewest) = (-1, int.MaxValue);
        for (var cell = 0; cell < _digits.Length && fewest > 1; cell++)
        {
            if (IsBlank(cell) && BitOperations.PopCount((uint)Left(cell)) is var count && count < fewest)
                (narrowest, fewest) = (cell, count);
        }
        if (fewest > 1 && narrowest >= 0)
        {
            for (var unit = 0; unit < _held.Length; unit++)
            {
                var (once, twice) = Places(unit);
                if ((once | _held[unit]) != Every)
                    return (narrowest, 0);
                if ((once & ~twice) is > 0 and var single && (single & -single) is var digit)
                    return (Array.Find(_shape.Units[unit], cell => IsBlank(cell) && (Left(cell) & digit) != 0), digit);
            }
        }
        return (narrowest, narrowest < 0 ? 0 : Left(narrowest));
    }

    /// <summary>The digits that at least one blank of a unit may take, and those that at least two may.</summary>
    private (int Once, int Twice) Places(int unit)
    {
        var (once, twice) = (0, 0);
        foreach (var cell in _shape.Units[unit])
        {
            if (!IsBlank(cell))
                continue;
            twice |= once & Left(cell);
            once |= Left(cell);
        }
        return (once, twice);
    }
}
