using System.Numerics;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// Fills a sudoku by forced steps alone: sweeps over the blanks in reading order, each of which takes its digit if just one is left; when a sweep settles nothing,
/// one blank is settled because a digit has no other place in its row, column or box. Where that fills the grid it proves the solution unique.
/// </summary>
internal static class SudokuSteps
{
    /// <summary>
    /// One look at a blank: the digits it sees, and the digit if that settles it (otherwise 0). Where the other blanks of a row, column or box had
    /// to be looked at too, they stand in <c>Others</c> with what they see.
    /// </summary>
    internal readonly record struct Look(int Cell, int Seen, (int Cell, int Seen)[] Others, int Digit)
    {
        /// <summary><c>b3 : 1 2 4 | b1 3 4 -> b3 3</c>.</summary>
        internal string Text(SudokuShape shape)
        {
            var parts = Others.Select(other => $"{shape.Names[other.Cell]} {Set(other.Seen)}").Prepend(Set(Seen));
            return $"{shape.Names[Cell]} : {string.Join(" | ", parts)}{(Digit > 0 ? $" -> {shape.Names[Cell]} {Digit}" : "")}";
        }

        private static string Set(int digits) => digits == 0 ? "_" : string.Join(' ', SudokuBoard.Members(digits));
    }

    /// <summary>The looks in their order; null if the grid does not yield to them.</summary>
    /// <param name="shape">Of the grid.</param>
    /// <param name="givens">Digits by cell, 0 for a blank.</param>
    /// <param name="places">Whether a blank may be settled by the places of a digit.</param>
    internal static List<Look>? Solve(SudokuShape shape, int[] givens, bool places)
    {
        var (board, looks) = (new SudokuBoard(shape, givens), new List<Look>());
        var blanks = Enumerable.Range(0, shape.Cells).Where(board.IsBlank).ToList();
        while (blanks.Count > 0)
        {
            if (Sweep(board, blanks, looks) == 0 && !(places && SettleByPlace(shape, board, blanks, looks)))
                return null;
            blanks.RemoveAll(cell => !board.IsBlank(cell));
        }
        return looks;
    }

    /// <summary>The number of blanks that were settled.</summary>
    private static int Sweep(SudokuBoard board, List<int> blanks, List<Look> looks)
    {
        var settled = 0;
        foreach (var cell in blanks)
        {
            var left = board.Left(cell);
            var digit = BitOperations.IsPow2(left) ? BitOperations.TrailingZeroCount(left) + 1 : 0;
            looks.Add(new(cell, board.Seen(cell), [], digit));
            if (digit == 0)
                continue;
            board.Put(cell, digit);
            settled++;
        }
        return settled;
    }

    /// <summary>Settles the first blank with a digit that all other blanks of one of its units see.</summary>
    private static bool SettleByPlace(SudokuShape shape, SudokuBoard board, List<int> blanks, List<Look> looks)
    {
        foreach (var cell in blanks)
        {
            foreach (var unit in shape.UnitsOf[cell])
            {
                var only = board.Left(cell);
                foreach (var other in shape.Units[unit])
                    only &= other != cell && board.IsBlank(other) ? board.Seen(other) : ~0;
                if (only == 0)
                    continue;
                var digit = BitOperations.TrailingZeroCount(only) + 1;
                var others = shape.Units[unit].Where(other => other != cell && board.IsBlank(other));
                looks.Add(new(cell, board.Seen(cell), [.. others.Select(other => (other, board.Seen(other)))], digit));
                board.Put(cell, digit);
                return true;
            }
        }
        return false;
    }
}
