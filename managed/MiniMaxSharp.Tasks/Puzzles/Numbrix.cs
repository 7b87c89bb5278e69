using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// numbrix of SynLogic (arXiv 2505.19641): fill a square with 1, 2, 3, … so that each number and the next share an edge.
/// Difficulty sets the side (6 to 12) and how many cells are hidden. There may be several solutions; the verifier goes by the rules.
/// The path comes from backbite moves, which reach all sorts of Hamiltonian paths and never leave a dead end.
/// The answer is the whole board row by row. Canonical up to rotation, reflection and counting backwards.
/// </summary>
public sealed class Numbrix : ReasoningTask<Numbrix.Path>
{
    private const int LargestSide = 15;

    private readonly record struct Level(int Side, int HiddenPercent);

    private static readonly Level[] Levels =
        [new(6, 25), new(6, 40), new(6, 55), new(7, 50), new(7, 60), new(8, 60), new(9, 65), new(10, 65), new(11, 70), new(12, 75)];

    /// <inheritdoc/>
    public override string Name => "numbrix";

    /// <inheritdoc/>
    public override string Description => "a path of consecutive numbers through all cells";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["path", "|", "_", .. Enumerable.Range(1, 12 * 12).Select(number => $"{number}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Path, string>> English { get; } =
    [
        p => $"Fill the blanks (_) of this {p.Side}×{p.Side} board with the missing numbers from 1 to {p.Cells.Count}, each used once, so that consecutive numbers always stand next to each other, horizontally or vertically.\n{p}\nGive the whole board row by row.",
        p => $"A path visits every cell of a board once, going up, down, left or right, and numbers the cells as it comes to them. Some numbers were erased:\n{p}\nRestore them; the answer is all {p.Side} rows of the board, which holds 1 to {p.Cells.Count}.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Path, string>> Chinese { get; } =
    [
        p => $"在这个 {p.Side}×{p.Side} 的盘面的空格（_）中填数，使 1 到 {p.Cells.Count} 各出现一次，且相邻的两个数（如 5 与 6）所在格子上下或左右相邻。\n{p}\n请逐行写出完整盘面。",
        p => $"一条路线上下左右行走，恰好经过每个格子一次，并依次编号 1 到 {p.Cells.Count}。部分编号被擦掉了（_）：\n{p}\n请恢复全部编号，按行写出。",
    ];

    /// <inheritdoc/>
    protected override (Path Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var solved = Number(Wander(level.Side, rng));
        var cells = solved.ToArray();
        foreach (var cell in rng.Sample(Enumerable.Range(0, cells.Length), cells.Length * level.HiddenPercent / 100))
            cells[cell] = 0;
        return (new Path(level.Side, cells), Grids.Bars(solved, level.Side));
    }

    private static int[] Number(int[] path)
    {
        var numbers = new int[path.Length];
        for (var i = 0; i < path.Length; i++)
            numbers[path[i]] = i + 1;
        return numbers;
    }

    /// <summary>
    /// A path row by row, changed many times: its end is joined to a neighbour further back, and the loop that this makes is opened behind that neighbour.
    /// </summary>
    private static int[] Wander(int side, Rng rng)
    {
        var path = Enumerable.Range(0, side * side).Select(i => i / side % 2 == 0 ? i : (i / side * side) + side - 1 - (i % side)).ToArray();
        for (var move = 0; move < 10 * path.Length; move++)
        {
            if (rng.OneIn(8))
                Array.Reverse(path);
            var joined = Array.IndexOf(path, rng.Pick([.. Grids.Beside(path[^1], side, side).Where(cell => cell != path[^2])]));
            Array.Reverse(path, joined + 1, path.Length - joined - 1);
        }
        return path;
    }

    /// <inheritdoc/>
    protected override string Compact(Path puzzle) => $"path {puzzle.ToString().Replace("\n", " | ")}";

    /// <inheritdoc/>
    protected override Verdict Check(Path puzzle, string answer)
    {
        var count = puzzle.Cells.Count;
        if (Grids.ReadNumbers(answer, puzzle.Side, puzzle.Side, 1, count) is not { } numbers)
            return Verdict.Wrong($"not {count} numbers from 1 to {count}");
        if (puzzle.Cells.Index().Any(given => given.Item > 0 && given.Item != numbers[given.Index]))
            return Verdict.Wrong("a given number was changed");
        var places = new int[count + 1];
        foreach (var (cell, number) in numbers.Index())
        {
            if (places[number] > 0)
                return Verdict.Wrong("a number stands there twice");
            places[number] = cell + 1;
        }
        return Enumerable.Range(1, count - 1).All(number => Grids.Beside(places[number] - 1, puzzle.Side, puzzle.Side).Contains(places[number + 1] - 1))
            ? Verdict.Right
            : Verdict.Wrong("a number and the next are not neighbours");
    }

    /// <inheritdoc/>
    protected override Path Read(JsonObject data) => new(data.Number("side", 2, LargestSide), data.Numbers("cells", 0, LargestSide * LargestSide));

    /// <summary>A square with some numbers of the path.</summary>
    public sealed class Path : Puzzle
    {
        internal Path(int side, int[] cells)
        {
            (Side, Cells) = (side, cells);
            var given = cells.Where(number => number > 0).ToArray();
            if (cells.Length != side * side || given.Any(number => number > cells.Length) || given.Distinct().Count() < given.Length)
                throw new FormatException("The board is not a square with different numbers up to its size.");
        }

        internal int Side { get; }

        /// <summary>Row by row, 0 for a blank.</summary>
        internal IReadOnlyList<int> Cells { get; }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["side"] = Side, ["cells"] = Cells.ToJsonArray() };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var (forwards, backwards) = (Least(number => number), Least(number => Cells.Count + 1 - number));
            return string.CompareOrdinal(forwards, backwards) < 0 ? forwards : backwards;
        }

        private string Least(Func<int, int> rename) =>
            Grids.Least(Side, source => string.Join(',', source.Select(cell => Cells[cell] == 0 ? 0 : rename(Cells[cell]))));

        /// <inheritdoc/>
        public override string ToString() => Grids.Lines(Cells.Select(number => number == 0 ? "_" : $"{number}"), Side);
    }
}
