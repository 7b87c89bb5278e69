using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// campsite of SynLogic (arXiv 2505.19641): a tent for each tree, beside it; tents touch neither at sides nor at corners,
/// and rows and columns tell how many they hold. Difficulty sets the side (3 to 5) and the number of trees (about one cell
/// in five). The answer is the grid of T (tree), C (tent) and . (nothing); any that keeps the rules will do, with trees
/// and tents matched one to one. Canonical under the symmetries of the square.
/// </summary>
public sealed class Campsite : ReasoningTask<Campsite.Site>
{
    private const char Tree = 'T';
    private const char Tent = 'C';
    private const char Grass = '.';

    private readonly record struct Level(int Side, int FewestTrees, int MostTrees);

    private static readonly Level[] Levels =
    [
        new(3, 1, 2), new(3, 2, 2), new(4, 2, 3), new(4, 3, 3), new(4, 3, 4),
        new(5, 3, 4), new(5, 4, 4), new(5, 4, 5), new(5, 5, 5), new(5, 5, 6),
    ];

    /// <inheritdoc/>
    public override string Name => "campsite";

    /// <inheritdoc/>
    public override string Description => "tents beside trees, none touching, so many in each row and column";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["camp", "|", ":", $"{Tree}", $"{Tent}", $"{Grass}", .. Enumerable.Range(0, 6).Select(count => $"{count}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Site, string>> English { get; } =
    [
        p => $"Pitch tents on this campsite (T is a tree, . is free):\n{p}\nEach tree gets a tent of its own on a free cell directly above, below, left or right of it. Tents do not touch each other, not even at corners. The rows hold {Counts(p.Rows)} tents from top to bottom, the columns {Counts(p.Columns)} from left to right. Give the grid row by row with C for tents, symbols separated by spaces.",
        p => $"Trees stand on a {p.Side}×{p.Side} campsite:\n{p}\nTents per row: {Counts(p.Rows)}\nTents per column: {Counts(p.Columns)}\nPlace as many tents (C) as there are trees, so that tents and trees can be paired off, partners side by side, and no two tents are neighbours, also not diagonally. Answer with the complete grid of T, C and . in rows.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Site, string>> Chinese { get; } =
    [
        p => $"请在营地上搭帐篷（T 为树，. 为空地）：\n{p}\n每棵树都有一顶属于自己的帐篷，位于它的上、下、左或右侧的空地上。帐篷之间不得相邻，对角也不行。从上到下各行的帐篷数为 {Counts(p.Rows)}，从左到右各列为 {Counts(p.Columns)}。以 C 表示帐篷，逐行写出整个盘面，符号以空格隔开。",
        p => $"一块 {p.Side}×{p.Side} 的营地：\n{p}\n各行帐篷数：{Counts(p.Rows)}\n各列帐篷数：{Counts(p.Columns)}\n帐篷（C）与树一样多，并能与上下左右相邻的树一一配对；任意两顶帐篷不得相邻（包括斜向）。答案为由 T、C 和 . 组成的完整盘面。",
    ];

    /// <inheritdoc/>
    protected override (Site Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var trees = rng.Between(level.FewestTrees, level.MostTrees);
        char[]? cells;
        do
            cells = Draw(level.Side, trees, rng);
        while (cells is null);
        var (rows, columns) = Count(cells, level.Side);
        var puzzle = new Site(string.Concat(cells).Replace(Tent, Grass), rows, columns);
        return (puzzle, Grids.Bars(cells.Select(c => $"{c}"), level.Side));
    }

    /// <summary>Tents one after the other, each with a tree beside it; null when there is no room.</summary>
    private static char[]? Draw(int side, int trees, Rng rng)
    {
        var cells = new string(Grass, side * side).ToCharArray();
        foreach (var cell in rng.Sample(Enumerable.Range(0, cells.Length), cells.Length))
        {
            var places = Grids.Beside(cell, side, side).Where(place => cells[place] == Grass).ToArray();
            if (trees == 0 || cells[cell] != Grass || places.Length == 0 || Grids.Around(cell, side, side).Any(other => cells[other] == Tent))
                continue;
            cells[cell] = Tent;
            cells[rng.Pick(places)] = Tree;
            trees--;
        }
        return trees == 0 ? cells : null;
    }

    private static (int[] Rows, int[] Columns) Count(char[] cells, int side) => (
        [.. Enumerable.Range(0, side).Select(row => Enumerable.Range(0, side).Count(i => cells[(row * side) + i] == Tent))],
        [.. Enumerable.Range(0, side).Select(column => Enumerable.Range(0, side).Count(i => cells[(i * side) + column] == Tent))]);

    private static string Counts(IReadOnlyList<int> counts) => string.Join(' ', counts);

    /// <inheritdoc/>
    protected override string Compact(Site puzzle) =>
        $"camp {Grids.Bars(puzzle.Cells.Select(c => $"{c}"), puzzle.Side)} : {Counts(puzzle.Rows)} : {Counts(puzzle.Columns)}";

    /// <inheritdoc/>
    protected override Verdict Check(Site puzzle, string answer)
    {
        var side = puzzle.Side;
        if (Grids.Read(answer, side, side) is not { } symbols || !symbols.All(symbol => symbol is "T" or "C" or "."))
            return Verdict.Wrong($"not {side} × {side} of the symbols T, C and .");
        var cells = symbols.Select(symbol => symbol[0]).ToArray();
        if (Enumerable.Range(0, cells.Length).Any(cell => (cells[cell] == Tree) != (puzzle.Cells[cell] == Tree)))
            return Verdict.Wrong("a tree was moved");
        var (rows, columns) = Count(cells, side);
        if (!rows.SequenceEqual(puzzle.Rows) || !columns.SequenceEqual(puzzle.Columns))
            return Verdict.Wrong("a row or column holds another number of tents");
        var tents = Enumerable.Range(0, cells.Length).Where(cell => cells[cell] == Tent).ToArray();
        if (tents.Any(tent => Grids.Around(tent, side, side).Any(other => cells[other] == Tent)))
            return Verdict.Wrong("two tents touch");
        return PairOff(tents, cells, side) ? Verdict.Right : Verdict.Wrong("trees and tents cannot be paired off");
    }

    /// <summary>Whether each tent gets a tree of its own and each tree a tent: augmenting paths.</summary>
    private static bool PairOff(int[] tents, char[] cells, int side)
    {
        var owner = new Dictionary<int, int>();
        return tents.Length == cells.Count(cell => cell == Tree) && tents.All(tent => Find(tent, []));

        bool Find(int tent, HashSet<int> seen)
        {
            foreach (var tree in Grids.Beside(tent, side, side).Where(cell => cells[cell] == Tree && seen.Add(cell)))
            {
                if (owner.TryGetValue(tree, out var other) && !Find(other, seen))
                    continue;
                owner[tree] = tent;
                return true;
            }
            return false;
        }
    }

    /// <inheritdoc/>
    protected override Site Read(JsonObject data) => new(data.Text("grid"), data.Numbers("rows", 0, 9), data.Numbers("columns", 0, 9));

    /// <summary>Trees on a square, and how many tents each row and column holds.</summary>
    public sealed class Site : Puzzle
    {
        internal Site(string cells, int[] rows, int[] columns)
        {
            if (rows.Length is < 2 or > 9 || columns.Length != rows.Length || cells.Length != rows.Length * rows.Length || !cells.All(c => c is Tree or Grass))
                throw new FormatException("The campsite is not a square of trees and grass with a count for each row and column.");
            if (rows.Sum() != cells.Count(c => c == Tree) || columns.Sum() != rows.Sum())
                throw new FormatException("There are not as many tents as trees.");
            (Cells, Rows, Columns) = (cells, rows, columns);
        }

        internal int Side => Rows.Count;

        /// <summary>Row after row.</summary>
        internal string Cells { get; }

        internal IReadOnlyList<int> Rows { get; }

        internal IReadOnlyList<int> Columns { get; }

        /// <summary>The rows as lines.</summary>
        public override string ToString() => Grids.Lines(Cells.Select(c => $"{c}"), Side);

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["grid"] = Cells, ["rows"] = Rows.ToJsonArray(), ["columns"] = Columns.ToJsonArray() };

        /// <inheritdoc/>
        public override string CanonicalForm() => Grids.Least(Side, symmetry =>
        {
            // Counts stand in the cells of their line, so that they move along.
            var lines = Enumerable.Range(0, Cells.Length).Select(cell => (Row: Rows[cell / Side], Column: Columns[cell % Side])).ToArray();
            var (moved, transposed) = (Grids.Moved(lines, symmetry), Math.Abs(symmetry[1] - symmetry[0]) != 1);
            return string.Join(' ', Grids.Moved([.. Cells], symmetry).Zip(moved, (cell, line) =>
                transposed ? $"{cell}{line.Column}{line.Row}" : $"{cell}{line.Row}{line.Column}"));
        });
    }
}
