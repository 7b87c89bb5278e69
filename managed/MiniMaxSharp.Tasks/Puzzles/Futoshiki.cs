using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// futoshiki of SynLogic (arXiv 2505.19641): a Latin square with some numbers given and signs between neighbours.
/// Difficulty sets the side (4 or 5), the number of givens and that of signs. Givens and signs are read off a full
/// square, so each puzzle has a solution; any that keeps the rules will do. The answer is the grid.
/// Canonical under the symmetries of the square and exchange of small and large.
/// </summary>
public sealed class Futoshiki : ReasoningTask<Futoshiki.Square>
{
    private readonly record struct Level(int Side, int Givens, int Signs);

    private static readonly Level[] Levels =
    [
        new(4, 8, 4), new(4, 7, 5), new(4, 6, 5), new(4, 5, 6), new(4, 4, 7),
        new(5, 10, 7), new(5, 8, 8), new(5, 6, 9), new(5, 4, 10), new(5, 2, 12),
    ];

    /// <inheritdoc/>
    public override string Name => "futoshiki";

    /// <inheritdoc/>
    public override string Description => "a Latin square that keeps the inequalities between cells";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["signs", "_", "|", ":", ";", "<", .. Enumerable.Range(1, 5).Select(number => $"{number}"), .. Enumerable.Range(0, 25).Select(cell => CellName(cell, 5))];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Square, string>> English { get; } =
    [
        p => $"Complete this {p.Side}×{p.Side} grid so that each row and each column holds the numbers 1 to {p.Side} once (_ is blank):\n{Lines(p)}\nRows are called a, b, … from the top, columns 1, 2, … from the left. These inequalities must hold:\n{p}\nGive the grid row by row, numbers separated by spaces.",
        p => $"A futoshiki puzzle with side {p.Side}:\n{Lines(p)}\nFill in the blanks (_) with 1 to {p.Side}; no number repeats in a row or column. Besides (letters count rows from the top, digits count columns from the left):\n{p}\nThe answer is the finished grid, {p.Side} numbers to a line.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Square, string>> Chinese { get; } =
    [
        p => $"请完成下面的 {p.Side}×{p.Side} 方格，使每行每列中 1 到 {p.Side} 各出现一次（_ 为空格）：\n{Lines(p)}\n行从上到下记为 a、b……，列从左到右记为 1、2……，并须满足以下不等式：\n{p}\n逐行写出完整的方格，数字以空格隔开。",
        p => $"不等式数独，边长 {p.Side}：\n{Lines(p)}\n在 _ 处填入 1 到 {p.Side}，同一行或同一列不得重复。字母表示行（自上而下），数字表示列（自左而右），还要满足：\n{p}\n答案为完整的盘面，每行 {p.Side} 个数字。",
    ];

    /// <inheritdoc/>
    protected override (Square Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var numbers = Grids.LatinSquare(level.Side, rng);
        var shown = rng.Sample(Enumerable.Range(0, numbers.Length), level.Givens).ToHashSet();
        var signs = rng.Sample(Neighbours(level.Side), level.Signs)
            .Select(pair => numbers[pair.A] < numbers[pair.B] ? new Sign(pair.A, pair.B) : new Sign(pair.B, pair.A));
        var puzzle = new Square(level.Side, [.. numbers.Select((number, cell) => shown.Contains(cell) ? number : 0)], [.. signs]);
        return (puzzle, Grids.Bars(numbers, level.Side));
    }

    private static IEnumerable<(int A, int B)> Neighbours(int side) =>
        Enumerable.Range(0, side * side).SelectMany(a => Grids.Beside(a, side, side).Where(b => b > a).Select(b => (a, b)));

    /// <inheritdoc/>
    protected override string Compact(Square puzzle) =>
        $"signs {Grids.Bars(puzzle.Givens.Select(Symbol), puzzle.Side)} : {string.Join(" ; ", puzzle.Signs.Select(sign => Text(sign, puzzle.Side)))}";

    /// <inheritdoc/>
    protected override Verdict Check(Square puzzle, string answer)
    {
        if (Grids.ReadNumbers(answer, puzzle.Side, puzzle.Side, 1, puzzle.Side) is not { } numbers)
            return Verdict.Wrong($"not {puzzle.Side} × {puzzle.Side} numbers from 1 to {puzzle.Side}");
        if (Enumerable.Range(0, numbers.Length).Any(cell => puzzle.Givens[cell] > 0 && puzzle.Givens[cell] != numbers[cell]))
            return Verdict.Wrong("a given number was changed");
        if (!Grids.IsLatin(numbers, puzzle.Side))
            return Verdict.Wrong("a row or column repeats a number");
        return puzzle.Signs.Where(sign => numbers[sign.Less] >= numbers[sign.More]).ToArray() is [var broken, ..]
            ? Verdict.Wrong($"{Text(broken, puzzle.Side)} does not hold")
            : Verdict.Right;
    }

    /// <inheritdoc/>
    protected override Square Read(JsonObject data)
    {
        var side = data.Number("side", 2, 9);
        var grid = data.Text("grid");
        if (grid.Length != side * side || !grid.All(c => c == '_' || (c >= '1' && c <= '0' + side)))
            throw new FormatException($"Field 'grid' is not {side} × {side} of _ and the digits to {side}.");
        var signs = Neighbours(side).SelectMany(pair => new Sign[] { new(pair.A, pair.B), new(pair.B, pair.A) }).ToDictionary(sign => Text(sign, side));
        return new(side, [.. grid.Select(c => c == '_' ? 0 : c - '0')], [.. data.Texts("signs").Select(text =>
            signs.TryGetValue(text, out var sign) ? sign : throw new FormatException($"'{text}' is not a sign between neighbours."))]);
    }

    private static string Symbol(int number) => number == 0 ? "_" : $"{number}";

    private static string Lines(Square puzzle) => Grids.Lines(puzzle.Givens.Select(Symbol), puzzle.Side);

    private static string Text(Sign sign, int side) => $"{CellName(sign.Less, side)} < {CellName(sign.More, side)}";

    private static string CellName(int cell, int side) => $"{(char)('a' + (cell / side))}{(cell % side) + 1}";

    /// <summary>The number in one cell is less than that in the other.</summary>
    internal readonly record struct Sign(int Less, int More);

    /// <summary>Givens and signs.</summary>
    public sealed class Square : Puzzle
    {
        internal Square(int side, int[] givens, Sign[] signs)
        {
            if (signs.Select(sign => (Math.Min(sign.Less, sign.More), Math.Max(sign.Less, sign.More))).Distinct().Count() < signs.Length)
                throw new FormatException("Two signs stand between the same cells.");
            (Side, Givens, Signs) = (side, givens, signs);
        }

        /// <summary>Rows and columns.</summary>
        internal int Side { get; }

        /// <summary>Row after row, 0 for a blank.</summary>
        internal IReadOnlyList<int> Givens { get; }

        internal IReadOnlyList<Sign> Signs { get; }

        /// <summary>The signs as lines.</summary>
        public override string ToString() => string.Join('\n', Signs.Select(sign => Text(sign, Side)));

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["side"] = Side,
            ["grid"] = string.Concat(Givens.Select(Symbol)),
            ["signs"] = Signs.Select(sign => Text(sign, Side)).ToJsonArray(),
        };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var (plain, exchanged) = (Grids.Least(Side, symmetry => Moved(symmetry, false)), Grids.Least(Side, symmetry => Moved(symmetry, true)));
            return string.CompareOrdinal(plain, exchanged) < 0 ? plain : exchanged;
        }

        private string Moved(int[] symmetry, bool exchanged)
        {
            var givens = Grids.Moved(Givens, symmetry).Select(number => exchanged && number > 0 ? Side + 1 - number : number);
            var signs = Signs.Select(sign => (Less: symmetry[sign.Less], More: symmetry[sign.More]))
                .Select(sign => exchanged ? $"{sign.More}<{sign.Less}" : $"{sign.Less}<{sign.More}");
            return $"{string.Concat(givens.Select(Symbol))} {string.Join(' ', signs.Order(StringComparer.Ordinal))}";
        }
    }
}
