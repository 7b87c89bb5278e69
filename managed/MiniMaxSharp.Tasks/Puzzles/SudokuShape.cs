using System.Text;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// Where rows, columns and boxes of a sudoku lie: 4×4 with boxes of 2 rows and 2 columns, 6×6 with 2 rows and 3 columns, 9×9 with 3 and 3.
/// A cell is row · side + column.
/// </summary>
internal sealed class SudokuShape
{
    /// <summary>By side, in ascending order.</summary>
    internal static readonly SudokuShape[] All = [new(2, 2), new(2, 3), new(3, 3)];

    private readonly int[][] _columnOrders;

    private SudokuShape(int boxRows, int boxColumns)
    {
        (BoxRows, BoxColumns, Side) = (boxRows, boxColumns, boxRows * boxColumns);
        var line = Enumerable.Range(0, Side).ToArray();
        Units =
        [
            .. line.Select(row => line.Select(i => (row * Side) + i).ToArray()),
            .. line.Select(column => line.Select(i => (i * Side) + column).ToArray()),
            .. line.Select(box => line.Select(i =>
                (((box / boxRows * boxRows) + (i / boxColumns)) * Side) + (box % boxRows * boxColumns) + (i % boxColumns)).ToArray()),
        ];
        UnitsOf = [.. Enumerable.Range(0, Cells).Select(cell => Enumerable.Range(0, Units.Length).Where(unit => Units[unit].Contains(cell)).ToArray())];
        Names = [.. Enumerable.Range(0, Cells).Select(cell => $"{(char)('a' + (cell / Side))}{(cell % Side) + 1}")];
        _columnOrders = [.. Orders(boxColumns)];
    }

    internal int BoxRows { get; }

    internal int BoxColumns { get; }

    /// <summary>Rows, columns and digits.</summary>
    internal int Side { get; }

    internal int Cells => Side * Side;

    /// <summary>Rows, then columns, then boxes: 3 · side lists of side cells.</summary>
    internal int[][] Units { get; }

    /// <summary>By cell the indices of its row, its column and its box.</summary>
    internal int[][] UnitsOf { get; }

    /// <summary>a1 is the top left cell; letters count rows.</summary>
    internal string[] Names { get; }

    /// <summary>All orders of the lines that keep those of a box together.</summary>
    private IEnumerable<int[]> Orders(int lines) => Permutations(Side / lines)
        .SelectMany(bands => bands.Aggregate<int, IEnumerable<int[]>>([[]], (heads, band) =>
            heads.SelectMany(head => Permutations(lines).Select(order => (int[])[.. head, .. order.Select(line => (band * lines) + line)]))));

    private static IEnumerable<int[]> Permutations(int count) => count == 0
        ? [[]]
        : Permutations(count - 1).SelectMany(rest => Enumerable.Range(0, count).Select(at => (int[])[.. rest[..at], count - 1, .. rest[at..]]));

    /// <summary>One way to put columns and the rows so far in order. <c>Names</c> holds 4 bits for each digit's new name; the lowest 4 count them.</summary>
    private readonly record struct Arrangement(int[] Cells, int[] Columns, int TakenRows, int LastRow, ulong Names);

    /// <summary>
    /// The least text of a grid (0 is a blank, _ in the text and behind the digits) among all that come of it by ordering lines and bands,
    /// by reflection where boxes are square, and by naming digits in the order in which they appear. Row after row those
    /// arrangements are kept that share the least text so far; for a 9×9 that is far quicker than all 3,359,232.
    /// </summary>
    internal string Least(int[] cells)
    {
        var turns = BoxRows == BoxColumns ? new[] { cells, [.. Enumerable.Range(0, Cells).Select(cell => cells[(cell % Side * Side) + (cell / Side)])] } : [cells];
        var kept = turns.SelectMany(turned => _columnOrders.Select(columns => new Arrangement(turned, columns, 0, 0, 0))).ToList();
        var text = new StringBuilder(Cells);
        for (var row = 0; row < Side; row++)
        {
            var (least, next) = (ulong.MaxValue, new List<Arrangement>());
            foreach (var arrangement in kept)
            {
                for (var source = 0; source < Side; source++)
                {
                    if ((arrangement.TakenRows >> source & 1) != 0 || (row % BoxRows > 0 && source / BoxRows != arrangement.LastRow / BoxRows))
                        continue;
                    var (code, names) = Code(arrangement, source);
                    if (code < least)
                        next.Clear();
                    if (code <= least)
                        next.Add(arrangement with { TakenRows = arrangement.TakenRows | (1 << source), LastRow = source, Names = names });
                    least = Math.Min(least, code);
                }
            }
            for (var column = Side - 1; column >= 0; column--)
                text.Append((least >> (4 * column) & 15) is var name && name == 15 ? '_' : (char)('0' + name));
            kept = next;
        }
        return text.ToString();
    }

    /// <summary>A row as a number that sorts like its text, 4 bits a cell, and the names with those that it adds.</summary>
    private static (ulong Code, ulong Names) Code(Arrangement arrangement, int row)
    {
        var (code, names, first) = (0UL, arrangement.Names, row * arrangement.Columns.Length);
        foreach (var column in arrangement.Columns)
        {
            var digit = arrangement.Cells[first + column];
            if (digit > 0 && (names >> (4 * digit) & 15) == 0)
            {
                names++;
                names |= (names & 15) << (4 * digit);
            }
            code = (code << 4) | (digit == 0 ? 15 : names >> (4 * digit) & 15);
        }
        return (code, names);
    }
}
