using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// sudoku of SynLogic (arXiv 2505.19641) on a grid of 4×4, 6×6 or 9×9: each digit up to the side once in every row, column and box.
/// Difficulty sets the side, the number of blanks, and whether blanks must be filled for which more than one digit is left, but where the digit has no other place
/// (choice). Every step is forced, so that each puzzle can be worked out without trial and has one solution (<see cref="SudokuSteps"/>).
/// One that comes as data may be harder, as long as its solution is unique (<see cref="SudokuBoard"/> looks for a second one).
/// The answer is the digits row by row; white space, commas and bars between them do not matter.
/// Canonical up to renaming of digits, order of rows and columns (as far as boxes stay whole) and, where boxes are square, reflection.
/// </summary>
public sealed class Sudoku : ReasoningTask<Sudoku.Grid>
{
    /// <summary>Rows, columns and digits; number of blanks; whether a step may look at other blanks of a row, column or box.</summary>
    private readonly record struct Level(int Side, int FewestBlanks, int MostBlanks, bool Places);

    private static readonly Level[] Levels =
    [
        new(4, 6, 7, false), new(4, 8, 9, false), new(4, 10, 11, true),
        new(6, 12, 14, false), new(6, 16, 18, false), new(6, 20, 22, true),
        new(9, 28, 32, false), new(9, 38, 42, false), new(9, 46, 49, true), new(9, 50, 53, true),
    ];

    /// <inheritdoc/>
    public override string Name => "sudoku";

    /// <inheritdoc/>
    public override string Description => "each digit once in every row, column and box of a grid of 4×4, 6×6 or 9×9";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["fill", "_", ":", "|", "->", .. Enumerable.Range(1, 9).Select(digit => $"{digit}"), .. SudokuShape.All[^1].Names];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Grid, string>> English { get; } =
    [
        p => $"Solve this {p.Size} sudoku. Every row, every column and every box of {InEnglish(p.Shape)} holds the digits from 1 to {p.Shape.Side} once; _ is a blank.\n{p}\nGive the finished grid row by row.",
        p => $"Fill in the blanks (_) so that no row, no column and none of the boxes of {InEnglish(p.Shape)} repeats a digit from 1 to {p.Shape.Side}:\n{p}\nThe answer is all {p.Shape.Cells} digits, {p.Shape.Side} to a line.",
        p => $"A sudoku with the digits from 1 to {p.Shape.Side} and boxes of {InEnglish(p.Shape)}:\n{p}\nComplete it and write down the whole grid in the same form.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Grid, string>> Chinese { get; } =
    [
        p => $"请完成这个 {p.Size} 数独：每行、每列和每个{InChinese(p.Shape)}的宫中，1 到 {p.Shape.Side} 各出现一次，_ 表示空格。\n{p}\n逐行写出完整的盘面。",
        p => $"在空格（_）中填入 1 到 {p.Shape.Side}，使每行、每列、每个{InChinese(p.Shape)}的宫内数字不重复：\n{p}\n答案为全部 {p.Shape.Cells} 个数字，每行 {p.Shape.Side} 个。",
    ];

    private static string InEnglish(SudokuShape shape) => $"{shape.BoxRows} rows and {shape.BoxColumns} columns";

    private static string InChinese(SudokuShape shape) => $" {shape.BoxRows} 行 {shape.BoxColumns} 列";

    /// <inheritdoc/>
    protected override (Grid Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var shape = SudokuShape.All.Single(shape => shape.Side == level.Side);
        var blanks = rng.Between(level.FewestBlanks, level.MostBlanks);
        while (true)
        {
            var full = new SudokuBoard(shape, []).Solutions(1, rng)[0];
            if (Dig(shape, full, blanks, level.Places, rng) is { } givens)
                return (new Grid(shape, givens), Grids.Bars(full, shape.Side));
        }
    }

    /// <summary>Empties cells in random order as long as every step of the solution stays forced; null if too few can be emptied.</summary>
    private static int[]? Dig(SudokuShape shape, int[] full, int blanks, bool places, Rng rng)
    {
        var givens = full.ToArray();
        foreach (var cell in rng.Sample(Enumerable.Range(0, shape.Cells), shape.Cells))
        {
            givens[cell] = 0;
            if (SudokuSteps.Solve(shape, givens, places) is null)
                givens[cell] = full[cell];
            else if (--blanks == 0)
                return givens;
        }
        return null;
    }

    /// <summary>Each cell with its name, so that a look-up is the name's neighbour. The names tell the side, and that the boxes.</summary>
    protected override string Compact(Grid puzzle) => $"fill {string.Join(' ', puzzle.Givens.Select((digit, cell) => $"{puzzle.Shape.Names[cell]} {Symbol(digit)}"))}";

    /// <summary>
    /// For blank after blank the digits that it sees; all but one of them leave one. On the larger grids looks that settle nothing are left out, which would be most of the text.
    /// A puzzle from elsewhere that forced steps do not solve has no thought.
    /// </summary>
    protected override string Reason(Grid puzzle, string solution)
    {
        var looks = SudokuSteps.Solve(puzzle.Shape, puzzle.Givens, places: false) ?? SudokuSteps.Solve(puzzle.Shape, puzzle.Givens, places: true);
        return looks is null
            ? base.Reason(puzzle, solution)
            : string.Join(' ', looks.Where(look => look.Digit > 0 || puzzle.Shape.Side == 4).Select(look => look.Text(puzzle.Shape)));
    }

    /// <inheritdoc/>
    protected override Verdict Check(Grid puzzle, string answer)
    {
        var shape = puzzle.Shape;
        var digits = answer.Where(c => !char.IsWhiteSpace(c) && c is not ('|' or ',')).Select(c => c - '0').ToArray();
        if (digits.Length != shape.Cells || digits.Any(digit => digit < 1 || digit > shape.Side))
            return Verdict.Wrong($"not {shape.Cells} digits from 1 to {shape.Side}");
        if (Enumerable.Range(0, shape.Cells).Any(cell => puzzle.Givens[cell] > 0 && puzzle.Givens[cell] != digits[cell]))
            return Verdict.Wrong("a given digit was changed");
        return Repeats(shape, digits) ? Verdict.Wrong("a row, column or box repeats a digit") : Verdict.Right;
    }

    private static bool Repeats(SudokuShape shape, int[] digits) =>
        shape.Units.Any(unit => unit.Select(cell => digits[cell]).Where(digit => digit > 0).GroupBy(digit => digit).Any(same => same.Count() > 1));

    /// <inheritdoc/>
    protected override Grid Read(JsonObject data)
    {
        var text = data.Text("grid");
        return Array.Find(SudokuShape.All, shape => shape.Cells == text.Length) is { } shape && text.All(c => c == '_' || (c >= '1' && c <= '0' + shape.Side))
            ? new Grid(shape, [.. text.Select(c => c == '_' ? 0 : c - '0')])
            : throw new FormatException("Field 'grid' is not a sudoku of 16, 36 or 81 characters, digits up to its side and _.");
    }

    private static string Symbol(int digit) => digit == 0 ? "_" : $"{digit}";

    /// <summary>A grid with blanks that can be filled in one way.</summary>
    public sealed class Grid : Puzzle
    {
        internal Grid(SudokuShape shape, int[] givens)
        {
            if (Repeats(shape, givens))
                throw new FormatException("The sudoku repeats a digit in a row, column or box.");
            if (new SudokuBoard(shape, givens).Solutions(2).Count is not 1 and var count)
                throw new FormatException($"The sudoku has {(count == 0 ? "no" : "more than one")} solution.");
            (Shape, Givens) = (shape, givens);
        }

        internal SudokuShape Shape { get; }

        /// <summary>Digits row by row, 0 for a blank.</summary>
        internal int[] Givens { get; }

        /// <summary>As <c>9×9</c>.</summary>
        internal string Size => $"{Shape.Side}×{Shape.Side}";

        /// <summary>The rows as lines.</summary>
        public override string ToString() => Grids.Lines(Givens.Select(Symbol), Shape.Side);

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["grid"] = string.Concat(Givens.Select(Symbol)) };

        /// <inheritdoc/>
        public override string CanonicalForm() => Shape.Least(Givens);
    }
}
