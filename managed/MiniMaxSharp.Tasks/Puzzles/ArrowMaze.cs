using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// arrow_maze of SynLogic (arXiv 2505.19641) on a 5×5 grid: rays of arrows run from numbers in eight directions; the
/// lengths of a number's rays add up to it, and every arrow lies on a ray. Difficulty sets how many of the arrows are
/// given (from nine in ten down to three in ten). The answer is the grid, as JSON or as rows; any that keeps the rules
/// will do. Canonical under the symmetries of the square.
/// </summary>
public sealed class ArrowMaze : ReasoningTask<ArrowMaze.Maze>
{
    private const int Side = 5;
    private const int Cells = Side * Side;
    private const string Arrows = "↑↗→↘↓↙←↖";
    private const string Blank = "_";

    /// <summary>Where each arrow points, as rows and columns.</summary>
    private static readonly (int Down, int Right)[] Directions = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)];

    /// <summary>Hundredths of the arrows that are given.</summary>
    private static readonly int[] Given = [90, 85, 80, 70, 65, 60, 50, 45, 40, 30];

    /// <inheritdoc/>
    public override string Name => "arrow_maze";

    /// <inheritdoc/>
    public override string Description => "complete a grid of arrows whose rays add up to the numbers";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"GivenPercent = {Given[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["arrows", Blank, "|", .. Arrows.Select(arrow => $"{arrow}"), .. Enumerable.Range(1, Cells).Select(number => $"{number}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Maze, string>> English { get; } =
    [
        p => $"Fill every blank (_) of this grid with one of the arrows {Arrows}.\n{p}\nFrom a number, rays of arrows run in any of the eight directions: a ray starts beside its number and consists of arrows that all point straight away from it, without a gap. The lengths of all rays of a number add up to the number, and each arrow belongs to a ray. Numbers and arrows that stand there stay. Give the finished grid as a JSON array of rows.",
        p => $"An arrow maze:\n{p}\nEach number tells how many arrows lie on the rays that leave it, in all eight directions together. A ray is an unbroken line of equal arrows that begins next to the number and leads away from it. No arrow may lie outside of a ray. Replace each _ by one of {Arrows} and answer with the whole grid as JSON: a list of five lists of strings.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Maze, string>> Chinese { get; } =
    [
        p => $"请在每个空格（_）中填入 {Arrows} 之一。\n{p}\n从每个数字出发，可沿八个方向引出射线：射线紧接数字，由背离该数字、方向相同且不间断的箭头组成。一个数字的所有射线长度之和等于该数字，并且每个箭头都必须属于某条射线。已有的数字和箭头不变。请以 JSON 二维数组写出完整的盘面。",
        p => $"箭头迷宫：\n{p}\n数字等于从它出发的八个方向上连续箭头的总数，这些箭头都指向远离数字的方向；没有箭头可以不属于任何数字。把每个 _ 换成 {Arrows} 中的一个，答案为整个盘面（JSON，五行，每行五个字符串）。",
    ];

    /// <inheritdoc/>
    protected override (Maze Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        string[]? full;
        do
            full = Draw(rng);
        while (full is null);
        var arrows = rng.Sample(Enumerable.Range(0, Cells).Where(cell => IsArrow(full[cell])), Cells);
        var hidden = arrows.Take(Math.Max(1, arrows.Length * (100 - Given[difficulty - 1]) / 100)).ToHashSet();
        var puzzle = new Maze([.. full.Select((symbol, cell) => hidden.Contains(cell) ? Blank : symbol)]);
        return (puzzle, Grids.Bars(full, Side));
    }

    /// <summary>Numbers in random places, each with one ray at least, until the grid is full; null where a number has no room for a ray.</summary>
    private static string[]? Draw(Rng rng)
    {
        var cells = new string[Cells];
        foreach (var cell in rng.Sample(Enumerable.Range(0, Cells), Cells))
        {
            if (cells[cell] is not null)
                continue;
            var total = 0;
            cells[cell] = "0";
            foreach (var direction in rng.Sample(Enumerable.Range(0, Directions.Length), Directions.Length))
            {
                if (total == 0 || rng.OneIn(3))
                    total += Ray(cells, cell, direction, rng.Between(1, 4));
            }
            if (total == 0)
                return null;
            cells[cell] = $"{total}";
        }
        return cells;
    }

    private static int Ray(string[] cells, int from, int direction, int most)
    {
        var length = 0;
        for (var cell = Next(from, direction); length < most && cell >= 0 && cells[cell] is null; cell = Next(cell, direction), length++)
            cells[cell] = $"{Arrows[direction]}";
        return length;
    }

    /// <summary>The cell that an arrow points to, or −1 at the edge.</summary>
    private static int Next(int cell, int direction)
    {
        var (row, column) = ((cell / Side) + Directions[direction].Down, (cell % Side) + Directions[direction].Right);
        return row is >= 0 and < Side && column is >= 0 and < Side ? (row * Side) + column : -1;
    }

    /// <inheritdoc/>
    protected override string Compact(Maze puzzle) => $"arrows {Grids.Bars(puzzle.Symbols, Side)}";

    /// <inheritdoc/>
    protected override Verdict Check(Maze puzzle, string answer)
    {
        if (Grids.Read(answer, Side, Side) is not { } cells)
            return Verdict.Wrong("not a grid of 5 × 5 symbols");
        var changed = Enumerable.Range(0, Cells).Any(cell => puzzle.Symbols[cell] == Blank ? !IsArrow(cells[cell]) : puzzle.Symbols[cell] != cells[cell]);
        return changed ? Verdict.Wrong("a given symbol was changed or a blank holds no arrow") : CheckRays(cells);
    }

    private static Verdict CheckRays(string[] cells)
    {
        var lengths = new int[Cells];
        foreach (var cell in Enumerable.Range(0, Cells).Where(cell => IsArrow(cells[cell])))
        {
            var origin = Origin(cells, cell);
            if (origin < 0)
                return Verdict.Wrong($"the arrow in row {(cell / Side) + 1}, column {(cell % Side) + 1} lies on no ray");
            lengths[origin]++;
        }
        var wrong = Enumerable.Range(0, Cells).Where(cell => !IsArrow(cells[cell]) && cells[cell] != $"{lengths[cell]}").ToArray();
        return wrong is [] ? Verdict.Right : Verdict.Wrong($"the rays of a {cells[wrong[0]]} have {lengths[wrong[0]]} arrows");
    }

    /// <summary>The number behind an arrow with nothing but equal arrows between them, or −1.</summary>
    private static int Origin(string[] cells, int cell)
    {
        var (arrow, back) = (cells[cell], (Arrows.IndexOf(cells[cell][0]) + 4) % Directions.Length);
        while (cell >= 0 && cells[cell] == arrow)
            cell = Next(cell, back);
        return cell >= 0 && !IsArrow(cells[cell]) ? cell : -1;
    }

    private static bool IsArrow(string symbol) => symbol.Length == 1 && Arrows.Contains(symbol[0]);

    /// <inheritdoc/>
    protected override Maze Read(JsonObject data) => new(data.Texts("grid"));

    /// <summary>A grid of numbers, arrows and blanks.</summary>
    public sealed class Maze : Puzzle
    {
        internal Maze(string[] symbols)
        {
            if (symbols.Length != Cells)
                throw new FormatException($"The grid has not {Cells} cells.");
            if (symbols.FirstOrDefault(symbol => symbol != Blank && !IsArrow(symbol) && !IsNumber(symbol)) is { } wrong)
                throw new FormatException($"'{wrong}' is neither a number nor an arrow nor a blank.");
            Symbols = symbols;
        }

        /// <summary>Row after row.</summary>
        internal IReadOnlyList<string> Symbols { get; }

        /// <summary>The rows as lines.</summary>
        public override string ToString() => Grids.Lines(Symbols, Side);

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["grid"] = Symbols.ToJsonArray() };

        /// <inheritdoc/>
        public override string CanonicalForm() => Grids.Least(Side, symmetry =>
            string.Join(' ', Grids.Moved(Symbols, symmetry).Select(symbol => IsArrow(symbol) ? $"{Turned(symbol[0], symmetry)}" : symbol)));

        private static bool IsNumber(string symbol) => symbol.Length is 1 or 2 && symbol.All(char.IsAsciiDigit) && symbol[0] != '0';

        /// <summary>An arrow goes from the middle to a neighbour of it; so does its image.</summary>
        private static char Turned(char arrow, int[] symmetry)
        {
            const int Middle = Cells / 2;
            var target = symmetry[Next(Middle, Arrows.IndexOf(arrow))];
            return Arrows.First(turned => Next(Middle, Arrows.IndexOf(turned)) == target);
        }
    }
}
