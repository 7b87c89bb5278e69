using System.Globalization;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// buggy_tables of SynLogic (arXiv 2505.19641): a table was spoilt in a way that is described; undo that, then answer a
/// query. Difficulty sets the number of rows (25 to 65) and the rate at which rows are spoilt (.05 to .35). There
/// are seven kinds of damage, all of which can be undone exactly. The answer is a number with at most two decimals, within
/// half a hundredth of the exact value. Puzzles where the damage makes no difference never leave the generator.
/// </summary>
public sealed class BuggyTables : ReasoningTask<BuggyTables.Table>
{
    private const int Unknown = -1;
    private const int MostRows = 200;
    private const int MostOffset = 50;

    private static readonly string[] Columns = ["group", "price", "weight", "stock", "score"];
    private static readonly string[] Kinds = ["repeated", "foreign", "erased", "exchanged", "raised", "reversed", "rotated"];
    private static readonly string[] Measures = ["sum", "mean", "median", "range"];

    /// <summary>Rows of the intact table, and hundredths of them that are spoilt.</summary>
    private readonly record struct Level(int Rows, int RatePercent);

    private static readonly Level[] Levels =
        [new(25, 5), new(29, 8), new(33, 12), new(38, 15), new(42, 18), new(47, 22), new(51, 25), new(56, 28), new(60, 32), new(65, 35)];

    /// <inheritdoc/>
    public override string Name => "buggy_tables";

    /// <inheritdoc/>
    public override string Description => "undo a known corruption of a table, then answer a query";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["table", ",", ";", ":", "?", ".", "-", "where", .. Columns, .. Kinds, .. Measures, .. Enumerable.Range(0, 10).Select(digit => $"{digit}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Table, string>> English { get; } =
    [
        p => $"A program wrote this table with a bug:\n{p}\n{DamageInEnglish(p)} Undo the damage. Then compute, over the correct rows{FilterInEnglish(p.Query)}, the {MeasureInEnglish(p.Query)}. Round to two decimals and give the number alone.",
        p => $"The table below is not as it should be. {DamageInEnglish(p)}\n{p}\nRestore the original table first. What is the {MeasureInEnglish(p.Query)} in the rows{FilterInEnglish(p.Query)}? Answer with one number, rounded to two decimals.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Table, string>> Chinese { get; } =
    [
        p => $"一个程序写出了下面的表格，但程序有错误：\n{p}\n{DamageInChinese(p)}请先还原表格，再对{FilterInChinese(p.Query)}计算{MeasureInChinese(p.Query)}。结果四舍五入到两位小数，只写数字。",
        p => $"下面的表格已被破坏。{DamageInChinese(p)}\n{p}\n恢复原来的表格后，{FilterInChinese(p.Query)}的{MeasureInChinese(p.Query)}是多少？答案为一个数，保留两位小数。",
    ];

    private static string DamageInEnglish(Table puzzle)
    {
        var damage = puzzle.Damage;
        var (column, other, step) = (Columns[damage.Column], Columns[damage.Other], damage.Step);
        return damage.Kind switch
        {
            "repeated" => $"After every {step} correct rows, counted from the top, the last of them was written once more.",
            "foreign" => $"After every {step} correct rows, counted from the top, one row that does not belong to the table was inserted.",
            "erased" => $"In the rows whose number is divisible by {step} (the first row is row 1) the {column} was lost and replaced by ?. The lost values, from top to bottom, are {string.Join(", ", damage.Lost)}.",
            "exchanged" => $"In the rows whose number is divisible by {step} (the first row is row 1) the values of {column} and {other} were exchanged.",
            "raised" => $"In the rows whose number is divisible by {step} (the first row is row 1) the {column} was increased by {damage.Amount}.",
            "reversed" => $"In the first {step} rows the values of {column} were written in reverse order (only that column).",
            _ => $"The values of {column} (only that column) were moved down by {step} rows; those that fell off the bottom were put at the top, in the same order.",
        };
    }

    private static string DamageInChinese(Table puzzle)
    {
        var damage = puzzle.Damage;
        var (column, other, step) = (Columns[damage.Column], Columns[damage.Other], damage.Step);
        return damage.Kind switch
        {
            "repeated" => $"从上往下，每写完 {step} 行正确的数据，就把其中最后一行又重复写了一遍。",
            "foreign" => $"从上往下，每写完 {step} 行正确的数据，就插入了一行不属于该表的数据。",
            "erased" => $"行号（从 1 起）能被 {step} 整除的各行中，{column} 丢失并变成了 ?。丢失的值从上到下依次为 {string.Join("、", damage.Lost)}。",
            "exchanged" => $"行号（从 1 起）能被 {step} 整除的各行中，{column} 与 {other} 的值互换了。",
            "raised" => $"行号（从 1 起）能被 {step} 整除的各行中，{column} 被加上了 {damage.Amount}。",
            "reversed" => $"前 {step} 行中 {column} 的值上下颠倒了（仅此一列）。",
            _ => $"{column} 的值（仅此一列）整体下移了 {step} 行，移出底部的值按原顺序放到了顶部。",
        };
    }

    private static string FilterInEnglish(Query query) => query.Group == 0 ? "" : $" whose group is {query.Group}";

    private static string FilterInChinese(Query query) => query.Group == 0 ? "所有正确的行" : $"group 为 {query.Group} 的正确的行";

    private static string MeasureInEnglish(Query query) => query.Measure == "range"
        ? $"difference between the largest and the smallest {Columns[query.Column]}"
        : $"{query.Measure} of {Columns[query.Column]}";

    private static string MeasureInChinese(Query query) => $"{Columns[query.Column]} 的" + query.Measure switch
    {
        "sum" => "总和",
        "mean" => "平均值",
        "median" => "中位数",
        _ => "最大值与最小值之差",
    };

    /// <inheritdoc/>
    protected override (Table Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        while (true)
        {
            var rows = Enumerable.Range(0, level.Rows).Select(_ => Row(rng)).ToArray();
            var damage = Draw(level, rows, rng);
            var query = new Query(rng.Pick(Measures), rng.Between(1, Columns.Length - 1), rng.OneIn(3) ? 0 : rng.Between(1, 4));
            var spoilt = Spoil(rows, damage, rng);
            if (Ask(rows, query) is { } right && Ask(spoilt, query) is { } naive && right.Top * naive.Bottom != naive.Top * right.Bottom)
                return (new Table(spoilt, damage, query), string.Join(' ', Rounded(right).AsEnumerable()));
        }
    }

    private static int[] Row(Rng rng) => [rng.Between(1, 4), .. Enumerable.Range(1, Columns.Length - 1).Select(_ => rng.Between(10, 99))];

    private static Damage Draw(Level level, int[][] rows, Rng rng)
    {
        var kind = rng.Pick(Kinds);
        var columns = rng.Sample(Enumerable.Range(1, Columns.Length - 1), 2);
        var step = kind is "reversed" or "rotated" ? Math.Max(2, level.Rows * level.RatePercent / 100) : (100 + level.RatePercent - 1) / level.RatePercent;
        var lost = kind == "erased" ? Marked(rows.Length, step).Select(row => rows[row][columns[0]]).ToArray() : [];
        return new(kind, columns[0], columns[1], step, kind == "raised" ? rng.Between(5, MostOffset) : 0, lost);
    }

    /// <summary>The rows whose number, from 1, is divisible by <paramref name="step"/>.</summary>
    private static IEnumerable<int> Marked(int rows, int step) => Enumerable.Range(0, rows).Where(row => (row + 1) % step == 0);

    private static int[][] Spoil(int[][] rows, Damage damage, Rng rng) => damage.Kind switch
    {
        "repeated" => [.. rows.Index().SelectMany(row => (row.Index + 1) % damage.Step == 0 ? new[] { row.Item, row.Item } : [row.Item])],
        "foreign" => [.. rows.Index().SelectMany(row => (row.Index + 1) % damage.Step == 0 ? new[] { row.Item, Row(rng) } : [row.Item])],
        "erased" => Change(rows, damage.Step, (row, _) => row[damage.Column] = Unknown),
        "exchanged" => Exchange(rows, damage),
        "raised" => Change(rows, damage.Step, (row, _) => row[damage.Column] += damage.Amount),
        "reversed" => Reverse(rows, damage),
        _ => Rotate(rows, damage.Column, damage.Step),
    };

    /// <summary>The table as it was before the damage.</summary>
    private static int[][] Restore(int[][] rows, Damage damage) => damage.Kind switch
    {
        "repeated" or "foreign" => [.. rows.Where((_, at) => (at + 1) % (damage.Step + 1) != 0)],
        "erased" => Change(rows, damage.Step, (row, number) => row[damage.Column] = damage.Lost[number]),
        "exchanged" => Exchange(rows, damage),
        "raised" => Change(rows, damage.Step, (row, _) => row[damage.Column] -= damage.Amount),
        "reversed" => Reverse(rows, damage),
        _ => Rotate(rows, damage.Column, -damage.Step),
    };

    /// <summary>A copy with a change in every step-th row; the change also gets the number of such rows before.</summary>
    private static int[][] Change(int[][] rows, int step, Action<int[], int> change)
    {
        int[][] copy = [.. rows.Select(row => row.ToArray())];
        foreach (var (number, row) in Marked(rows.Length, step).Index())
            change(copy[row], number);
        return copy;
    }

    private static int[][] Exchange(int[][] rows, Damage damage) => Change(rows, damage.Step, (row, _) =>
        (row[damage.Column], row[damage.Other]) = (row[damage.Other], row[damage.Column]));

    private static int[][] Reverse(int[][] rows, Damage damage) =>
        Rearrange(rows, damage.Column, row => row < damage.Step ? damage.Step - 1 - row : row);

    private static int[][] Rotate(int[][] rows, int column, int down) =>
        Rearrange(rows, column, row => (row - down + rows.Length) % rows.Length);

    private static int[][] Rearrange(int[][] rows, int column, Func<int, int> source) =>
        [.. rows.Select((row, at) => row.Select((value, i) => i == column ? rows[source(at)][i] : value).ToArray())];

    /// <summary>The exact answer to a query as a fraction; unknown values count for nothing. Null if no row is left.</summary>
    private static (int Top, int Bottom)? Ask(int[][] rows, Query query)
    {
        var values = rows.Where(row => query.Group == 0 || row[0] == query.Group).Select(row => row[query.Column]).Where(value => value != Unknown).Order().ToArray();
        if (values.Length == 0)
            return null;
        return query.Measure switch
        {
            "sum" => (values.Sum(), 1),
            "mean" => (values.Sum(), values.Length),
            "median" => (values[(values.Length - 1) / 2] + values[values.Length / 2], 2),
            _ => (values[^1] - values[0], 1),
        };
    }

    private static string Rounded((int Top, int Bottom) value) =>
        Math.Round((decimal)value.Top / value.Bottom, 2, MidpointRounding.AwayFromZero).ToString("0.00", CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    protected override string Compact(Table puzzle)
    {
        var (damage, query) = (puzzle.Damage, puzzle.Query);
        var rows = string.Join(" ; ", puzzle.Rows.Select(row => string.Join(" , ", row.Select(Digits))));
        var lost = string.Join(" , ", damage.Lost.Select(Digits).DefaultIfEmpty("-"));
        return $"table {rows} : {damage.Kind} {Columns[damage.Column]} {Columns[damage.Other]} {Digits(damage.Step)} , {Digits(damage.Amount)} , {lost} : "
            + $"{query.Measure} {Columns[query.Column]} where group {query.Group}";
    }

    private static string Digits(int number) => number == Unknown ? "?" : string.Join(' ', $"{number}".AsEnumerable());

    /// <inheritdoc/>
    protected override Verdict Check(Table puzzle, string answer)
    {
        var text = string.Concat(answer.Where(c => !char.IsWhiteSpace(c)));
        if (text.Length > 12 || !text.All(c => char.IsAsciiDigit(c) || c is '.' or '-') || !decimal.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
            return Verdict.Wrong("not a number");
        if (number != Math.Round(number, 2))
            return Verdict.Wrong("more than two decimals");
        return Math.Abs((number * puzzle.Answer.Bottom) - puzzle.Answer.Top) <= 0.005m * puzzle.Answer.Bottom
            ? Verdict.Right
            : Verdict.Wrong("another value is right");
    }

    /// <inheritdoc/>
    protected override Table Read(JsonObject data)
    {
        var rows = data.Texts("rows").Select(ReadRow).ToArray();
        var (bug, query) = (data.Object("damage"), data.Object("query"));
        var damage = new Damage(
            Choice(bug.Text("kind"), Kinds), bug.Number("column", 1, Columns.Length - 1), bug.Number("other", 1, Columns.Length - 1),
            bug.Number("step", 2, MostRows), bug.Number("amount", 0, MostOffset), bug.Numbers("lost", 0, 999));
        return new Table(rows, damage, new Query(Choice(query.Text("measure"), Measures), query.Number("column", 1, Columns.Length - 1), query.Number("group", 0, 4)));
    }

    private static string Choice(string text, string[] choices) =>
        choices.Contains(text) ? text : throw new FormatException($"'{text}' is none of {string.Join(", ", choices)}.");

    private static int[] ReadRow(string text)
    {
        var cells = text.Split(' ');
        return cells.Length == Columns.Length && cells.All(cell => cell == "?" || (cell.Length is > 0 and < 4 && cell.All(char.IsAsciiDigit)))
            ? [.. cells.Select(cell => cell == "?" ? Unknown : int.Parse(cell))]
            : throw new FormatException($"'{text}' is not a row of {Columns.Length} numbers.");
    }

    /// <summary>What was done to the table: columns and amount as the kind needs them, every how many rows or to how many.</summary>
    internal sealed record Damage(string Kind, int Column, int Other, int Step, int Amount, int[] Lost);

    /// <summary>What is asked, of which column, in the rows of which group (0 for all).</summary>
    internal sealed record Query(string Measure, int Column, int Group);

    /// <summary>A spoilt table, how it was spoilt, and what is asked.</summary>
    public sealed class Table : Puzzle
    {
        private readonly int[][] _rows;

        internal Table(int[][] rows, Damage damage, Query query)
        {
            if (rows.Length is < 2 or > MostRows || damage.Step > rows.Length)
                throw new FormatException("The table has too few or too many rows.");
            if (damage.Kind == "erased" && damage.Lost.Length != rows.Length / damage.Step)
                throw new FormatException("There is not one lost value for each that is missing.");
            (_rows, Damage, Query) = (rows, damage, query);
            var restored = Restore(rows, damage);
            if (restored.Any(row => row.Any(value => value < 0)))
                throw new FormatException("A value is unknown or negative after the damage was undone.");
            Answer = Ask(restored, query) ?? throw new FormatException("The query is about no row.");
        }

        /// <summary>As they were written.</summary>
        internal IReadOnlyList<int[]> Rows => _rows;

        internal Damage Damage { get; }

        internal Query Query { get; }

        /// <summary>The exact answer, as a fraction.</summary>
        internal (int Top, int Bottom) Answer { get; }

        /// <summary>Comma-separated, with a line of names.</summary>
        public override string ToString() => string.Join('\n', Rows.Select(row => string.Join(',', row.Select(Cell))).Prepend(string.Join(',', Columns)));

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["rows"] = Rows.Select(row => string.Join(' ', row.Select(Cell))).ToJsonArray(),
            ["damage"] = new JsonObject
            {
                ["kind"] = Damage.Kind,
                ["column"] = Damage.Column,
                ["other"] = Damage.Other,
                ["step"] = Damage.Step,
                ["amount"] = Damage.Amount,
                ["lost"] = Damage.Lost.ToJsonArray(),
            },
            ["query"] = new JsonObject { ["measure"] = Query.Measure, ["column"] = Query.Column, ["group"] = Query.Group },
        };

        /// <inheritdoc/>
        public override string CanonicalForm() =>
            $"{string.Join(';', Rows.Select(row => string.Join(',', row)))} {Damage.Kind} {Damage.Column} {Damage.Other} {Damage.Step} {Damage.Amount} {string.Join(',', Damage.Lost)} {Query}";

        private static string Cell(int value) => value == Unknown ? "?" : $"{value}";
    }
}
