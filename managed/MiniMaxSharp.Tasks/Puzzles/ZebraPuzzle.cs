using System.Numerics;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// zebra_puzzle of SynLogic (arXiv 2505.19641): houses in a row, each with one value of every attribute (owner, colour, drink, …);
/// clues say who lives where. Difficulty sets the number of houses (2 to 6) and attributes (2 to 5). Just one table fits, by search,
/// and no clue can be spared; the verifier goes by the clues. The answer is the table, one house a row, attributes in the order given.
/// Canonical under renaming of attributes and values, as far as one pass over the clues goes.
/// </summary>
public sealed class ZebraPuzzle : ReasoningTask<ZebraPuzzle.Street>
{
    private readonly record struct Level(int Houses, int Attributes);

    private static readonly Level[] Levels =
        [new(2, 2), new(3, 2), new(3, 3), new(3, 4), new(4, 3), new(4, 4), new(4, 5), new(5, 4), new(5, 5), new(6, 5)];

    private static readonly Attribute[] Attributes =
    [
        new(new("owner", "房主"), [new("Anna", "安娜"), new("Ben", "本恩"), new("Clara", "克拉拉"), new("David", "大卫"), new("Emma", "艾玛"), new("Frank", "弗兰克")]),
        new(new("colour", "颜色"), [new("red", "红色"), new("blue", "蓝色"), new("green", "绿色"), new("white", "白色"), new("yellow", "黄色"), new("black", "黑色")]),
        new(new("drink", "饮料"), [new("tea", "茶"), new("coffee", "咖啡"), new("milk", "牛奶"), new("juice", "果汁"), new("water", "水"), new("cocoa", "可可")]),
        new(new("pet", "宠物"), [new("dog", "狗"), new("cat", "猫"), new("parrot", "鹦鹉"), new("rabbit", "兔子"), new("turtle", "乌龟"), new("zebra", "斑马")]),
        new(new("hobby", "爱好"), [new("chess", "象棋"), new("painting", "绘画"), new("cooking", "烹饪"), new("dancing", "舞蹈"), new("fishing", "钓鱼"), new("singing", "唱歌")]),
        new(new("job", "职业"), [new("doctor", "医生"), new("baker", "面包师"), new("teacher", "教师"), new("pilot", "飞行员"), new("farmer", "农民"), new("lawyer", "律师")]),
    ];

    private const int MostHouses = 6;
    private static readonly string[] Kinds = ["same", "apart", "left", "before", "beside", "at", "not"];

    /// <inheritdoc/>
    public override string Name => "zebra_puzzle";

    /// <inheritdoc/>
    public override string Description => "who lives where, by clues";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
    [
        "houses", ":", ";", "|", .. Kinds, .. Enumerable.Range(1, MostHouses).Select(house => $"{house}"),
        .. Attributes.Select(attribute => attribute.Name.English), .. Attributes.SelectMany(attribute => attribute.Values.Select(value => value.English)),
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Street, string>> English { get; } =
    [
        p => $"{p.Houses} houses stand in a row, numbered 1 to {p.Houses} from left to right. They differ in {string.Join(", ", p.Attributes.Select(a => a.Name.English))}:\n{p.List(noun => noun.English, ": ", ", ")}\nClues:\n{string.Join('\n', p.Clues.Select((clue, i) => $"{i + 1}. {InEnglish(p, clue)}"))}\nGive one line for each house from left to right, with the values in the order {string.Join(", ", p.Attributes.Select(a => a.Name.English))}.",
        p => $"Along a street there are {p.Houses} houses, the first one leftmost. To each belongs one of each of these:\n{p.List(noun => noun.English, ": ", ", ")}\nThis is known.\n{string.Join('\n', p.Clues.Select(clue => $"- {InEnglish(p, clue)}"))}\nWrite a table with a row for each house, first house first, and columns {string.Join(", ", p.Attributes.Select(a => a.Name.English))}; values only, separated by spaces.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Street, string>> Chinese { get; } =
    [
        p => $"一排有 {p.Houses} 栋房子，从左到右编号 1 到 {p.Houses}。每栋的下列各项互不相同：\n{p.List(noun => noun.Chinese, "：", "，")}\n线索：\n{string.Join('\n', p.Clues.Select((clue, i) => $"{i + 1}. {InChinese(p, clue)}"))}\n从左到右每栋房子写一行，依次写出{string.Join("、", p.Attributes.Select(a => a.Name.Chinese))}，用空格隔开。",
        p => $"街边并列 {p.Houses} 栋房子，最左边是第 1 栋。各项取值如下，每个值恰属于一栋房子：\n{p.List(noun => noun.Chinese, "：", "，")}\n已知：\n{string.Join('\n', p.Clues.Select(clue => $"- {InChinese(p, clue)}"))}\n请写出表格：每行一栋房子（从第 1 栋起），列的次序为{string.Join("、", p.Attributes.Select(a => a.Name.Chinese))}，只写取值。",
    ];

    /// <inheritdoc/>
    protected override (Street Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var attributes = rng.Sample(Enumerable.Range(0, Attributes.Length), level.Attributes).Order()
            .Select(index => new Attribute(Attributes[index].Name, rng.Sample(Attributes[index].Values, level.Houses))).ToArray();
        var houses = attributes.SelectMany(_ => rng.Sample(Enumerable.Range(0, level.Houses), level.Houses)).ToArray();
        var puzzle = new Street(level.Houses, attributes, Spare(Enough(houses, level.Houses, rng), houses.Length, level.Houses));
        return (puzzle, Grids.Bars(puzzle.Table(houses), level.Attributes));
    }

    /// <summary>True clues at random until they leave one table.</summary>
    private static List<Clue> Enough(int[] houses, int count, Rng rng)
    {
        var clues = new List<Clue>();
        while (clues.Count < houses.Length || Solve(clues, houses.Length, count) > 1)
        {
            var kind = rng.Below(Kinds.Length);
            var (x, y) = (rng.Below(houses.Length), kind >= 5 ? rng.Below(count) : rng.Below(houses.Length));
            var clue = new Clue(kind, x, y);
            if ((kind < 5 && (x == y || (kind < 2 && x / count == y / count))) || !clue.Holds(houses) || clues.Contains(clue))
                continue;
            clues.Add(clue);
        }
        return clues;
    }

    /// <summary>Leaves out each clue that the others make needless.</summary>
    private static Clue[] Spare(List<Clue> clues, int values, int count)
    {
        for (var i = clues.Count - 1; i >= 0; i--)
        {
            var clue = clues[i];
            clues.RemoveAt(i);
            if (Solve(clues, values, count) > 1)
                clues.Insert(i, clue);
        }
        return [.. clues];
    }

    /// <summary>How many tables fit, at most 2.</summary>
    private static int Solve(List<Clue> clues, int values, int count)
    {
        var possible = new int[values];
        Array.Fill(possible, (1 << count) - 1);
        return Solve(possible, clues, count);
    }

    private static int Solve(int[] possible, List<Clue> clues, int count)
    {
        if (!Narrow(possible, clues, count))
            return 0;
        var open = Enumerable.Range(0, possible.Length).Where(value => BitOperations.PopCount((uint)possible[value]) > 1).DefaultIfEmpty(-1).MinBy(value => value < 0 ? 0 : BitOperations.PopCount((uint)possible[value]));
        if (open < 0)
            return 1;
        var found = 0;
        for (var house = 0; house < count && found < 2; house++)
        {
            if ((possible[open] >> house & 1) == 0)
                continue;
            var next = possible.ToArray();
            next[open] = 1 << house;
            found += Solve(next, clues, count);
        }
        return Math.Min(found, 2);
    }

    /// <summary>Strikes out houses until nothing more follows; false if a value is left without any.</summary>
    private static bool Narrow(int[] possible, List<Clue> clues, int count)
    {
        for (var changed = true; changed;)
        {
            changed = false;
            foreach (var clue in clues)
                changed |= clue.Narrow(possible, count);
            for (var value = 0; value < possible.Length; value++)
            {
                if (BitOperations.IsPow2(possible[value]))
                    changed |= Strike(possible, value, count);
            }
            if (Array.IndexOf(possible, 0) >= 0)
                return false;
        }
        return true;
    }

    /// <summary>Takes the house of a settled value from the other values of its attribute.</summary>
    private static bool Strike(int[] possible, int value, int count)
    {
        var (first, changed) = (value / count * count, false);
        for (var other = first; other < first + count; other++)
        {
            if (other == value || (possible[other] & possible[value]) == 0)
                continue;
            possible[other] &= ~possible[value];
            changed = true;
        }
        return changed;
    }

    /// <inheritdoc/>
    protected override string Compact(Street puzzle) =>
        $"houses {puzzle.Houses} ; {puzzle.List(noun => noun.English, " : ", " ").Replace("\n", " ; ")} | {string.Join(" ; ", puzzle.Clues.Select(puzzle.Text))}";

    /// <inheritdoc/>
    protected override Verdict Check(Street puzzle, string answer)
    {
        if (Grids.Read(answer, puzzle.Houses, puzzle.Attributes.Count) is not { } names)
            return Verdict.Wrong($"not a table of {puzzle.Houses} houses with {puzzle.Attributes.Count} values");
        var houses = new int[names.Length];
        Array.Fill(houses, -1);
        foreach (var (place, name) in names.Index())
        {
            var attribute = place % puzzle.Attributes.Count;
            var value = Array.FindIndex(puzzle.Attributes[attribute].Values, noun => noun.IsCalled(name));
            if (value < 0)
                return Verdict.Wrong($"a value does not belong to its column");
            houses[(attribute * puzzle.Houses) + value] = place / puzzle.Attributes.Count;
        }
        if (houses.Contains(-1))
            return Verdict.Wrong("two houses have the same value");
        return puzzle.Clues.All(clue => clue.Holds(houses)) ? Verdict.Right : Verdict.Wrong("a clue does not hold");
    }

    /// <inheritdoc/>
    protected override Street Read(JsonObject data)
    {
        var houses = data.Number("houses", 2, MostHouses);
        var attributes = data.Texts("attributes").Select(text => ReadAttribute(text, houses)).ToArray();
        if (attributes.Length is 0 or > 6 || attributes.DistinctBy(attribute => attribute.Name).Count() < attributes.Length)
            throw new FormatException("There are not one to six different attributes.");
        var names = attributes.SelectMany(attribute => attribute.Values.Select(value => value.English)).ToArray();
        return new Street(houses, attributes, [.. data.Texts("clues").Select(text => ReadClue(text, names, houses))]);
    }

    private static Attribute ReadAttribute(string text, int houses)
    {
        var words = text.Split(' ');
        var known = Array.Find(Attributes, attribute => attribute.Name.English == words[0]) ?? throw new FormatException($"'{words[0]}' is not an attribute.");
        var values = words[1..].Select(word => Array.Find(known.Values, value => value.English == word)).ToArray();
        return values.Length == houses && values.Distinct().Count() == houses && values.All(value => value.English is not null)
            ? new Attribute(known.Name, values)
            : throw new FormatException($"'{text}' does not give each house another value.");
    }

    private static Clue ReadClue(string text, string[] names, int houses)
    {
        if (text.Split(' ') is not [var name, var first, var second])
            throw new FormatException($"'{text}' is not a clue.");
        var (kind, x) = (Array.IndexOf(Kinds, name), Array.IndexOf(names, first));
        var y = kind >= 5 ? (Answers.Number(second) ?? 0) - 1 : Array.IndexOf(names, second);
        return kind >= 0 && x >= 0 && y >= 0 && (kind < 5 || y < houses) ? new Clue(kind, x, y) : throw new FormatException($"'{text}' is not a clue.");
    }

    private static string InEnglish(Street puzzle, Clue clue)
    {
        var (x, y) = ($"T{House(clue.X)[1..]}", clue.Kind < 5 ? House(clue.Y) : "");
        return clue.Kind switch
        {
            0 => $"{x} is also {y}.",
            1 => $"{x} is not {y}.",
            2 => $"{x} is directly left of {y}.",
            3 => $"{x} is somewhere to the left of {y}.",
            4 => $"{x} is next to {y}.",
            5 => $"{x} is number {clue.Y + 1}.",
            _ => $"{x} is not number {clue.Y + 1}.",
        };

        string House(int value) => $"the house with {puzzle.AttributeOf(value).Name.English} {puzzle.ValueOf(value).English}";
    }

    private static string InChinese(Street puzzle, Clue clue)
    {
        var (x, y) = (House(clue.X), clue.Kind < 5 ? House(clue.Y) : "");
        return clue.Kind switch
        {
            0 => $"{x}就是{y}。",
            1 => $"{x}不是{y}。",
            2 => $"{x}紧挨在{y}的左边。",
            3 => $"{x}在{y}的左边某处。",
            4 => $"{x}与{y}相邻。",
            5 => $"{x}是第 {clue.Y + 1} 栋。",
            _ => $"{x}不是第 {clue.Y + 1} 栋。",
        };

        string House(int value) => $"{puzzle.AttributeOf(value).Name.Chinese}为{puzzle.ValueOf(value).Chinese}的房子";
    }

    internal sealed record Attribute(Noun Name, Noun[] Values);

    /// <summary>Ties value <paramref name="X"/> to value <paramref name="Y"/>, or to house <paramref name="Y"/> for the last two of <see cref="Kinds"/>.</summary>
    internal sealed record Clue(int Kind, int X, int Y)
    {
        internal bool Holds(int[] houses) => Kind switch
        {
            0 => houses[X] == houses[Y],
            1 => houses[X] != houses[Y],
            2 => houses[X] + 1 == houses[Y],
            3 => houses[X] < houses[Y],
            4 => Math.Abs(houses[X] - houses[Y]) == 1,
            5 => houses[X] == Y,
            _ => houses[X] != Y,
        };

        /// <summary>Strikes out the houses that this clue excludes, in sets of bits; whether there were any.</summary>
        internal bool Narrow(int[] possible, int count)
        {
            var (x, y) = (possible[X], Kind < 5 ? possible[Y] : 1 << Y);
            if (x == 0 || y == 0)
                return false;
            var (left, right) = Kind switch
            {
                0 or 5 => (y, x),
                1 => (BitOperations.IsPow2(y) ? ~y : -1, BitOperations.IsPow2(x) ? ~x : -1),
                2 => (y >> 1, x << 1),
                3 => ((1 << BitOperations.Log2((uint)y)) - 1, -2 << BitOperations.TrailingZeroCount(x)),
                4 => ((y << 1) | (y >> 1), (x << 1) | (x >> 1)),
                _ => (~y, -1),
            };
            possible[X] &= left & ((1 << count) - 1);
            if (Kind < 5)
                possible[Y] &= right & ((1 << count) - 1);
            return possible[X] != x || (Kind < 5 && possible[Y] != y);
        }
    }

    /// <summary>Attributes and clues.</summary>
    public sealed class Street : Puzzle
    {
        private const int MostClues = 500;

        internal Street(int houses, Attribute[] attributes, Clue[] clues)
        {
            (Houses, Attributes, Clues) = (houses, attributes, clues);
            if (clues.Length is 0 or > MostClues)
                throw new FormatException($"There are not 1 to {MostClues} clues.");
        }

        internal int Houses { get; }

        internal IReadOnlyList<Attribute> Attributes { get; }

        internal IReadOnlyList<Clue> Clues { get; }

        internal Attribute AttributeOf(int value) => Attributes[value / Houses];

        internal Noun ValueOf(int value) => AttributeOf(value).Values[value % Houses];

        internal string Text(Clue clue) => $"{Kinds[clue.Kind]} {ValueOf(clue.X).English} {(clue.Kind < 5 ? ValueOf(clue.Y).English : $"{clue.Y + 1}")}";

        internal string List(Func<Noun, string> name, string colon, string comma) =>
            string.Join('\n', Attributes.Select(attribute => $"{name(attribute.Name)}{colon}{string.Join(comma, attribute.Values.Select(name))}"));

        /// <summary>The names of values in the order of houses, given the house of each value.</summary>
        internal IEnumerable<string> Table(int[] houses) =>
            from house in Enumerable.Range(0, Houses)
            from attribute in Enumerable.Range(0, Attributes.Count)
            select Attributes[attribute].Values[Array.IndexOf(houses, house, attribute * Houses, Houses) - (attribute * Houses)].English;

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["houses"] = Houses,
            ["attributes"] = Attributes.Select(attribute => $"{attribute.Name.English} {string.Join(' ', attribute.Values.Select(value => value.English))}").ToJsonArray(),
            ["clues"] = Clues.Select(Text).ToJsonArray(),
        };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var (attributes, values) = (new List<int>(), new List<int>());
            var clues = Clues.OrderBy(clue => clue.Kind).Select(clue => $"{clue.Kind} {Renamed(clue.X)} {(clue.Kind < 5 ? Renamed(clue.Y) : $"{clue.Y}")}");
            return $"{Houses}×{Attributes.Count}: {string.Join(';', clues)}";

            string Renamed(int value) => $"{Number(attributes, value / Houses)}.{Number(values, value)}";

            static int Number(List<int> known, int item)
            {
                if (!known.Contains(item))
                    known.Add(item);
                return known.IndexOf(item);
            }
        }
    }
}
