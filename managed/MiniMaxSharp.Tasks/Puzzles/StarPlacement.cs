using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// star_placement of SynLogic (arXiv 2505.19641): k stars in each row, column and region of a square, none touching another, not even at a corner.
/// Difficulty sets the side (4 to 9) and k (1 or 2; two stars a line need a side of 8 at least, for a 2×2 block holds one star at most).
/// Regions are grown around random stars, and of many drawn ones those with one solution are preferred; the verifier goes by the rules.
/// The answer is the board with * for a star and . elsewhere. Canonical up to rotation, reflection and renaming of regions.
/// </summary>
public sealed class StarPlacement : ReasoningTask<StarPlacement.Sky>
{
    private const int LargestSide = 10;
    private const int Attempts = 20;

    private readonly record struct Level(int Side, int Stars);

    private static readonly Level[] Levels =
        [new(4, 1), new(5, 1), new(5, 1), new(6, 1), new(6, 1), new(6, 1), new(7, 1), new(8, 1), new(8, 2), new(9, 2)];

    /// <inheritdoc/>
    public override string Name => "star_placement";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["stars", "|", "*", ".", "1", "2", .. Enumerable.Range(0, LargestSide).Select(region => $"{Letter(region)}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Sky, string>> English { get; } =
    [
        p => $"Place stars on this {p.Side}×{p.Side} board, on which letters mark regions:\n{p}\nEach row, each column and each region must hold exactly {p.Stars} star{(p.Stars == 1 ? "" : "s")}, and no two stars may touch, not even diagonally. Write the board row by row, * for a star and . for an empty cell.",
        p => $"Star battle with {p.Stars} star{(p.Stars == 1 ? "" : "s")} in every row, column and region. Cells of one letter make a region:\n{p}\nStars are never neighbours, corners included. The answer is the whole board with * and . only.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Sky, string>> Chinese { get; } =
    [
        p => $"在下面 {p.Side}×{p.Side} 的盘面上放星星，相同字母的格子属于同一区域：\n{p}\n每行、每列、每个区域恰有 {p.Stars} 颗星，任意两颗星不得相邻（斜向也不行）。逐行写出盘面：星写 *，空格写 .。",
        p => $"放置星星：字母表示区域。\n{p}\n要求每行、每列、每区各 {p.Stars} 颗星，星与星在横、竖、斜方向都不相接。答案为完整盘面，用 * 和 . 表示。",
    ];

    /// <inheritdoc/>
    protected override (Sky Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        for (var attempt = 1; ; attempt++)
        {
            var stars = new Search(level.Side, level.Stars, null, rng).Solutions().First();
            if (DrawRegions(level, stars, rng) is not { } regions)
                continue;
            if (attempt >= Attempts || new Search(level.Side, level.Stars, regions, rng).Solutions().Take(2).Count() == 1)
                return (new Sky(level.Side, level.Stars, regions), Grids.Bars(Enumerable.Range(0, regions.Length).Select(cell => stars.Contains(cell) ? "*" : "."), level.Side));
        }
    }

    /// <summary>An area around each star; for more than one star a region, areas are joined in pairs. Null where that fails.</summary>
    private static int[]? DrawRegions(Level level, int[] stars, Rng rng)
    {
        var areas = Grow(level.Side, stars, rng);
        if (level.Stars == 1)
            return areas;
        var partners = new int[stars.Length];
        Array.Fill(partners, -1);
        if (!Pair(partners, Touching(areas, level.Side), rng))
            return null;
        var leaders = Enumerable.Range(0, stars.Length).Select(area => Math.Min(area, partners[area])).Distinct().Order().ToList();
        return [.. areas.Select(area => leaders.IndexOf(Math.Min(area, partners[area])))];
    }

    private static int[] Grow(int side, int[] stars, Rng rng)
    {
        var areas = new int[side * side];
        Array.Fill(areas, -1);
        foreach (var (area, star) in stars.Index())
            areas[star] = area;
        while (Array.IndexOf(areas, -1) >= 0)
        {
            var border = Enumerable.Range(0, areas.Length).Where(cell => areas[cell] < 0 && Grids.Beside(cell, side, side).Any(next => areas[next] >= 0)).ToArray();
            var cell = rng.Pick(border);
            areas[cell] = areas[rng.Pick([.. Grids.Beside(cell, side, side).Where(next => areas[next] >= 0)])];
        }
        return areas;
    }

    private static HashSet<(int, int)> Touching(int[] areas, int side) =>
        [.. Enumerable.Range(0, areas.Length).SelectMany(cell => Grids.Beside(cell, side, side).Select(next => (areas[cell], areas[next])))];

    private static bool Pair(int[] partners, HashSet<(int, int)> touching, Rng rng)
    {
        var first = Array.IndexOf(partners, -1);
        if (first < 0)
            return true;
        var free = Enumerable.Range(first + 1, partners.Length - first - 1).Where(area => partners[area] < 0 && touching.Contains((first, area))).ToArray();
        foreach (var second in rng.Sample(free, free.Length))
        {
            (partners[first], partners[second]) = (second, first);
            if (Pair(partners, touching, rng))
                return true;
            (partners[first], partners[second]) = (-1, -1);
        }
        return false;
    }

    /// <inheritdoc/>
    protected override string Compact(Sky puzzle) => $"stars {puzzle.Stars} | {puzzle.ToString().Replace("\n", " | ")}";

    /// <inheritdoc/>
    protected override Verdict Check(Sky puzzle, string answer)
    {
        var side = puzzle.Side;
        if (Grids.Read(answer, side, side) is not { } symbols || !symbols.All(symbol => symbol is "*" or "."))
            return Verdict.Wrong($"not {side * side} cells of * and .");
        var stars = Enumerable.Range(0, symbols.Length).Where(cell => symbols[cell] == "*").ToArray();
        if (stars.Any(star => Grids.Around(star, side, side).Any(cell => symbols[cell] == "*")))
            return Verdict.Wrong("two stars touch");
        return Even(star => star / side) && Even(star => star % side) && Even(star => puzzle.Regions[star])
            ? Verdict.Right
            : Verdict.Wrong($"a row, column or region does not hold {puzzle.Stars}");

        bool Even(Func<int, int> line) => stars.Length == side * puzzle.Stars && stars.GroupBy(line).All(group => group.Count() == puzzle.Stars);
    }

    /// <inheritdoc/>
    protected override Sky Read(JsonObject data) =>
        new(data.Number("side", 4, LargestSide), data.Number("stars", 1, 2), data.Numbers("regions", 0, LargestSide - 1));

    private static char Letter(int region) => (char)('A' + region);

    /// <summary>Goes through the rows, and in each through the choices of columns in random order.</summary>
    private sealed class Search(int side, int stars, int[]? regions, Rng rng)
    {
        private readonly int[] _inColumn = new int[side];
        private readonly int[] _inRegion = new int[side];
        private readonly List<int> _placed = [];

        internal IEnumerable<int[]> Solutions() => From(0);

        private IEnumerable<int[]> From(int row)
        {
            if (row == side)
            {
                yield return [.. _placed];
                yield break;
            }
            foreach (var columns in Choices(row))
            {
                var cells = columns.Select(column => (row * side) + column).ToArray();
                if (Put(cells))
                {
                    foreach (var solution in From(row + 1))
                        yield return solution;
                }
                Take(cells);
            }
        }

        private int[][] Choices(int row)
        {
            var free = Enumerable.Range(0, side).Where(column => !_placed.Exists(star => star / side == row - 1 && Math.Abs((star % side) - column) <= 1)).ToArray();
            var choices = stars == 1
                ? free.Select(column => new[] { column })
                : free.SelectMany(first => free.Where(second => second > first + 1).Select(second => new[] { first, second }));
            return rng.Sample(choices, int.MaxValue);
        }

        /// <summary>Whether columns and regions hold no more stars than they may.</summary>
        private bool Put(int[] cells)
        {
            var fits = true;
            foreach (var cell in cells)
            {
                _placed.Add(cell);
                fits &= ++_inColumn[cell % side] <= stars;
                fits &= regions is null || ++_inRegion[regions[cell]] <= stars;
            }
            return fits;
        }

        private void Take(int[] cells)
        {
            foreach (var cell in cells)
            {
                _placed.RemoveAt(_placed.Count - 1);
                _inColumn[cell % side]--;
                if (regions is not null)
                    _inRegion[regions[cell]]--;
            }
        }
    }

    /// <summary>A square cut into regions.</summary>
    public sealed class Sky : Puzzle
    {
        internal Sky(int side, int stars, int[] regions)
        {
            (Side, Stars, Regions) = (side, stars, regions);
            if (regions.Length != side * side || !regions.Distinct().Order().SequenceEqual(Enumerable.Range(0, side)))
                throw new FormatException("There is not one region for each row.");
        }

        internal int Side { get; }

        internal int Stars { get; }

        /// <summary>The region of each cell, row by row.</summary>
        internal IReadOnlyList<int> Regions { get; }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["side"] = Side, ["stars"] = Stars, ["regions"] = Regions.ToJsonArray() };

        /// <inheritdoc/>
        public override string CanonicalForm() => $"{Stars} {Grids.Least(Side, Renamed)}";

        private string Renamed(int[] source)
        {
            var known = new List<int>();
            return string.Concat(source.Select(cell => Letter(Number(Regions[cell]))));

            int Number(int region)
            {
                if (!known.Contains(region))
                    known.Add(region);
                return known.IndexOf(region);
            }
        }

        /// <inheritdoc/>
        public override string ToString() => Grids.Lines(Regions.Select(region => $"{Letter(region)}"), Side);
    }
}
