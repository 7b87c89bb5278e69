using System.Text.Json.Nodes;
using MiniMaxSharp.Tasks.Puzzles.Arc;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// arc_agi of SynLogic (arXiv 2505.19641): pairs of grids show a transformation; apply it to one more grid.
/// The transformations are programs of our own, composed of named primitives (see <see cref="Programs"/>); difficulty chooses
/// among them and sets the size of grids. An example always changes and never comes out in one colour.
/// The answer is the grid row by row, compared with what the program makes, in shape too.
/// Canonical up to rotation, reflection, order of examples and renaming of the colours besides the background.
/// </summary>
public sealed class ArcAgi : ReasoningTask<ArcAgi.Examples>
{
    private const int FewestCells = 4;
    private const int Patience = 60;

    private readonly record struct Level(int SmallestSide, int LargestSide, int Pairs);

    private static readonly Level[] Levels =
        [new(3, 4, 3), new(3, 5, 3), new(4, 6, 3), new(4, 7, 3), new(5, 8, 3), new(5, 9, 3), new(6, 10, 4), new(6, 11, 4), new(7, 12, 4), new(7, 12, 4)];

    /// <inheritdoc/>
    public override string Name => "arc_agi";

    /// <inheritdoc/>
    public override string Description => "apply to a grid the transformation that examples show";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["rule", "|", "->", ";", "?", .. Enumerable.Range(0, Picture.Colours).Select(colour => $"{colour}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Examples, string>> English { get; } =
    [
        p => $"One and the same rule turns each input grid into its output grid. The digits 0 to 9 stand for colours, 0 for the background.\n{Listed(p, "Input", "Output")}\nFind the rule and apply it to this input:\n{Shown(p.Test)}\nGive the output grid row by row.",
        p => $"Study these examples of a transformation of coloured grids (a digit is a colour; 0 is empty).\n{Listed(p, "Before", "After")}\nWhat becomes of the following grid?\n{Shown(p.Test)}\nThe answer is the transformed grid, one line for each of its rows.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Examples, string>> Chinese { get; } =
    [
        p => $"以下每个输入网格都按同一规则变成输出网格。数字 0 到 9 表示颜色，0 为背景。\n{Listed(p, "输入", "输出")}\n请找出规则并用于下面的输入：\n{Shown(p.Test)}\n逐行写出输出网格。",
        p => $"观察这些彩色网格的变换（数字代表颜色，0 为空）：\n{Listed(p, "变换前", "变换后")}\n下面的网格会变成什么？\n{Shown(p.Test)}\n答案为变换后的网格，每行一行。",
    ];

    /// <inheritdoc/>
    protected override (Examples Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var candidates = Programs.All.Where(program => program.Difficulty <= difficulty && program.Difficulty >= difficulty - 2).ToArray();
        while (true)
        {
            if (Draw(rng.Pick(candidates), Levels[difficulty - 1], rng) is { } puzzle)
                return (puzzle, Spaced(puzzle.Solution).Replace("\n", " | "));
        }
    }

    private static Examples? Draw(TransformProgram program, Level level, Rng rng)
    {
        var colours = rng.Sample(Enumerable.Range(1, Picture.Colours - 1), 4);
        var steps = string.Join("; ", program.Steps.Split("; ").Select(step => string.Join(' ', step.Split(' ').Select(word => word is [>= 'A' and <= 'D'] ? $"{colours[word[0] - 'A']}" : word))));
        var inputs = new List<Picture>();
        for (var attempt = 0; attempt < Patience && inputs.Count <= level.Pairs; attempt++)
        {
            var input = Scenes.Draw(program.Scene, level.SmallestSide, level.LargestSide, colours[..3], rng);
            if (Primitives.Run(steps, input) is { } output && Shows(input, output) && !inputs.Exists(other => other.IsSame(input)))
                inputs.Add(input);
        }
        return inputs.Count > level.Pairs ? new Examples(steps, [.. inputs.Take(level.Pairs)], inputs[^1]) : null;
    }

    private static bool Shows(Picture input, Picture output) =>
        !input.IsSame(output) && output.Cells.Count >= FewestCells && output.Cells.Distinct().Count() > 1;

    /// <inheritdoc/>
    protected override string Compact(Examples puzzle) =>
        $"rule {string.Join(" ; ", puzzle.Pairs.Select(pair => $"{OneLine(pair.Input)} -> {OneLine(pair.Output)}"))} ? {OneLine(puzzle.Test)}";

    /// <inheritdoc/>
    protected override Verdict Check(Examples puzzle, string answer)
    {
        var rows = answer.Replace(']', '\n').Replace('|', '\n').Split('\n').Select(Colours).Where(row => row.Length > 0).ToArray();
        if (!rows.All(row => row.All(char.IsAsciiDigit)) || Picture.OfRows([.. rows.Select(row => row.Select(digit => digit - '0').ToArray())]) is not { } picture)
            return Verdict.Wrong("not a grid of digits");
        if (picture.Height != puzzle.Solution.Height || picture.Width != puzzle.Solution.Width)
            return Verdict.Wrong("the grid has another size");
        return picture.IsSame(puzzle.Solution) ? Verdict.Right : Verdict.Wrong("a cell has another colour");
    }

    private static char[] Colours(string row) => [.. row.Where(c => !char.IsWhiteSpace(c) && c is not (',' or '[' or '，'))];

    /// <inheritdoc/>
    protected override Examples Read(JsonObject data)
    {
        var program = data.Text("program");
        if (!Primitives.IsProgram(program))
            throw new FormatException("The program is not made of known primitives.");
        var puzzle = new Examples(program, [.. data.Texts("inputs").Select(ReadPicture)], ReadPicture(data.Text("test")));
        return puzzle.Pairs.Select(pair => $"{pair.Output}").SequenceEqual(data.Texts("outputs")) ? puzzle : throw new FormatException("The outputs are not what the program makes of the inputs.");
    }

    private static Picture ReadPicture(string text) => Picture.Parse(text) ?? throw new FormatException($"'{text}' is not a grid.");

    private static string Listed(Examples puzzle, string before, string after) =>
        string.Join('\n', puzzle.Pairs.Select((pair, i) => $"{before} {i + 1}:\n{Shown(pair.Input)}\n{after} {i + 1}:\n{Shown(pair.Output)}"));

    private static string Shown(Picture picture) => Spaced(picture);

    private static string Spaced(Picture picture) => Grids.Lines(picture.Cells, picture.Width);

    private static string OneLine(Picture picture) => Grids.Bars(picture.Cells, picture.Width);

    /// <summary>Examples of a transformation, and one more input.</summary>
    public sealed class Examples : Puzzle
    {
        private const int MostPairs = 10;
        private readonly string _program;

        internal Examples(string program, IReadOnlyList<Picture> inputs, Picture test)
        {
            (_program, Test) = (program, test);
            if (inputs.Count is 0 or > MostPairs)
                throw new FormatException($"There are not 1 to {MostPairs} examples.");
            Pairs = [.. inputs.Select(input => (input, Run(input)))];
            Solution = Run(test);
        }

        internal IReadOnlyList<(Picture Input, Picture Output)> Pairs { get; }

        internal Picture Test { get; }

        /// <summary>The right answer.</summary>
        internal Picture Solution { get; }

        private Picture Run(Picture input) => Primitives.Run(_program, input) ?? throw new FormatException("The program does not apply to a grid.");

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["program"] = _program,
            ["inputs"] = Pairs.Select(pair => $"{pair.Input}").ToJsonArray(),
            ["outputs"] = Pairs.Select(pair => $"{pair.Output}").ToJsonArray(),
            ["test"] = $"{Test}",
        };

        /// <inheritdoc/>
        public override string CanonicalForm() => Enumerable.Range(0, 8).Select(Turned).Min(StringComparer.Ordinal)!;

        /// <summary>All grids turned, the examples in order of the text they have with colours numbered for each example by itself, then colours numbered as they come.</summary>
        private string Turned(int turn)
        {
            var pairs = Pairs.Select(pair => $"{Turned(pair.Input, turn)}>{Turned(pair.Output, turn)}").OrderBy(Renamed, StringComparer.Ordinal);
            return Renamed($"{string.Join(';', pairs)}?{Turned(Test, turn)}");
        }

        private static Picture Turned(Picture picture, int turn)
        {
            picture = (turn & 1) == 0 ? picture : picture.Mirrored();
            picture = (turn & 2) == 0 ? picture : picture.Flipped();
            return (turn & 4) == 0 ? picture : picture.Transposed();
        }

        private static string Renamed(string text)
        {
            var known = new List<char> { '0' };
            return string.Concat(text.Select(c => char.IsAsciiDigit(c) ? Number(c) : c));

            char Number(char colour)
            {
                if (!known.Contains(colour))
                    known.Add(colour);
                return (char)('0' + known.IndexOf(colour));
            }
        }
    }
}
