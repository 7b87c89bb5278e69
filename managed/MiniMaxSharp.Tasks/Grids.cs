namespace MiniMaxSharp.Tasks;

/// <summary>Grids of symbols, cell after cell and row after row: written, read from answers, and turned.</summary>
internal static class Grids
{
    private static readonly char[] Separators = [' ', '\t', '\r', '\n', ',', ';', '|', '[', ']', '"', '\'', '，', '、'];

    /// <summary>Rows as lines, symbols with spaces between them.</summary>
    internal static string Lines(IEnumerable<string> cells, int columns) => string.Join('\n', Rows(cells, columns));

    /// <summary>The same with bars in place of the ends of lines.</summary>
    internal static string Bars(IEnumerable<string> cells, int columns) => string.Join(" | ", Rows(cells, columns));

    internal static string Lines(IEnumerable<int> cells, int columns) => Lines(cells.Select(cell => $"{cell}"), columns);

    internal static string Bars(IEnumerable<int> cells, int columns) => Bars(cells.Select(cell => $"{cell}"), columns);

    /// <summary>
    /// The symbols of an answer, be it JSON or rows, with whatever separators, or rows of single characters
    /// without any; null if they are not rows × columns.
    /// </summary>
    internal static string[]? Read(string answer, int rows, int columns)
    {
        var symbols = answer.Split(Separators, StringSplitOptions.RemoveEmptyEntries);
        if (symbols.Length == rows * columns)
            return symbols;
        return columns > 1 && symbols.Length == rows && symbols.All(row => row.Length == columns)
            ? [.. symbols.SelectMany(row => row.Select(symbol => $"{symbol}"))]
            : null;
    }

    /// <summary>Like <see cref="Read"/> for whole numbers in a range.</summary>
    internal static int[]? ReadNumbers(string answer, int rows, int columns, int low, int high)
    {
        if (Read(answer, rows, columns) is not { } symbols)
            return null;
        var numbers = symbols.Select(Number).ToArray();
        return numbers.Contains(-1) ? null : numbers;

        int Number(string symbol) => symbol.Length <= 4 && symbol.All(char.IsAsciiDigit) && int.Parse(symbol) is var number && number >= low && number <= high
            ? number
            : -1;
    }

    /// <summary>The cells beside a cell: above, below, left, right, as far as they are in the grid.</summary>
    internal static IEnumerable<int> Beside(int cell, int rows, int columns)
    {
        if (cell >= columns)
            yield return cell - columns;
        if (cell < (rows - 1) * columns)
            yield return cell + columns;
        if (cell % columns > 0)
            yield return cell - 1;
        if (cell % columns < columns - 1)
            yield return cell + 1;
    }

    /// <summary>The cells around a cell, diagonal ones too.</summary>
    internal static IEnumerable<int> Around(int cell, int rows, int columns)
    {
        var (row, column) = (cell / columns, cell % columns);
        for (var r = Math.Max(0, row - 1); r <= Math.Min(rows - 1, row + 1); r++)
        {
            for (var c = Math.Max(0, column - 1); c <= Math.Min(columns - 1, column + 1); c++)
            {
                if (r != row || c != column)
                    yield return (r * columns) + c;
            }
        }
    }

    /// <summary>The eight symmetries of a square: for each, where every cell goes.</summary>
    internal static IEnumerable<int[]> Symmetries(int side) => Enumerable.Range(0, 8).Select(kind =>
        Enumerable.Range(0, side * side).Select(cell => Turned(cell, side, kind)).ToArray());

    /// <summary>The cells of a grid in the places that a symmetry gives them.</summary>
    internal static T[] Moved<T>(IReadOnlyList<T> cells, int[] symmetry)
    {
        var moved = new T[cells.Count];
        for (var cell = 0; cell < moved.Length; cell++)
            moved[symmetry[cell]] = cells[cell];
        return moved;
    }

    /// <summary>The least text that a puzzle on a square has under the eight symmetries.</summary>
    internal static string Least(int side, Func<int[], string> text) => Symmetries(side).Select(text).Min(StringComparer.Ordinal)!;

    /// <summary>A random Latin square of the numbers from 1, row after row.</summary>
    internal static int[] LatinSquare(int side, Rng rng)
    {
        var cells = new int[side * side];
        FillLatin(cells, side, 0, rng);
        return cells;
    }

    /// <summary>Whether each row and each column holds every number from 1 to <paramref name="side"/>.</summary>
    internal static bool IsLatin(IReadOnlyList<int> cells, int side) => Enumerable.Range(0, side).All(line =>
        IsComplete(Enumerable.Range(0, side).Select(i => cells[(line * side) + i])) && IsComplete(Enumerable.Range(0, side).Select(i => cells[(i * side) + line])));

    private static bool IsComplete(IEnumerable<int> line) => line.Order().Select((number, index) => number == index + 1).All(right => right);

    private static IEnumerable<string> Rows(IEnumerable<string> cells, int columns) => cells.Chunk(columns).Select(row => string.Join(' ', row));

    private static int Turned(int cell, int side, int kind)
    {
        var (row, column) = (cell / side, cell % side);
        row = (kind & 1) == 0 ? row : side - 1 - row;
        column = (kind & 2) == 0 ? column : side - 1 - column;
        return (kind & 4) == 0 ? (row * side) + column : (column * side) + row;
    }

    private static bool FillLatin(int[] cells, int side, int cell, Rng rng)
    {
        if (cell == cells.Length)
            return true;
        foreach (var number in rng.Sample(Enumerable.Range(1, side), side))
        {
            if (Repeats(cells, side, cell, number))
                continue;
            cells[cell] = number;
            if (FillLatin(cells, side, cell + 1, rng))
                return true;
        }
        cells[cell] = 0;
        return false;
    }

    private static bool Repeats(int[] cells, int side, int cell, int number)
    {
        for (var above = cell - side; above >= 0; above -= side)
        {
            if (cells[above] == number)
                return true;
        }
        for (var left = cell - 1; left >= cell / side * side; left--)
        {
            if (cells[left] == number)
                return true;
        }
        return false;
    }
}
