using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// skyscraper_puzzle of SynLogic (arXiv 2505.19641): towers of heights 1 to n, each height once in every row and column; a number at the
/// edge says how many towers are seen from there, for a tower hides all lower ones behind it.
/// Difficulty sets the side (3 to 4) and the number of clues; just one Latin square fits them, by trial of all.
/// The answer is the heights row by row. Canonical up to rotation and reflection.
/// </summary>
public sealed class SkyscraperPuzzle : ReasoningTask<SkyscraperPuzzle.Skyline>
{
    private const int LargestSide = 4;

    private readonly record struct Level(int Side, int Clues);

    private static readonly Level[] Levels =
        [new(3, 10), new(3, 8), new(3, 6), new(3, 4), new(4, 14), new(4, 12), new(4, 10), new(4, 9), new(4, 8), new(4, 6)];

    /// <summary>All Latin squares by side, with what is seen from all places at the edge.</summary>
    private static readonly City[][] Cities = [.. Enumerable.Range(0, LargestSide + 1).Select(side => side < 3 ? [] : Squares(new int[side * side], side, 0).ToArray())];

    private static IEnumerable<City> Squares(int[] cells, int side, int cell)
    {
        if (cell == cells.Length)
            return [new City([.. cells], [.. Enumerable.Range(0, 4 * side).Select(place => Seen(View(cells, side, place)))])];
        return Enumerable.Range(1, side).Where(Fits).SelectMany(height =>
        {
            var next = cells.ToArray();
            next[cell] = height;
            return Squares(next, side, cell + 1);
        });

        bool Fits(int height) => !Enumerable.Range(0, cell).Any(other => cells[other] == height && (other / side == cell / side || other % side == cell % side));
    }

    /// <summary>Heights from a place at the edge inwards. Places go clockwise from the top left corner.</summary>
    private static IEnumerable<int> View(IReadOnlyList<int> cells, int side, int place)
    {
        var at = place % side;
        return Enumerable.Range(0, side).Select(depth => (place / side) switch
        {
            0 => cells[(depth * side) + at],
            1 => cells[(at * side) + side - 1 - depth],
            2 => cells[((side - 1 - depth) * side) + side - 1 - at],
            _ => cells[((side - 1 - at) * side) + depth],
        });
    }

    private static int Seen(IEnumerable<int> heights)
    {
        var (highest, seen) = (0, 0);
        foreach (var height in heights.Where(height => height > highest))
            (highest, seen) = (height, seen + 1);
        return seen;
    }

    /// <inheritdoc/>
    public override string Name => "skyscraper_puzzle";

    /// <inheritdoc/>
    public override string Description => "heights of towers of which so many are seen from the edges";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["towers", "|", "_", "1", "2", "3", "4"];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Skyline, string>> English { get; } =
    [
        p => $"Place towers of heights 1 to {p.Side} on a {p.Side}×{p.Side} square so that every row and every column has each height once. The numbers around the square say how many towers one sees from there; higher towers hide lower ones behind them.\n{InEnglish(p)}\nGive the heights row by row.",
        p => $"Skyscrapers, {p.Side} by {p.Side}: no height from 1 to {p.Side} repeats in a row or column, and a clue counts the towers visible along its line, looking in from that edge.\n{InEnglish(p)}\nThe answer is the {p.Side} rows of heights from top to bottom.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Skyline, string>> Chinese { get; } =
    [
        p => $"在 {p.Side}×{p.Side} 的方格中放置高度 1 到 {p.Side} 的楼，每行每列各高度恰好一次。四周的数表示从该处望去能看见几栋楼，高楼会挡住后面较矮的楼。\n{InChinese(p)}\n请逐行写出高度。",
        p => $"摩天楼谜题（{p.Side}×{p.Side}）：每行每列的高度 1 到 {p.Side} 不重复，提示数是从那一侧沿该行或该列看到的楼数。\n{InChinese(p)}\n答案为从上到下各行的高度。",
    ];

    /// <inheritdoc/>
    protected override (Skyline Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        while (true)
        {
            var city = rng.Pick(Cities[level.Side]);
            var clues = city.Clues.ToArray();
            if (Fitting(clues, level.Side).Count() > 1)
                continue;
            Hide(clues, level, rng);
            return (new Skyline(level.Side, clues), Grids.Bars(city.Heights, level.Side));
        }
    }

    /// <summary>Takes clues away in random order, down to the level's number, as long as one solution is left.</summary>
    private static void Hide(int[] clues, Level level, Rng rng)
    {
        foreach (var place in rng.Sample(Enumerable.Range(0, clues.Length), clues.Length))
        {
            if (clues.Count(clue => clue > 0) <= level.Clues)
                return;
            var clue = clues[place];
            clues[place] = 0;
            if (Fitting(clues, level.Side).Count() > 1)
                clues[place] = clue;
        }
    }

    private static IEnumerable<City> Fitting(IReadOnlyList<int> clues, int side) => Cities[side].Where(city => Fits(clues, city.Clues)).Take(2);

    private static bool Fits(IReadOnlyList<int> clues, IReadOnlyList<int> seen)
    {
        for (var place = 0; place < clues.Count; place++)
        {
            if (clues[place] > 0 && clues[place] != seen[place])
                return false;
        }
        return true;
    }

    /// <inheritdoc/>
    protected override string Compact(Skyline puzzle) => $"towers {string.Join(" | ", puzzle.Edges)}";

    /// <inheritdoc/>
    protected override Verdict Check(Skyline puzzle, string answer)
    {
        if (Grids.ReadNumbers(answer, puzzle.Side, puzzle.Side, 1, puzzle.Side) is not { } heights)
            return Verdict.Wrong($"not {puzzle.Side * puzzle.Side} heights from 1 to {puzzle.Side}");
        if (!Grids.IsLatin(heights, puzzle.Side))
            return Verdict.Wrong("a row or column repeats a height");
        return puzzle.Clues.Index().All(clue => clue.Item == 0 || clue.Item == Seen(View(heights, puzzle.Side, clue.Index)))
            ? Verdict.Right
            : Verdict.Wrong("from one place another number of towers is seen");
    }

    /// <inheritdoc/>
    protected override Skyline Read(JsonObject data) => new(data.Number("side", 3, LargestSide), data.Numbers("clues", 0, LargestSide));

    private static string InEnglish(Skyline puzzle) =>
        $"Above, left to right: {puzzle.Edges[0]}\nRight, top to bottom: {puzzle.Edges[1]}\nBelow, left to right: {puzzle.Edges[2]}\nLeft, top to bottom: {puzzle.Edges[3]}\n(_ means that no number is given.)";

    private static string InChinese(Skyline puzzle) =>
        $"上方（从左到右）：{puzzle.Edges[0]}\n右侧（从上到下）：{puzzle.Edges[1]}\n下方（从左到右）：{puzzle.Edges[2]}\n左侧（从上到下）：{puzzle.Edges[3]}\n（_ 表示未给出。）";

    private sealed record City(int[] Heights, int[] Clues);

    /// <summary>Clues around a square.</summary>
    public sealed class Skyline : Puzzle
    {
        internal Skyline(int side, int[] clues)
        {
            (Side, Clues) = (side, clues);
            if (clues.Length != 4 * side || !Fitting(clues, side).Any())
                throw new FormatException("The clues do not fit the side, or no towers fit the clues.");
        }

        internal int Side { get; }

        /// <summary>Clockwise from the top left corner, 0 where none is given.</summary>
        internal IReadOnlyList<int> Clues { get; }

        /// <summary>The clues above, right, below and left, from left to right or from top to bottom.</summary>
        internal IReadOnlyList<string> Edges => [.. Clues.Chunk(Side).Select((edge, i) => string.Join(' ', (i < 2 ? edge : edge.Reverse()).Select(clue => clue == 0 ? "_" : $"{clue}")))];

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["side"] = Side, ["clues"] = Clues.ToJsonArray() };

        /// <summary>A rotation shifts the clues by a side; a reflection turns their order round.</summary>
        public override string CanonicalForm()
        {
            var (ring, mirrored) = (string.Concat(Clues), string.Concat(Clues.Reverse()));
            return Enumerable.Range(0, 4).Select(turn => turn * Side).SelectMany(shift => new[] { ring[shift..] + ring[..shift], mirrored[shift..] + mirrored[..shift] }).Min(StringComparer.Ordinal)!;
        }
    }
}
