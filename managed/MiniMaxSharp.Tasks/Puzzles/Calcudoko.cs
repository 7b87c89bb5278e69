using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// calcudoko of SynLogic (arXiv 2505.19641): a Latin square in which the numbers of each cage make a target by one
/// operation. Difficulty sets the side (4 to 6) and the size of cages (2 to 4; a cell that is left over stands alone and
/// tells its number). Subtraction and division take the smaller number from or into the larger, in cages of two. The
/// answer is the grid; any that keeps the rules will do. Canonical under the symmetries of the square.
/// </summary>
public sealed class Calcudoko : ReasoningTask<Calcudoko.Cages>
{
    private const int MostInCage = 4;
    private const string Operations = "=+-*/";

    private readonly record struct Level(int Side, int LargestCage);

    private static readonly Level[] Levels = [new(4, 2), new(4, 3), new(4, 4), new(4, 4), new(5, 2), new(5, 3), new(5, 4), new(6, 2), new(6, 3), new(6, 4)];

    /// <inheritdoc/>
    public override string Name => "calcudoko";

    /// <inheritdoc/>
    public override string Description => "a Latin square whose cages make their targets";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["cages", "|", ":", ";", .. Operations.Select(operation => $"{operation}"), .. Enumerable.Range(0, 10).Select(digit => $"{digit}"), .. Enumerable.Range(0, 36).Select(cell => CellName(cell, 6))];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Cages, string>> English { get; } =
    [
        p => $"Fill a {p.Side}×{p.Side} grid with the numbers 1 to {p.Side}, each once in every row and every column. Rows are a, b, … from the top, columns 1, 2, … from the left. The cells of each cage must give its target by its operation (- and / take the larger number first):\n{p}\nGive the grid row by row, numbers separated by spaces.",
        p => $"Solve this calcudoku with side {p.Side}. Every row and column holds 1 to {p.Side}. A cage such as \"a1 b1: 3-\" means that the numbers in row a and row b of column 1 differ by 3; for / the larger number is divided by the smaller, + and * run over all cells, and = gives the number itself.\n{p}\nThe answer is {p.Side} lines of {p.Side} numbers.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Cages, string>> Chinese { get; } =
    [
        p => $"请在 {p.Side}×{p.Side} 的方格中填入 1 到 {p.Side}，每行每列各数字恰好出现一次。行从上到下记为 a、b……，列从左到右记为 1、2……。每个笼子中的数字按所给运算得到目标值（减法和除法以大数在前）：\n{p}\n逐行写出方格，数字以空格隔开。",
        p => $"算独，边长 {p.Side}：每行、每列都是 1 到 {p.Side} 的排列。下面每一行先列出笼子的格子，再给出目标值与运算；- 为两数之差，/ 为大数除以小数，= 表示该格的数字。\n{p}\n答案写成 {p.Side} 行，每行 {p.Side} 个数字。",
    ];

    /// <inheritdoc/>
    protected override (Cages Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var numbers = Grids.LatinSquare(level.Side, rng);
        var cages = Partition(level, rng).Select(cells => Describe(cells, numbers, rng)).ToArray();
        return (new Cages(level.Side, cages), Grids.Bars(numbers, level.Side));
    }

    /// <summary>Cages grown cell by cell; a cell left alone joins a neighbour's cage if that has room.</summary>
    private static IEnumerable<int[]> Partition(Level level, Rng rng)
    {
        var cageOf = new List<int>?[level.Side * level.Side];
        foreach (var start in rng.Sample(Enumerable.Range(0, cageOf.Length), cageOf.Length))
        {
            if (cageOf[start] is not null)
                continue;
            var cage = cageOf[start] = [start];
            for (var size = rng.Between(2, level.LargestCage); cage.Count < size;)
            {
                var free = cage.SelectMany(Beside).Where(cell => cageOf[cell] is null).Distinct().ToArray();
                if (free.Length == 0)
                    break;
                Join(rng.Pick(free), cage);
            }
            if (cage.Count == 1 && Beside(start).Select(cell => cageOf[cell]).FirstOrDefault(other => other?.Count < level.LargestCage) is { } neighbour)
                Join(start, neighbour);
        }
        return cageOf.Distinct().Select(cage => cage!.Order().ToArray());

        IEnumerable<int> Beside(int cell) => Grids.Beside(cell, level.Side, level.Side);

        void Join(int cell, List<int> cage)
        {
            cage.Add(cell);
            cageOf[cell] = cage;
        }
    }

    private static Cage Describe(int[] cells, int[] numbers, Rng rng)
    {
        var held = cells.Select(cell => numbers[cell]).ToArray();
        var possible = Operations.Where(operation => Apply(operation, held) is not null).ToArray();
        var chosen = rng.Pick(possible);
        return new(cells, chosen, Apply(chosen, held)!.Value);
    }

    /// <summary>What the operation makes of the numbers; null where it is not for so many or does not come out whole.</summary>
    private static int? Apply(char operation, int[] numbers) => (operation, numbers.Length) switch
    {
        ('=', 1) => numbers[0],
        ('+', > 1) => numbers.Sum(),
        ('*', > 1) => numbers.Aggregate(1, (product, number) => product * number),
        ('-', 2) => Math.Abs(numbers[0] - numbers[1]),
        ('/', 2) when numbers.Max() % numbers.Min() == 0 => numbers.Max() / numbers.Min(),
        _ => null,
    };

    /// <inheritdoc/>
    protected override string Compact(Cages puzzle) => $"cages {puzzle.Side} : {string.Join(" ; ", puzzle.All.Select(cage => Spelled(cage, puzzle.Side)))}";

    private static string Spelled(Cage cage, int side) => $"{Cells(cage, side)} : {string.Join(' ', $"{cage.Target}".AsEnumerable())} {cage.Operation}";

    private static string Cells(Cage cage, int side) => string.Join(' ', cage.Cells.Select(cell => CellName(cell, side)));

    private static string CellName(int cell, int side) => $"{(char)('a' + (cell / side))}{(cell % side) + 1}";

    /// <inheritdoc/>
    protected override Verdict Check(Cages puzzle, string answer)
    {
        if (Grids.ReadNumbers(answer, puzzle.Side, puzzle.Side, 1, puzzle.Side) is not { } numbers)
            return Verdict.Wrong($"not {puzzle.Side} × {puzzle.Side} numbers from 1 to {puzzle.Side}");
        if (!Grids.IsLatin(numbers, puzzle.Side))
            return Verdict.Wrong("a row or column repeats a number");
        return puzzle.All.FirstOrDefault(cage => Apply(cage.Operation, [.. cage.Cells.Select(cell => numbers[cell])]) != cage.Target) is { } wrong
            ? Verdict.Wrong($"the cage {Cells(wrong, puzzle.Side)} does not make {wrong.Target}{wrong.Operation}")
            : Verdict.Right;
    }

    /// <inheritdoc/>
    protected override Cages Read(JsonObject data)
    {
        var side = data.Number("side", 2, 9);
        return new Cages(side, [.. data.Texts("cages").Select(text => ReadCage(text, side))]);
    }

    private static Cage ReadCage(string text, int side)
    {
        var words = text.Split(' ');
        var cells = words[..^1].Select(word => Array.IndexOf([.. Enumerable.Range(0, side * side).Select(cell => CellName(cell, side))], word)).ToArray();
        var target = words[^1].Length is > 1 and < 7 && int.TryParse(words[^1][..^1], out var number) ? number : -1;
        return cells.Length is > 0 and <= MostInCage && target >= 0 && !cells.Contains(-1) && Operations.Contains(words[^1][^1])
            ? new(cells, words[^1][^1], target)
            : throw new FormatException($"'{text}' is not a cage.");
    }

    /// <summary>Cells and what their numbers make.</summary>
    internal sealed record Cage(IReadOnlyList<int> Cells, char Operation, int Target);

    /// <summary>A square divided into cages.</summary>
    public sealed class Cages : Puzzle
    {
        internal Cages(int side, IReadOnlyList<Cage> all)
        {
            if (!all.SelectMany(cage => cage.Cells).Order().SequenceEqual(Enumerable.Range(0, side * side)))
                throw new FormatException("The cages do not cover each cell once.");
            (Side, All) = (side, all);
        }

        /// <summary>Rows and columns.</summary>
        internal int Side { get; }

        internal IReadOnlyList<Cage> All { get; }

        /// <summary>One line for each cage: cells, target and operation.</summary>
        public override string ToString() => string.Join('\n', All.Select(cage => $"{Cells(cage, Side)}: {cage.Target}{cage.Operation}"));

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["side"] = Side,
            ["cages"] = All.Select(cage => $"{Cells(cage, Side)} {cage.Target}{cage.Operation}").ToJsonArray(),
        };

        /// <inheritdoc/>
        public override string CanonicalForm() => Grids.Least(Side, symmetry => string.Join(
            ' ', All.Select(cage => $"{string.Join(',', cage.Cells.Select(cell => symmetry[cell]).Order())}:{cage.Target}{cage.Operation}").Order(StringComparer.Ordinal)));
    }
}
