using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// number_wall of SynLogic (arXiv 2505.19641): walls part a square into islands, each with one number in it that is its size;
/// islands touch at corners at most, and no 2×2 block is all wall. Walls need not hang together.
/// Difficulty sets the side (3 to 5) and the size of islands. There may be several solutions; the verifier goes by the rules.
/// The answer is the board row by row: # for wall, . for island, numbers where they are given.
/// Canonical up to rotation and reflection.
/// </summary>
public sealed class NumberWall : ReasoningTask<NumberWall.Clues>
{
    private const int LargestSide = 9;

    private readonly record struct Level(int Side, int LargestIsland);

    private static readonly Level[] Levels =
        [new(3, 2), new(3, 3), new(3, 4), new(4, 3), new(4, 4), new(4, 5), new(5, 4), new(5, 5), new(5, 6), new(5, 8)];

    /// <inheritdoc/>
    public override string Name => "number_wall";

    /// <inheritdoc/>
    public override string Description => "walls between islands of given sizes";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["wall", "|", "_", "#", ".", .. Enumerable.Range(1, 9).Select(clue => $"{clue}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Clues, string>> English { get; } =
    [
        p => $"Build walls on this {p.Side}×{p.Side} board so that the open cells form islands. Each island is connected along edges, holds exactly one number, and has as many cells as that number says. Two islands never share an edge, and no 2×2 block consists of walls only. A cell with a number is open.\n{p}\nWrite the finished board row by row, # for a wall, . for an open cell, and keep the numbers.",
        p => $"Number wall. Decide for each _ whether it is wall (#) or land (.):\n{p}\nRules: every piece of land (cells joined by edges) contains one number, which is its size, numbered cell included; pieces may meet at corners only; nowhere do four walls make a 2×2 square. Answer with all {p.Side} rows, numbers in their places.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Clues, string>> Chinese { get; } =
    [
        p => $"请在下面 {p.Side}×{p.Side} 的盘面上砌墙，使余下的格子组成若干岛屿：每个岛屿由边相连的格子组成，恰含一个数字，格子数等于该数字；不同岛屿不得有公共边；任何 2×2 方块不得全是墙。数字所在的格子属于岛屿。\n{p}\n逐行写出结果：墙写 #，空地写 .，数字保留原处。",
        p => $"数字墙谜题，_ 为待定格：\n{p}\n把每个待定格定为墙（#）或陆地（.）。每块相连的陆地只含一个数字，且大小等于这个数字（数字格也算）；陆地之间只能在角上相碰；不能出现 2×2 的墙。答案为完整盘面，每行一行。",
    ];

    /// <inheritdoc/>
    protected override (Clues Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        while (true)
        {
            if (Draw(level, rng) is not { } islands)
                continue;
            var clues = new int[level.Side * level.Side];
            foreach (var island in islands)
                clues[rng.Pick(island)] = island.Count;
            var open = islands.SelectMany(island => island).ToHashSet();
            var symbols = clues.Select((clue, cell) => clue > 0 ? $"{clue}" : open.Contains(cell) ? "." : "#");
            return (new Clues(level.Side, clues), Grids.Bars(symbols, level.Side));
        }
    }

    /// <summary>Islands put into blocks of walls until there is none left; null where that fails.</summary>
    private static List<List<int>>? Draw(Level level, Rng rng)
    {
        var islands = new List<List<int>>();
        while (Blocks(level.Side).Where(block => !islands.Any(island => island.Any(block.Contains))).ToArray() is { Length: > 0 } blocks)
        {
            var free = rng.Pick(blocks).Where(cell => IsApart(cell, islands, level.Side)).ToArray();
            if (free.Length == 0)
                return null;
            islands.Add(Grow(rng.Pick(free), rng.Between(1, level.LargestIsland), islands, level.Side, rng));
        }
        return islands;
    }

    private static List<int> Grow(int start, int size, List<List<int>> others, int side, Rng rng)
    {
        var island = new List<int> { start };
        while (island.Count < size)
        {
            var shore = island.SelectMany(cell => Grids.Beside(cell, side, side))
                .Where(cell => !island.Contains(cell) && IsApart(cell, others, side)).Distinct().ToArray();
            if (shore.Length == 0)
                break;
            island.Add(rng.Pick(shore));
        }
        return island;
    }

    private static bool IsApart(int cell, List<List<int>> islands, int side) =>
        !islands.Any(island => island.Contains(cell) || Grids.Beside(cell, side, side).Any(island.Contains));

    private static IEnumerable<int[]> Blocks(int side) =>
        from row in Enumerable.Range(0, side - 1)
        from column in Enumerable.Range(0, side - 1)
        let cell = (row * side) + column
        select new[] { cell, cell + 1, cell + side, cell + side + 1 };

    /// <inheritdoc/>
    protected override string Compact(Clues puzzle) => $"wall {puzzle.ToString().Replace("\n", " | ")}";

    /// <inheritdoc/>
    protected override Verdict Check(Clues puzzle, string answer)
    {
        if (Grids.Read(answer, puzzle.Side, puzzle.Side) is not { } symbols)
            return Verdict.Wrong($"not {puzzle.Cells.Count} cells");
        if (puzzle.Cells.Index().Any(clue => clue.Item > 0 ? symbols[clue.Index] != $"{clue.Item}" : symbols[clue.Index] is not ("#" or ".")))
            return Verdict.Wrong("a number was changed, or a cell is neither wall nor open");
        if (Blocks(puzzle.Side).Any(block => block.All(cell => symbols[cell] == "#")))
            return Verdict.Wrong("a 2×2 block is all wall");
        return Islands(symbols, puzzle.Side).All(island => island.Where(cell => puzzle.Cells[cell] > 0).ToArray() is [var clue] && puzzle.Cells[clue] == island.Count)
            ? Verdict.Right
            : Verdict.Wrong("an island does not hold just one number that is its size");
    }

    private static IEnumerable<List<int>> Islands(string[] symbols, int side)
    {
        var seen = new bool[symbols.Length];
        for (var start = 0; start < symbols.Length; start++)
        {
            if (symbols[start] == "#" || seen[start])
                continue;
            var island = new List<int> { start };
            seen[start] = true;
            for (var i = 0; i < island.Count; i++)
            {
                foreach (var next in Grids.Beside(island[i], side, side).Where(next => symbols[next] != "#" && !seen[next]))
                {
                    seen[next] = true;
                    island.Add(next);
                }
            }
            yield return island;
        }
    }

    /// <inheritdoc/>
    protected override Clues Read(JsonObject data) => new(data.Number("side", 2, LargestSide), data.Numbers("cells", 0, 9));

    /// <summary>A square with some numbers in it.</summary>
    public sealed class Clues : Puzzle
    {
        internal Clues(int side, int[] cells)
        {
            (Side, Cells) = (side, cells);
            if (cells.Length != side * side || cells.All(clue => clue == 0))
                throw new FormatException("The board is not a square with numbers in it.");
        }

        internal int Side { get; }

        /// <summary>Row by row, 0 where nothing is given.</summary>
        internal IReadOnlyList<int> Cells { get; }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["side"] = Side, ["cells"] = Cells.ToJsonArray() };

        /// <inheritdoc/>
        public override string CanonicalForm() => Grids.Least(Side, source => string.Concat(source.Select(cell => Cells[cell])));

        /// <inheritdoc/>
        public override string ToString() => Grids.Lines(Cells.Select(clue => clue == 0 ? "_" : $"{clue}"), Side);
    }
}
