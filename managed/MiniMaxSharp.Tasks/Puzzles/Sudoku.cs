using System.Text;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// sudoku of SynLogic (arXiv 2505.19641) on a 4×4 grid: each digit from 1 to 4 once in every row, column and 2×2 box.
/// Difficulty sets the number of blanks (6 to 12), how many of them yield only at a second look, and whether blanks must be filled for which more than one digit
/// is left, but where the digit has no other place. Every step is forced, which proves the solution unique.
/// The answer is the sixteen digits row by row; white space and bars between them do not matter.
/// Canonical up to renaming of digits, order of rows and columns (as far as boxes stay whole) and reflection.
/// </summary>
public sealed class Sudoku : ReasoningTask<Sudoku.Grid>
{
    private const int Side = 4;
    private const int Cells = Side * Side;

    /// <summary>Number of blanks; most looks that settle nothing; whether a step may look at other blanks of a row, column or box.</summary>
    private readonly record struct Level(int FewestBlanks, int MostBlanks, int MostIdle, bool Places);

    private static readonly Level[] Levels =
    [
        new(6, 7, 1, false), new(7, 8, 2, false), new(8, 9, 3, false), new(9, 10, 6, false), new(9, 10, 99, false),
        new(9, 10, 99, true), new(10, 10, 99, true), new(10, 11, 99, true), new(11, 11, 99, true), new(11, 12, 99, true),
    ];

    private static readonly string[] CellNames = [.. Enumerable.Range(0, Cells).Select(cell => $"{(char)('a' + (cell / Side))}{(cell % Side) + 1}")];

    /// <summary>Rows, columns, boxes: twelve lists of four cells.</summary>
    private static readonly int[][] Units =
    [
        .. Enumerable.Range(0, Side).Select(row => Enumerable.Range(0, Side).Select(i => (row * Side) + i).ToArray()),
        .. Enumerable.Range(0, Side).Select(column => Enumerable.Range(0, Side).Select(i => (i * Side) + column).ToArray()),
        .. Enumerable.Range(0, Side).Select(box => Enumerable.Range(0, Side).Select(i => (((box / 2 * 2) + (i / 2)) * Side) + (box % 2 * 2) + (i % 2)).ToArray()),
    ];

    private static readonly int[][] Peers =
        [.. Enumerable.Range(0, Cells).Select(cell => Units.Where(unit => unit.Contains(cell)).SelectMany(unit => unit).Distinct().Where(other => other != cell).ToArray())];

    /// <summary>The 128 rearrangements of cells that keep rows, columns and boxes: the source of each cell.</summary>
    private static readonly int[][] Symmetries = [.. LineOrders().SelectMany(rows => LineOrders().SelectMany(columns => new[]
    {
        Enumerable.Range(0, Cells).Select(cell => (rows[cell / Side] * Side) + columns[cell % Side]).ToArray(),
        Enumerable.Range(0, Cells).Select(cell => (rows[cell % Side] * Side) + columns[cell / Side]).ToArray(),
    }))];

    private static IEnumerable<int[]> LineOrders() => Enumerable.Range(0, 8).Select(bits =>
        Enumerable.Range(0, Side).Select(line => line ^ (bits & 2) ^ ((bits & (line < 2 ? 1 : 4)) != 0 ? 1 : 0)).ToArray());

    /// <inheritdoc/>
    public override string Name => "sudoku";

    /// <inheritdoc/>
    public override string Description => "each digit once in every row, column and box of a 4×4 grid";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["fill", "_", ":", "|", "->", "1", "2", "3", "4", .. CellNames];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Grid, string>> English { get; } =
    [
        p => $"Solve this 4×4 sudoku. Every row, every column and every 2×2 box holds 1, 2, 3 and 4 once; _ is a blank.\n{Rows(p.Givens)}\nGive the finished grid row by row.",
        p => $"Fill in the blanks (_) so that no row, column or 2×2 corner box repeats a digit from 1 to 4:\n{Rows(p.Givens)}\nThe answer is all sixteen digits, four to a line.",
        p => $"A small sudoku with the digits 1 to 4:\n{Rows(p.Givens)}\nComplete it and write down the whole grid in the same form.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Grid, string>> Chinese { get; } =
    [
        p => $"请完成这个 4×4 数独：每行、每列和每个 2×2 宫中，1 到 4 各出现一次，_ 表示空格。\n{Rows(p.Givens)}\n逐行写出完整的盘面。",
        p => $"在空格（_）中填入 1 到 4，使每行、每列、每个 2×2 宫内数字不重复：\n{Rows(p.Givens)}\n答案为全部十六个数字，每行四个。",
    ];

    /// <inheritdoc/>
    protected override (Grid Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var blanks = rng.Between(level.FewestBlanks, level.MostBlanks);
        while (true)
        {
            var cells = new int[Cells];
            Fill(cells, 0, rng);
            Dig(cells, blanks, level.Places, rng);
            if (cells.Count(digit => digit == 0) < blanks)
                continue;
            var puzzle = new Grid(cells);
            if (puzzle.Looks.Count - blanks <= level.MostIdle)
                return (puzzle, Rows(puzzle.Solved).Replace("\n", " | "));
        }
    }

    /// <summary>Completes the grid from <paramref name="cell"/> on, digits tried in random order.</summary>
    private static bool Fill(int[] cells, int cell, Rng rng)
    {
        if (cell == Cells)
            return true;
        foreach (var digit in rng.Sample(Enumerable.Range(1, Side).Except(Seen(cells, cell)), Side))
        {
            cells[cell] = digit;
            if (Fill(cells, cell + 1, rng))
                return true;
            cells[cell] = 0;
        }
        return false;
    }

    /// <summary>Empties cells in random order as long as every step of the solution stays forced.</summary>
    private static void Dig(int[] cells, int blanks, bool places, Rng rng)
    {
        foreach (var cell in rng.Sample(Enumerable.Range(0, Cells), Cells))
        {
            if (blanks == 0)
                return;
            var digit = cells[cell];
            cells[cell] = 0;
            if (Deduce(cells, places) is null)
                cells[cell] = digit;
            else
                blanks--;
        }
    }

    private static IEnumerable<int> Seen(int[] cells, int cell) => Peers[cell].Select(peer => cells[peer]).Where(digit => digit > 0).Distinct().Order();

    private static string SeenText(int[] cells, int cell) => Seen(cells, cell).Any() ? string.Join(' ', Seen(cells, cell)) : "_";

    /// <summary>
    /// One look at a blank: the digits it sees, and the digit if that settles it. Where other blanks of a unit had
    /// to be looked at too, they stand in <c>Others</c> with what they see.
    /// </summary>
    internal sealed record Look(int Cell, string Seen, IReadOnlyList<string> Others, int Digit)
    {
        public override string ToString() =>
            $"{CellNames[Cell]} : {string.Join(" | ", Others.Prepend(Seen))}{(Digit > 0 ? $" -> {CellNames[Cell]} {Digit}" : "")}";
    }

    /// <summary>
    /// Sweeps over the blanks in reading order until all are filled; when a sweep settles nothing, one blank is
    /// settled by its place, if that is allowed. Null if the puzzle does not yield.
    /// </summary>
    private static List<Look>? Deduce(int[] givens, bool places)
    {
        var (cells, looks) = (givens.ToArray(), new List<Look>());
        while (cells.Contains(0))
        {
            if (Sweep(cells, looks))
                continue;
            if (!places || OnlyPlace(cells) is not { } look)
                return null;
            looks.Add(look);
            cells[look.Cell] = look.Digit;
        }
        return looks;
    }

    private static bool Sweep(int[] cells, List<Look> looks)
    {
        var progress = false;
        for (var cell = 0; cell < Cells; cell++)
        {
            if (cells[cell] > 0)
                continue;
            var left = Enumerable.Range(1, Side).Except(Seen(cells, cell)).ToArray();
            var digit = left is [var only] ? only : 0;
            looks.Add(new(cell, SeenText(cells, cell), [], digit));
            cells[cell] = digit;
            progress |= digit > 0;
        }
        return progress;
    }

    /// <summary>The first blank with a digit that all other blanks of one of its units see.</summary>
    private static Look? OnlyPlace(int[] cells)
    {
        foreach (var cell in Enumerable.Range(0, Cells).Where(cell => cells[cell] == 0))
        {
            foreach (var unit in Units.Where(unit => unit.Contains(cell)))
            {
                var others = unit.Where(other => other != cell && cells[other] == 0).ToArray();
                var digits = Enumerable.Range(1, Side).Except(Seen(cells, cell)).Where(digit => others.All(other => Seen(cells, other).Contains(digit)));
                if (digits.FirstOrDefault() is > 0 and var digit)
                    return new(cell, SeenText(cells, cell), [.. others.Select(other => $"{CellNames[other]} {SeenText(cells, other)}")], digit);
            }
        }
        return null;
    }

    /// <summary>Each cell with its name, so that a look-up is the name's neighbour.</summary>
    protected override string Compact(Grid puzzle) => $"fill {string.Join(' ', puzzle.Givens.Select((digit, cell) => $"{CellNames[cell]} {Symbol(digit)}"))}";

    /// <summary>For blank after blank the digits that it sees; three of them leave one.</summary>
    protected override string Reason(Grid puzzle, string solution) => string.Join(' ', puzzle.Looks);

    /// <inheritdoc/>
    protected override Verdict Check(Grid puzzle, string answer)
    {
        var symbols = answer.Where(c => !char.IsWhiteSpace(c) && c is not ('|' or ',')).ToArray();
        if (symbols.Length != Cells || !symbols.All(c => c is >= '1' and <= '4'))
            return Verdict.Wrong("not sixteen digits from 1 to 4");
        var digits = symbols.Select(c => c - '0').ToArray();
        if (Enumerable.Range(0, Cells).Any(cell => puzzle.Givens[cell] > 0 && puzzle.Givens[cell] != digits[cell]))
            return Verdict.Wrong("a given digit was changed");
        return Units.All(unit => unit.Select(cell => digits[cell]).Distinct().Count() == Side)
            ? Verdict.Right
            : Verdict.Wrong("a row, column or box repeats a digit");
    }

    /// <inheritdoc/>
    protected override Grid Read(JsonObject data)
    {
        var text = data.Text("grid");
        return text.Length == Cells && text.All(c => c is '_' or (>= '1' and <= '4'))
            ? new Grid([.. text.Select(c => c == '_' ? 0 : c - '0')])
            : throw new FormatException("Field 'grid' is not sixteen of the characters 1, 2, 3, 4 and _.");
    }

    private static string Symbol(int digit) => digit == 0 ? "_" : $"{digit}";

    private static string Rows(IReadOnlyList<int> cells) =>
        string.Join('\n', cells.Chunk(Side).Select(row => string.Join(' ', row.Select(Symbol))));

    /// <summary>A grid with blanks that fill one after the other.</summary>
    public sealed class Grid : Puzzle
    {
        internal Grid(int[] givens)
        {
            Givens = givens;
            Looks = Deduce(givens, places: false) ?? Deduce(givens, places: true) ?? throw new FormatException("The sudoku cannot be solved step by step.");
            var solved = givens.ToArray();
            foreach (var look in Looks.Where(look => look.Digit > 0))
                solved[look.Cell] = look.Digit;
            Solved = solved;
            if (Units.Any(unit => unit.Select(cell => solved[cell]).Distinct().Count() < Side))
                throw new FormatException("The sudoku contradicts itself.");
        }

        /// <summary>Sixteen digits row by row, 0 for a blank.</summary>
        internal IReadOnlyList<int> Givens { get; }

        internal IReadOnlyList<Look> Looks { get; }

        internal IReadOnlyList<int> Solved { get; }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["grid"] = string.Concat(Givens.Select(Symbol)) };

        /// <inheritdoc/>
        public override string CanonicalForm() => Symmetries.Select(Renamed).Min(StringComparer.Ordinal)!;

        /// <summary>The rearranged grid with digits numbered as they come.</summary>
        private string Renamed(int[] symmetry)
        {
            var text = new StringBuilder(Cells);
            Span<char> names = stackalloc char[Side + 1];
            names.Clear();
            names[0] = '_';
            var next = '1';
            foreach (var source in symmetry)
            {
                ref var name = ref names[Givens[source]];
                if (name == '\0')
                    name = next++;
                text.Append(name);
            }
            return text.ToString();
        }
    }
}
