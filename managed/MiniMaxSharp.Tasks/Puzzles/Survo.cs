using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// survo of SynLogic (arXiv 2505.19641): put given numbers into the blanks of a table so that its rows and columns have the given sums.
/// Difficulty sets the size of the table (2×3 to 5×5), the number of blanks and the range of numbers. There may be several
/// solutions; the verifier goes by the rules. The answer is the table, without sums, row by row.
/// Canonical up to the order of rows and transposition (columns keep their order).
/// </summary>
public sealed class Survo : ReasoningTask<Survo.Table>
{
    private const int LongestSide = 10;
    private const int LargestNumber = 999;

    private readonly record struct Level(int Rows, int Columns, int Blanks, int LargestNumber);

    private static readonly Level[] Levels =
    [
        new(2, 3, 3, 9), new(3, 3, 3, 9), new(3, 3, 4, 12), new(3, 4, 5, 15), new(3, 4, 6, 20),
        new(4, 4, 7, 25), new(4, 4, 9, 30), new(4, 5, 11, 40), new(5, 5, 13, 50), new(5, 5, 16, 60),
    ];

    /// <inheritdoc/>
    public override string Name => "survo";

    /// <inheritdoc/>
    public override string Description => "given numbers into a table so that the sums of rows and columns come out";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["sums", "|", "_", "=", ":", .. Enumerable.Range(1, 300).Select(number => $"{number}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Table, string>> English { get; } =
    [
        p => $"Put each of the numbers {p.List} into one blank (_) of this table so that every row adds up to the number behind it and every column to the number below it.\n{p}\nGive the {p.Height} rows of the finished table without the sums.",
        p => $"This table lost some of its numbers; its row sums (after =) and column sums (last line) are still right:\n{p}\nThe lost numbers are {p.List}, each to be used once for each time it is listed. Restore the table and write it row by row, sums left out.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Table, string>> Chinese { get; } =
    [
        p => $"把 {p.List} 这些数各用一次填入表中的空格（_），使每行之和等于行末的数，每列之和等于最下面一行的数。\n{p}\n逐行写出填好的表，不写和。",
        p => $"下表缺了一些数，等号后是该行的和，最后一行是各列的和：\n{p}\n缺的数是 {p.List}（列出几次就用几次）。请补全此表，按行写出各数，和不必写。",
    ];

    /// <inheritdoc/>
    protected override (Table Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var solved = Enumerable.Range(0, level.Rows * level.Columns).Select(_ => rng.Between(1, level.LargestNumber)).ToArray();
        var (cells, blanks) = (solved.ToArray(), rng.Sample(Enumerable.Range(0, solved.Length), level.Blanks));
        foreach (var cell in blanks)
            cells[cell] = 0;
        var puzzle = new Table(cells, Sums(solved, level.Rows, level.Columns), Sums(Transpose(solved, level.Columns), level.Columns, level.Rows), [.. blanks.Select(cell => solved[cell]).Order()]);
        return (puzzle, Grids.Bars(solved, level.Columns));
    }

    private static int[] Sums(IEnumerable<int> cells, int rows, int columns) => [.. cells.Chunk(columns).Take(rows).Select(row => row.Sum())];

    private static int[] Transpose(IReadOnlyList<int> cells, int columns) =>
        [.. Enumerable.Range(0, cells.Count).Select(cell => cells[(cell % (cells.Count / columns) * columns) + (cell / (cells.Count / columns))])];

    /// <inheritdoc/>
    protected override string Compact(Table puzzle) => $"sums {puzzle.ToString().Replace("\n", " | ")} : {string.Join(' ', puzzle.Candidates)}";

    /// <inheritdoc/>
    protected override Verdict Check(Table puzzle, string answer)
    {
        if (Grids.ReadNumbers(answer, puzzle.Height, puzzle.Width, 1, LargestNumber) is not { } numbers)
            return Verdict.Wrong($"not {puzzle.Cells.Count} numbers");
        if (puzzle.Cells.Index().Any(given => given.Item > 0 && given.Item != numbers[given.Index]))
            return Verdict.Wrong("a given number was changed");
        if (!numbers.Where((_, cell) => puzzle.Cells[cell] == 0).Order().SequenceEqual(puzzle.Candidates.Order()))
            return Verdict.Wrong("the blanks do not hold the numbers that were given for them");
        if (!Sums(numbers, puzzle.Height, puzzle.Width).SequenceEqual(puzzle.RowSums))
            return Verdict.Wrong("a row has the wrong sum");
        return Sums(Transpose(numbers, puzzle.Width), puzzle.Width, puzzle.Height).SequenceEqual(puzzle.ColumnSums)
            ? Verdict.Right
            : Verdict.Wrong("a column has the wrong sum");
    }

    /// <inheritdoc/>
    protected override Table Read(JsonObject data) => new(
        data.Numbers("cells", 0, LargestNumber), data.Numbers("rowSums", 1, LargestNumber * LongestSide),
        data.Numbers("columnSums", 1, LargestNumber * LongestSide), data.Numbers("candidates", 1, LargestNumber));

    /// <summary>A table with blanks, its sums, and the numbers for the blanks.</summary>
    public sealed class Table : Puzzle
    {
        internal Table(int[] cells, int[] rowSums, int[] columnSums, int[] candidates)
        {
            (Cells, RowSums, ColumnSums, Candidates) = (cells, rowSums, columnSums, candidates);
            if (Height is < 1 or > LongestSide || Width is < 1 or > LongestSide || cells.Length != Height * Width)
                throw new FormatException("The cells do not fit the sums.");
            if (cells.Count(cell => cell == 0) != candidates.Length || candidates.Length == 0)
                throw new FormatException("There is not one number for each blank.");
            if (rowSums.Sum() != columnSums.Sum() || rowSums.Sum() != cells.Sum() + candidates.Sum())
                throw new FormatException("The sums contradict each other.");
        }

        /// <summary>Row by row, 0 for a blank.</summary>
        internal IReadOnlyList<int> Cells { get; }

        internal IReadOnlyList<int> RowSums { get; }

        internal IReadOnlyList<int> ColumnSums { get; }

        internal IReadOnlyList<int> Candidates { get; }

        internal int Height => RowSums.Count;

        internal int Width => ColumnSums.Count;

        internal string List => string.Join(", ", Candidates);

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["cells"] = Cells.ToJsonArray(),
            ["rowSums"] = RowSums.ToJsonArray(),
            ["columnSums"] = ColumnSums.ToJsonArray(),
            ["candidates"] = Candidates.ToJsonArray(),
        };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var (upright, turned) = (Sorted(Cells, RowSums, ColumnSums), Sorted(Transpose(Cells, Width), ColumnSums, RowSums));
            return $"{(string.CompareOrdinal(upright, turned) < 0 ? upright : turned)} {string.Join(',', Candidates.Order())}";
        }

        private static string Sorted(IEnumerable<int> cells, IReadOnlyList<int> rowSums, IReadOnlyList<int> columnSums) => string.Join(
            '|', cells.Chunk(columnSums.Count).Select((row, i) => $"{string.Join(',', row)}={rowSums[i]}").Order(StringComparer.Ordinal).Append(string.Join(',', columnSums)));

        /// <inheritdoc/>
        public override string ToString()
        {
            var rows = Cells.Chunk(Width).Select((row, i) => $"{string.Join(' ', row.Select(cell => cell == 0 ? "_" : $"{cell}"))} = {RowSums[i]}");
            return $"{string.Join('\n', rows)}\n{string.Join(' ', ColumnSums)}";
        }
    }
}
