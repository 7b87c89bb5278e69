using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// minesweeper of SynLogic (arXiv 2505.19641): which covered cells must hold a mine? Difficulty sets the side (4 to 16),
/// the density of mines and how much is uncovered. The answer is the exact set of all mines that follow from the numbers,
/// however deep the reasoning: a cell belongs to it if and only if no layout of mines that fits the numbers leaves it
/// free, which a search over layouts decides. The number of mines is not told. Canonical under the symmetries of the square.
/// </summary>
public sealed class Minesweeper : ReasoningTask<Minesweeper.Field>
{
    private const char Covered = '_';

    /// <summary>Hundredths of the cells hold mines; hundredths of the others are uncovered.</summary>
    private readonly record struct Level(int Side, int MinesPercent, int OpenPercent);

    private static readonly Level[] Levels =
    [
        new(4, 20, 70), new(4, 25, 60), new(5, 20, 60), new(6, 20, 55), new(7, 20, 55),
        new(8, 20, 50), new(10, 20, 50), new(12, 20, 45), new(14, 20, 45), new(16, 20, 45),
    ];

    /// <inheritdoc/>
    public override string Name => "minesweeper";

    /// <inheritdoc/>
    public override string Description => "all mines that follow from the numbers";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["mines", "_", "|", "(", ",", ")", .. Enumerable.Range(0, 17).Select(number => $"{number}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Field, string>> English { get; } =
    [
        p => $"A minesweeper board; _ is a covered cell, and a number tells how many of the up to eight cells around it hold a mine:\n{p}\nList all covered cells that must hold a mine. Write each as (row,column), counted from 1 at the top left.",
        p => $"Which mines can be located with certainty on this board?\n{p}\nNumbers count the mines in adjacent cells, diagonals included; uncovered cells hold none, and the covered ones are marked _. The total number of mines is not known. Give every cell that is a mine in all possible layouts, and no other, as (row,column) pairs; both begin with 1 in the upper left corner.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Field, string>> Chinese { get; } =
    [
        p => $"下面是扫雷盘面，_ 为未翻开的格子，数字表示周围至多八格中的地雷数：\n{p}\n请列出所有必定有雷的未翻开格子，写成 (行,列)，从左上角起以 1 开始计数。",
        p => $"在这个扫雷盘面上，哪些格子可以确定是地雷？\n{p}\n数字为相邻（含斜向）格子中的地雷数，已翻开的格子没有雷，_ 尚未翻开，地雷总数未知。写出在一切可能布局中都是地雷的全部格子，不多不少，格式为 (行,列)，行列均从左上角的 1 开始。",
    ];

    /// <inheritdoc/>
    protected override (Field Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        while (true)
        {
            var cells = Draw(level, rng);
            if (Certain(level.Side, cells) is not { Count: > 0 } certain)
                continue;
            var puzzle = new Field(level.Side, cells, certain);
            return (puzzle, string.Join(' ', certain.Order().Select(cell => $"( {(cell / level.Side) + 1} , {(cell % level.Side) + 1} )")));
        }
    }

    private static string Draw(Level level, Rng rng)
    {
        var side = level.Side;
        var mines = rng.Sample(Enumerable.Range(0, side * side), side * side * level.MinesPercent / 100).ToHashSet();
        return string.Concat(Enumerable.Range(0, side * side).Select(cell => mines.Contains(cell) || rng.Below(100) >= level.OpenPercent
            ? Covered
            : (char)('0' + Grids.Around(cell, side, side).Count(mines.Contains))));
    }

    /// <summary>The cells that hold a mine in every layout; null if none fits or the search takes too long.</summary>
    private static HashSet<int>? Certain(int side, string cells)
    {
        var search = new LayoutSearch(
            cells.Length,
            [.. Enumerable.Range(0, cells.Length).Where(cell => cells[cell] != Covered)
                .Select(cell => (Grids.Around(cell, side, side).Where(other => cells[other] == Covered).ToArray(), cells[cell] - '0'))]);
        return search.Certain();
    }

    /// <inheritdoc/>
    protected override string Compact(Field puzzle) => $"mines {Grids.Bars(puzzle.Cells.Select(c => $"{c}"), puzzle.Side)}";

    /// <inheritdoc/>
    protected override Verdict Check(Field puzzle, string answer)
    {
        if (ReadCells(answer, puzzle.Side) is not { Count: > 0 } cells)
            return Verdict.Wrong("not a list of (row,column)");
        if (cells.Distinct().Count() < cells.Count)
            return Verdict.Wrong("a cell is listed twice");
        if (cells.Any(cell => puzzle.Cells[cell] != Covered))
            return Verdict.Wrong("a cell is not covered");
        if (cells.Any(cell => !puzzle.Mines.Contains(cell)))
            return Verdict.Wrong("a cell may be free of mines");
        return cells.Count == puzzle.Mines.Count ? Verdict.Right : Verdict.Wrong("more mines are certain");
    }

    /// <summary>Pairs of numbers in the order row, column; null if anything else stands there.</summary>
    private static List<int>? ReadCells(string answer, int side)
    {
        var numbers = answer.Split(['(', ')', '[', ']', ',', ';', ' ', '\t', '\r', '\n', '（', '）', '，', '、'], StringSplitOptions.RemoveEmptyEntries);
        if (numbers.Length % 2 != 0 || !numbers.All(number => number.Length <= 2 && number.All(char.IsAsciiDigit)))
            return null;
        var pairs = numbers.Select(int.Parse).Chunk(2).ToArray();
        return pairs.All(pair => pair.All(at => at >= 1 && at <= side)) ? [.. pairs.Select(pair => ((pair[0] - 1) * side) + pair[1] - 1)] : null;
    }

    /// <inheritdoc/>
    protected override Field Read(JsonObject data)
    {
        var (side, cells) = (data.Number("side", 2, 16), data.Text("cells"));
        if (cells.Length != side * side || !cells.All(c => c is Covered or (>= '0' and <= '8')))
            throw new FormatException($"Field 'cells' is not {side} × {side} of _ and the digits 0 to 8.");
        return new Field(side, cells, Certain(side, cells) ?? throw new FormatException("No layout of mines fits the numbers."));
    }

    /// <summary>Numbers, covered cells, and the mines that follow.</summary>
    public sealed class Field : Puzzle
    {
        internal Field(int side, string cells, HashSet<int> mines)
        {
            if (mines.Count == 0)
                throw new FormatException("No mine follows from the numbers.");
            (Side, Cells, Mines) = (side, cells, mines);
        }

        /// <summary>Rows and columns.</summary>
        internal int Side { get; }

        /// <summary>Row after row.</summary>
        internal string Cells { get; }

        /// <summary>The cells that hold a mine in every layout that fits.</summary>
        internal IReadOnlySet<int> Mines { get; }

        /// <summary>The rows as lines.</summary>
        public override string ToString() => Grids.Lines(Cells.Select(c => $"{c}"), Side);

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["side"] = Side, ["cells"] = Cells };

        /// <inheritdoc/>
        public override string CanonicalForm() => Grids.Least(Side, symmetry => string.Concat(Grids.Moved([.. Cells], symmetry)));
    }

    /// <summary>
    /// Layouts of mines under constraints "so many of these cells". A cell is certain if assuming it free leads to a
    /// contradiction; each layout found on the way clears the cells that it leaves free. Assignments are undone by a trail.
    /// </summary>
    private sealed class LayoutSearch
    {
        private const int Patience = 1_000; // decisions; the few boards that take more are not used

        private readonly (int[] Cells, int Count)[] _constraints;
        private readonly int[][] _constraintsOf;
        private readonly bool?[] _mine;
        private readonly Stack<int> _trail = new();
        private int _decisions;

        internal LayoutSearch(int cells, (int[] Cells, int Count)[] constraints)
        {
            (_constraints, _mine) = (constraints, new bool?[cells]);
            var of = Enumerable.Range(0, cells).Select(_ => new List<int>()).ToArray();
            foreach (var (index, constraint) in constraints.Index())
            {
                foreach (var cell in constraint.Cells)
                    of[cell].Add(index);
            }
            _constraintsOf = [.. of.Select(list => list.ToArray())];
        }

        internal HashSet<int>? Certain()
        {
            if (!Enumerable.Range(0, _constraints.Length).All(Propagate))
                return null;
            var certain = Mines();
            var fixedCount = _trail.Count;
            if (!Solve())
                return null;
            var open = Mines();
            open.ExceptWith(certain);
            Undo(fixedCount);
            while (open.Count > 0)
            {
                var cell = open.First();
                if (Assign(cell, false) && Solve())
                    open.IntersectWith(Mines());
                else
                    certain.Add(cell);
                open.Remove(cell);
                Undo(fixedCount);
                if (_decisions > Patience)
                    return null;
            }
            return certain;
        }

        private HashSet<int> Mines() => [.. Enumerable.Range(0, _mine.Length).Where(cell => _mine[cell] == true)];

        private bool Solve()
        {
            var cell = Undecided();
            if (cell < 0)
                return true;
            if (++_decisions > Patience)
                return false;
            var before = _trail.Count;
            if (Assign(cell, true) && Solve())
                return true;
            Undo(before);
            if (Assign(cell, false) && Solve())
                return true;
            Undo(before);
            return false;
        }

        /// <summary>A cell of the constraint with the fewest open cells, or −1 when all constraints are settled.</summary>
        private int Undecided()
        {
            var (best, fewest) = (-1, int.MaxValue);
            foreach (var (cells, _) in _constraints)
            {
                var (first, open) = (-1, 0);
                foreach (var cell in cells)
                {
                    if (_mine[cell] is null)
                        (first, open) = (cell, open + 1);
                }
                if (open > 0 && open < fewest)
                    (best, fewest) = (first, open);
            }
            return best;
        }

        private bool Assign(int cell, bool mine)
        {
            if (_mine[cell] is { } already)
                return already == mine;
            _mine[cell] = mine;
            _trail.Push(cell);
            foreach (var constraint in _constraintsOf[cell])
            {
                if (!Propagate(constraint))
                    return false;
            }
            return true;
        }

        /// <summary>Fills the open cells of a constraint if they must all be alike; false on a contradiction.</summary>
        private bool Propagate(int constraint)
        {
            var (cells, missing) = _constraints[constraint];
            var open = 0;
            foreach (var cell in cells)
            {
                missing -= _mine[cell] == true ? 1 : 0;
                open += _mine[cell] is null ? 1 : 0;
            }
            if (missing < 0 || missing > open)
                return false;
            return (missing > 0 && missing < open) || cells.All(cell => _mine[cell] is not null || Assign(cell, missing > 0));
        }

        private void Undo(int count)
        {
            while (_trail.Count > count)
                _mine[_trail.Pop()] = null;
        }
    }
}
