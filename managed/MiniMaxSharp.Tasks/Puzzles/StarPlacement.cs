using System.Numerics;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// star_placement of SynLogic (arXiv 2505.19641): k stars in each row, column and region of a square, none touching another, not even at a corner.
/// Difficulty sets the side (5 to 10) and k (1 or 2). Sides 4 and, with two stars, 8 are left out: whatever the regions, stars can lie in just
/// two ways there, which a model would soon know by heart (for k = 1 there are 14 on side 5, 90 on 6, 646 on 7; for k = 2 there are 664 on 9 and 146,510 on 10).
/// Regions are grown around random stars, and of many drawn ones those with one solution are preferred; the verifier goes by the rules.
/// The answer is the board with * for a star and . elsewhere. Canonical up to rotation, reflection and renaming of regions.
/// </summary>
public sealed class StarPlacement : ReasoningTask<StarPlacement.Sky>
{
    private const int LargestSide = 10;
    private const int Attempts = 20;

    private readonly record struct Level(int Side, int Stars);

    private static readonly Level[] Levels =
        [new(5, 1), new(5, 1), new(6, 1), new(6, 1), new(6, 1), new(7, 1), new(7, 1), new(8, 1), new(9, 2), new(10, 2)];

    /// <inheritdoc/>
    public override string Name => "star_placement";

    /// <inheritdoc/>
    public override string Description => "stars that do not touch, so many in each row, column and region";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

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
            var free = new Search(level.Side, level.Stars, null, rng);
            free.Count(1);
            var stars = free.First;
            if (DrawRegions(level, stars, rng) is not { } regions)
                continue;
            if (attempt >= Attempts || new Search(level.Side, level.Stars, regions, rng).Count(2) == 1)
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
        var border = new List<(int Cell, int Area)>();
        foreach (var (area, star) in stars.Index())
            areas[star] = area;
        foreach (var (area, star) in stars.Index())
            Claim(star, area);
        while (border.Count > 0)
        {
            var at = rng.Below(border.Count);
            var (cell, area) = border[at];
            border[at] = border[^1];
            border.RemoveAt(border.Count - 1);
            if (areas[cell] < 0)
                Claim(cell, area);
        }
        return areas;

        void Claim(int cell, int area)
        {
            areas[cell] = area;
            border.AddRange(Grids.Beside(cell, side, side).Where(next => areas[next] < 0).Select(next => (next, area)));
        }
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

    /// <summary>Goes through the rows, and in each through the choices of columns, sets of bits, in random order.</summary>
    private sealed class Search
    {
        private readonly int _side;
        private readonly int _stars;
        private readonly int[]? _regions;
        private readonly int[][] _choices;
        private readonly int[] _rows;
        private readonly int[] _inColumn;
        private readonly int[] _inRegion;

        internal Search(int side, int stars, int[]? regions, Rng rng)
        {
            (_side, _stars, _regions) = (side, stars, regions);
            var sets = Enumerable.Range(1, (1 << side) - 1).Where(set => BitOperations.PopCount((uint)set) == stars && (set & (set << 1)) == 0).ToArray();
            _choices = [.. Enumerable.Range(0, side).Select(_ => rng.Sample(sets, sets.Length))];
            (_rows, _inColumn, _inRegion) = (new int[side], new int[side], new int[side]);
        }

        /// <summary>The cells of the first solution that was counted.</summary>
        internal int[] First { get; private set; } = [];

        /// <summary>The number of solutions, but no more than <paramref name="limit"/>.</summary>
        internal int Count(int limit) => From(0, limit);

        private int From(int row, int limit)
        {
            if (row == _side)
            {
                First = First.Length > 0 ? First : [.. Enumerable.Range(0, _side * _side).Where(cell => (_rows[cell / _side] >> (cell % _side) & 1) != 0)];
                return 1;
            }
            var (above, found) = (row == 0 ? 0 : _rows[row - 1], 0);
            foreach (var set in _choices[row])
            {
                if ((set & (above | (above << 1) | (above >> 1))) != 0)
                    continue;
                _rows[row] = set;
                if (Add(row, set, 1))
                    found += From(row + 1, limit - found);
                Add(row, set, -1);
                if (found >= limit)
                    break;
            }
            return found;
        }

        /// <summary>Whether columns and regions hold no more stars than they may.</summary>
        private bool Add(int row, int set, int change)
        {
            var fits = true;
            for (var column = 0; column < _side; column++)
            {
                if ((set >> column & 1) == 0)
                    continue;
                fits &= (_inColumn[column] += change) <= _stars;
                fits &= _regions is null || (_inRegion[_regions[(row * _side) + column]] += change) <= _stars;
            }
            return fits;
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
