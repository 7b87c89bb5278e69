using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// norinori of SynLogic (arXiv 2505.19641): shade two cells of every region, so that the shaded cells form dominoes which
/// do not touch at their sides. Difficulty sets the side (4 to 6) and how many regions take their two cells from different
/// dominoes. Dominoes are laid first and regions grown around them, so each puzzle has a solution; any that keeps the
/// rules will do. The answer is the grid of 1 (shaded) and 0. Canonical under the symmetries of the square.
/// </summary>
public sealed class Norinori : ReasoningTask<Norinori.Regions>
{
    /// <summary>Side, fewest dominoes, and fewest regions that take cells of two dominoes.</summary>
    private readonly record struct Level(int Side, int FewestDominoes, int SplitRegions);

    private static readonly Level[] Levels =
        [new(4, 2, 0), new(4, 3, 0), new(5, 3, 0), new(5, 4, 0), new(5, 4, 2), new(5, 4, 2), new(5, 5, 2), new(5, 5, 3), new(6, 6, 2), new(6, 6, 3)];

    /// <inheritdoc/>
    public override string Name => "norinori";

    /// <inheritdoc/>
    public override string Description => "dominoes that do not touch, two cells in each region";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["shade", "|", "0", "1", .. Enumerable.Range(0, 18).Select(region => $"{(char)('A' + region)}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Regions, string>> English { get; } =
    [
        p => $"Letters mark the regions of this grid:\n{p}\nShade exactly two cells in each region. Every shaded cell must have exactly one shaded neighbour (above, below, left or right), in its own region or in another one. Give the grid row by row with 1 for shaded and 0 for other cells, separated by spaces.",
        p => $"Solve this norinori. Cells with the same letter form a region:\n{p}\nPlace dominoes that do not touch each other at their sides, so that each region has two covered cells; a domino may lie across a border between regions. Answer with a grid of the same size: 1 where a domino lies, 0 elsewhere.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Regions, string>> Chinese { get; } =
    [
        p => $"下图中相同的字母属于同一区域：\n{p}\n请在每个区域中恰好涂黑两格，并使每个涂黑的格子在上下左右恰有一个涂黑的邻格（可以在别的区域）。逐行写出盘面，涂黑为 1，其余为 0，以空格隔开。",
        p => $"海苔拼图（同一字母为一个区域）：\n{p}\n放置若干 1×2 的骨牌，骨牌之间不得有公共边，可以跨越区域边界；每个区域恰有两格被盖住。答案为同样大小的盘面：被盖住写 1，否则写 0。",
    ];

    /// <inheritdoc/>
    protected override (Regions Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        while (true)
        {
            var domino = Lay(level.Side, rng);
            if (domino.Max() < level.FewestDominoes || Divide(domino, level, rng) is not { } regions)
                continue;
            return (new Regions(level.Side, regions), Grids.Bars(domino.Select(number => number > 0 ? 1 : 0), level.Side));
        }
    }

    /// <summary>Dominoes in random places as long as there is room: the number of the domino on each cell, 0 for none.</summary>
    private static int[] Lay(int side, Rng rng)
    {
        var (domino, count) = (new int[side * side], 0);
        foreach (var a in rng.Sample(Enumerable.Range(0, domino.Length), domino.Length))
        {
            var places = Beside(a).Where(b => domino[a] == 0 && Beside(a).Concat(Beside(b)).All(cell => domino[cell] == 0)).ToArray();
            if (places.Length > 0)
                domino[a] = domino[rng.Pick(places)] = ++count;
        }
        return domino;

        IEnumerable<int> Beside(int cell) => Grids.Beside(cell, side, side);
    }

    /// <summary>Regions of two shaded cells each; null if too few of them take cells of two dominoes.</summary>
    private static string? Divide(int[] domino, Level level, Rng rng)
    {
        var half = Grow(domino, level.Side, rng);
        var shaded = Enumerable.Range(0, domino.Length).Where(cell => domino[cell] > 0).ToArray();
        var touching = Enumerable.Range(0, half.Length).SelectMany(a => Grids.Beside(a, level.Side, level.Side).Select(b => (half[a], half[b]))).ToHashSet();
        if (Match(rng.Sample(shaded, shaded.Length), touching) is not { } partner)
            return null;
        var split = shaded.Count(cell => domino[cell] != domino[partner[cell]]) / 2;
        return split < level.SplitRegions ? null : Lettered([.. half.Select(owner => Math.Min(owner, partner[owner]))]);
    }

    /// <summary>Each cell to one of the shaded cells: areas that grow at random until they meet.</summary>
    private static int[] Grow(int[] domino, int side, Rng rng)
    {
        var owner = domino.Select((number, cell) => number > 0 ? cell : -1).ToArray();
        while (owner.Contains(-1))
        {
            var borders = Enumerable.Range(0, owner.Length).Where(cell => owner[cell] < 0)
                .SelectMany(cell => Grids.Beside(cell, side, side).Where(other => owner[other] >= 0).Select(other => (cell, other))).ToArray();
            var (free, from) = rng.Pick(borders);
            owner[free] = owner[from];
        }
        return owner;
    }

    /// <summary>Pairs of areas that touch, each area once, taken greedily; null if one is left over.</summary>
    private static Dictionary<int, int>? Match(int[] shaded, HashSet<(int, int)> touching)
    {
        var partner = new Dictionary<int, int>();
        foreach (var a in shaded)
        {
            if (partner.ContainsKey(a))
                continue;
            var b = shaded.FirstOrDefault(other => other != a && !partner.ContainsKey(other) && touching.Contains((a, other)), -1);
            if (b < 0)
                return null;
            (partner[a], partner[b]) = (b, a);
        }
        return partner;
    }

    /// <summary>Letters in the order in which regions are first met.</summary>
    private static string Lettered(IReadOnlyList<int> regions)
    {
        var order = regions.Distinct().ToList();
        return string.Concat(regions.Select(region => (char)('A' + order.IndexOf(region))));
    }

    /// <inheritdoc/>
    protected override string Compact(Regions puzzle) => $"shade {Grids.Bars(puzzle.Cells.Select(c => $"{c}"), puzzle.Side)}";

    /// <inheritdoc/>
    protected override Verdict Check(Regions puzzle, string answer)
    {
        var side = puzzle.Side;
        if (Grids.ReadNumbers(answer, side, side, 0, 1) is not { } cells)
            return Verdict.Wrong($"not {side} × {side} of the symbols 0 and 1");
        var shaded = Enumerable.Range(0, cells.Length).Where(cell => cells[cell] == 1).ToArray();
        if (puzzle.Cells.Distinct().FirstOrDefault(region => shaded.Count(cell => puzzle.Cells[cell] == region) != 2) is not '\0' and var wrong)
            return Verdict.Wrong($"region {wrong} has not two shaded cells");
        return shaded.All(cell => Grids.Beside(cell, side, side).Sum(other => cells[other]) == 1)
            ? Verdict.Right
            : Verdict.Wrong("a shaded cell has not just one shaded neighbour");
    }

    /// <inheritdoc/>
    protected override Regions Read(JsonObject data) => new(data.Number("side", 2, 9), data.Text("regions"));

    /// <summary>A square divided into regions.</summary>
    public sealed class Regions : Puzzle
    {
        internal Regions(int side, string cells)
        {
            if (cells.Length != side * side || !cells.All(char.IsAsciiLetterUpper))
                throw new FormatException($"Field 'regions' is not {side} × {side} capital letters.");
            if (cells.CountBy(c => c).Any(region => region.Value < 2))
                throw new FormatException("A region has but one cell.");
            (Side, Cells) = (side, cells);
        }

        /// <summary>Rows and columns.</summary>
        internal int Side { get; }

        /// <summary>The letter of each cell, row after row.</summary>
        internal string Cells { get; }

        /// <summary>The rows as lines.</summary>
        public override string ToString() => Grids.Lines(Cells.Select(c => $"{c}"), Side);

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["side"] = Side, ["regions"] = Cells };

        /// <inheritdoc/>
        public override string CanonicalForm() => Grids.Least(Side, symmetry => Lettered([.. Grids.Moved([.. Cells], symmetry).Select(c => (int)c)]));
    }
}
