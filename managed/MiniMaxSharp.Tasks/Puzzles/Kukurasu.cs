using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// kukurasu of SynLogic (arXiv 2505.19641): mark cells so that in each row the numbers of the marked columns, and in each
/// column the numbers of the marked rows, add up to the sums given. Difficulty sets the side (3 to 6) and how even the
/// chances of a mark are. The answer is the grid of 1 (marked) and X; any with these sums will do.
/// Canonical up to exchange of rows and columns.
/// </summary>
public sealed class Kukurasu : ReasoningTask<Kukurasu.Sums>
{
    /// <summary>Side, and tenths of the cells that are marked.</summary>
    private readonly record struct Level(int Side, int MarkedTenths);

    private static readonly Level[] Levels = [new(3, 4), new(3, 5), new(4, 3), new(4, 4), new(4, 5), new(5, 3), new(5, 4), new(5, 5), new(6, 4), new(6, 5)];

    /// <inheritdoc/>
    public override string Name => "kukurasu";

    /// <inheritdoc/>
    public override string Description => "mark cells so that the weighted sums of rows and columns come out";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["mark", "X", "|", ":", .. Enumerable.Range(0, 22).Select(sum => $"{sum}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Sums, string>> English { get; } =
    [
        p => $"Mark cells of a {p.Side}×{p.Side} grid. A marked cell adds the number of its column (1 to {p.Side} from the left) to its row's sum, and the number of its row (1 to {p.Side} from the top) to its column's sum. The row sums from top to bottom are {Text(p.Rows)}; the column sums from left to right are {Text(p.Columns)}. Give the grid row by row, with 1 for a marked cell and X for any other, separated by spaces.",
        p => $"Kukurasu, {p.Side} by {p.Side}.\nRow sums: {Text(p.Rows)}\nColumn sums: {Text(p.Columns)}\nIn a row the first cell is worth 1, the second 2 and so on; in a column it is the same from the top. Choose cells so that the worth of the chosen ones makes every sum. Answer with {p.Side} lines of 1 (chosen) and X (not chosen).",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Sums, string>> Chinese { get; } =
    [
        p => $"请在 {p.Side}×{p.Side} 的方格中涂黑若干格。涂黑的格子给所在行的和加上它的列号（从左起 1 到 {p.Side}），给所在列的和加上它的行号（从上起 1 到 {p.Side}）。从上到下各行的和为 {Text(p.Rows)}，从左到右各列的和为 {Text(p.Columns)}。逐行写出方格，涂黑写 1，其余写 X，以空格隔开。",
        p => $"库库拉苏，边长 {p.Side}。\n各行之和：{Text(p.Rows)}\n各列之和：{Text(p.Columns)}\n每行的第一格值 1，第二格值 2，依此类推；每列自上而下亦然。选出一些格子，使被选格子的分值正好凑成各行各列之和。答案共 {p.Side} 行，选中为 1，未选为 X。",
    ];

    /// <inheritdoc/>
    protected override (Sums Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        bool[] marks;
        do
            marks = [.. Enumerable.Range(0, level.Side * level.Side).Select(_ => rng.Below(10) < level.MarkedTenths)];
        while (marks.All(mark => !mark) || marks.All(mark => mark));
        var (rows, columns) = Add(marks, level.Side);
        return (new Sums(rows, columns), Grids.Bars(marks.Select(mark => mark ? "1" : "X"), level.Side));
    }

    private static (int[] Rows, int[] Columns) Add(bool[] marks, int side) => (
        [.. Enumerable.Range(0, side).Select(row => Enumerable.Range(0, side).Sum(i => marks[(row * side) + i] ? i + 1 : 0))],
        [.. Enumerable.Range(0, side).Select(column => Enumerable.Range(0, side).Sum(i => marks[(i * side) + column] ? i + 1 : 0))]);

    private static string Text(IReadOnlyList<int> sums) => string.Join(' ', sums);

    /// <inheritdoc/>
    protected override string Compact(Sums puzzle) => $"mark {Text(puzzle.Rows)} : {Text(puzzle.Columns)}";

    /// <inheritdoc/>
    protected override Verdict Check(Sums puzzle, string answer)
    {
        if (Grids.Read(answer, puzzle.Side, puzzle.Side) is not { } symbols || !symbols.All(symbol => symbol is "1" or "X" or "x" or "0"))
            return Verdict.Wrong($"not {puzzle.Side} × {puzzle.Side} of the symbols 1 and X");
        var (rows, columns) = Add([.. symbols.Select(symbol => symbol == "1")], puzzle.Side);
        if (!rows.SequenceEqual(puzzle.Rows))
            return Verdict.Wrong($"the rows add up to {Text(rows)}");
        return columns.SequenceEqual(puzzle.Columns) ? Verdict.Right : Verdict.Wrong($"the columns add up to {Text(columns)}");
    }

    /// <inheritdoc/>
    protected override Sums Read(JsonObject data) => new(data.Numbers("rows", 0, 45), data.Numbers("columns", 0, 45));

    /// <summary>The sums of rows and columns.</summary>
    public sealed class Sums : Puzzle
    {
        internal Sums(int[] rows, int[] columns)
        {
            if (rows.Length is < 2 or > 9 || columns.Length != rows.Length)
                throw new FormatException("There is not a sum for each row and column of a square.");
            (Rows, Columns) = (rows, columns);
        }

        internal int Side => Rows.Count;

        internal IReadOnlyList<int> Rows { get; }

        internal IReadOnlyList<int> Columns { get; }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["rows"] = Rows.ToJsonArray(), ["columns"] = Columns.ToJsonArray() };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var (one, other) = ($"{Text(Rows)} : {Text(Columns)}", $"{Text(Columns)} : {Text(Rows)}");
            return string.CompareOrdinal(one, other) < 0 ? one : other;
        }
    }
}
