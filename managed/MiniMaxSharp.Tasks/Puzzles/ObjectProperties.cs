using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// object_properties of SynLogic (arXiv 2505.19641): a collection of things with size, colour, material and form goes through
/// changes (things are exchanged, given away or doubled by their properties); how many things of some description are there in the end?
/// Difficulty sets the number of things (10 to 30) and of changes (2 to 6). The answer is a whole number, which the text determines.
/// Canonical under reordering of the things.
/// </summary>
public sealed class ObjectProperties : ReasoningTask<ObjectProperties.Collection>
{
    private const int MostThings = 2000;
    private const int MostGenerated = 99;

    private readonly record struct Level(int Things, int Changes);

    private static readonly Level[] Levels =
        [new(10, 2), new(12, 2), new(14, 3), new(16, 3), new(18, 4), new(20, 4), new(22, 5), new(25, 5), new(28, 6), new(30, 6)];

    /// <summary>Size, colour, material, form.</summary>
    private static readonly Noun[][] Properties =
    [
        [new("tiny", "微型"), new("small", "小型"), new("large", "大型"), new("huge", "巨型")],
        [new("red", "红色"), new("blue", "蓝色"), new("green", "绿色"), new("yellow", "黄色"), new("black", "黑色")],
        [new("wooden", "木制"), new("metal", "金属"), new("glass", "玻璃"), new("plastic", "塑料")],
        [new("ball", "球"), new("cube", "方块"), new("ring", "圆环"), new("cup", "杯子"), new("bell", "铃铛")],
    ];

    private const int Form = 3;

    private static readonly Dictionary<string, int> PropertyOf =
        Properties.SelectMany((values, property) => values.Select(value => (value.English, property))).ToDictionary(pair => pair.English, pair => pair.property);

    private static readonly Dictionary<string, string> Translation = Properties.SelectMany(values => values).ToDictionary(value => value.English, value => value.Chinese);

    /// <inheritdoc/>
    public override string Name => "object_properties";

    /// <inheritdoc/>
    public override string Description => "count things of a description after changes to a collection";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["things", "?", ".", "->", "any", "all", "gone", "twice", .. Enumerable.Range(0, MostGenerated + 1).Select(number => $"{number}"), .. PropertyOf.Keys];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Collection, string>> English { get; } =
    [
        p => $"I collect things. At first I have: {string.Join(", ", p.Things.Select(thing => $"a {Words(thing)}"))}.\nThen, one after the other:\n{Numbered(p.Changes.Select(InEnglish))}\nHow many of the things that I have now are {AskInEnglish(p.Question)}? Answer with a number.",
        p => $"A box holds {p.Things.Count} things:\n{string.Join("; ", p.Things.Select(Words))}.\nThese steps are carried out in order.\n{Numbered(p.Changes.Select(InEnglish))}\nCount the things left at the end that are {AskInEnglish(p.Question)}. The answer is one whole number.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Collection, string>> Chinese { get; } =
    [
        p => $"我有一批收藏：{string.Join("，", p.Things.Select(thing => $"一个{InChinese(thing)}"))}。\n随后依次发生：\n{Numbered(p.Changes.Select(InChinese))}\n现在收藏中{AskInChinese(p.Question)}的有多少件？只写数字。",
        p => $"箱子里有 {p.Things.Count} 件东西：\n{string.Join("；", p.Things.Select(InChinese))}。\n按顺序执行下列步骤：\n{Numbered(p.Changes.Select(InChinese))}\n最后箱子里{AskInChinese(p.Question)}的东西共有几件？答案为一个整数。",
    ];

    /// <inheritdoc/>
    protected override (Collection Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        while (true)
        {
            var things = Enumerable.Range(0, level.Things).Select(_ => Properties.Select(values => rng.Pick(values).English).ToArray()).ToArray();
            var changes = Enumerable.Range(0, level.Changes).Select(_ => DrawChange(rng)).ToArray();
            var question = new Question(rng.OneIn(2), Describe(2, Properties.Length, rng));
            var puzzle = new Collection(things, changes, question);
            if (puzzle.Count is > 0 and <= MostGenerated)
                return (puzzle, $"{puzzle.Count}");
        }
    }

    private static Change DrawChange(Rng rng)
    {
        var filter = Describe(rng.Between(1, 2), Properties.Length, rng);
        return new Change(filter, rng.Below(4) switch { 0 => "gone", 1 => "twice", _ => Describe(1, Form, rng)[0] });
    }

    /// <summary>Values of so many different properties, the first ones of the list in front.</summary>
    private static string[] Describe(int count, int among, Rng rng) =>
        [.. rng.Sample(Enumerable.Range(0, among), count).Order().Select(property => rng.Pick(Properties[property]).English)];

    /// <inheritdoc/>
    protected override string Compact(Collection puzzle) =>
        $"things {string.Join(" . ", puzzle.Things.Select(Words).Concat(puzzle.Changes.Select(change => $"{change}")))} ? {puzzle.Question}";

    /// <inheritdoc/>
    protected override Verdict Check(Collection puzzle, string answer) => Answers.CheckNumber(answer, puzzle.Count);

    /// <inheritdoc/>
    protected override Collection Read(JsonObject data)
    {
        var things = data.Texts("things").Select(ReadValues).ToArray();
        if (things.Length is 0 or > 100 || things.Any(thing => thing.Length != Properties.Length))
            throw new FormatException("There are not 1 to 100 things with all their properties.");
        var changes = data.Texts("changes").Select(ReadChange).ToArray();
        return changes.Length <= 20 ? new Collection(things, changes, ReadQuestion(data.Text("question"))) : throw new FormatException("There are more than 20 changes.");
    }

    /// <summary>Values of different properties in the order of <see cref="Properties"/>.</summary>
    private static string[] ReadValues(string text)
    {
        var values = text.Split(' ');
        var places = values.Select(value => PropertyOf.TryGetValue(value, out var property) ? property : -1).ToArray();
        return !places.Contains(-1) && places.Zip(places.Skip(1)).All(pair => pair.First < pair.Second)
            ? values
            : throw new FormatException($"'{text}' is not a description.");
    }

    private static Change ReadChange(string text) =>
        text.Split(" -> ") is [var filter, var outcome] && (outcome is "gone" or "twice" || (PropertyOf.TryGetValue(outcome, out var property) && property != Form))
            ? new Change(ReadValues(filter), outcome)
            : throw new FormatException($"'{text}' is not a change.");

    private static Question ReadQuestion(string text) => text.Split(' ', 2) is ["any" or "all", var values] words
        ? new Question(words[0] == "all", ReadValues(values))
        : throw new FormatException($"'{text}' is not a question.");

    private static string Words(IReadOnlyList<string> thing) => string.Join(' ', thing);

    private static string InChinese(IReadOnlyList<string> thing) => string.Concat(thing.Select(value => Translation[value]));

    private static string Numbered(IEnumerable<string> steps) => string.Join('\n', steps.Select((step, i) => $"{i + 1}. {step}"));

    private static string InEnglish(Change change)
    {
        var which = $"Every {Words(change.Filter)}{(PropertyOf[change.Filter[^1]] == Form ? "" : " thing")}";
        return change.Outcome switch
        {
            "gone" => $"{which} is given away.",
            "twice" => $"{which} gets a twin that is just the same.",
            _ => $"{which} is exchanged for one that is {change.Outcome} and otherwise the same.",
        };
    }

    private static string InChinese(Change change)
    {
        var which = $"每个{InChinese(change.Filter)}{(PropertyOf[change.Filter[^1]] == Form ? "" : "的东西")}";
        return change.Outcome switch
        {
            "gone" => $"{which}都被送走。",
            "twice" => $"{which}都再添一个完全相同的。",
            _ => $"{which}都换成{Translation[change.Outcome]}的，其余性质不变。",
        };
    }

    private static string AskInEnglish(Question question) =>
        $"{(question.All ? "both " : "")}{string.Join(question.All ? " and " : " or ", question.Values.Select(Noun))}{(question.All ? "" : " (or both)")}";

    private static string Noun(string value) => PropertyOf[value] == Form ? $"a {value}" : value;

    private static string AskInChinese(Question question) => question.All
        ? $"既是{string.Join("又是", question.Values.Select(value => Translation[value]))}"
        : $"是{string.Join("或者是", question.Values.Select(value => Translation[value]))}（二者兼具也算）";

    /// <summary>What happens to the things that fit a description.</summary>
    internal sealed record Change(IReadOnlyList<string> Filter, string Outcome)
    {
        public override string ToString() => $"{Words(Filter)} -> {Outcome}";

        internal IEnumerable<string[]> Apply(string[] thing)
        {
            if (!Filter.All(thing.Contains))
                return [thing];
            return Outcome switch
            {
                "gone" => [],
                "twice" => [thing, thing],
                _ => [[.. thing.Select((value, property) => property == PropertyOf[Outcome] ? Outcome : value)]],
            };
        }
    }

    /// <summary>Which things to count: those with all, or with any, of the values.</summary>
    internal sealed record Question(bool All, IReadOnlyList<string> Values)
    {
        public override string ToString() => $"{(All ? "all" : "any")} {Words(Values)}";

        internal bool Holds(string[] thing) => All ? Values.All(thing.Contains) : Values.Any(thing.Contains);
    }

    /// <summary>Things, what happens to them, and a question.</summary>
    public sealed class Collection : Puzzle
    {
        internal Collection(string[][] things, Change[] changes, Question question)
        {
            (Things, Changes, Question) = (things, changes, question);
            var now = things;
            foreach (var change in changes)
            {
                now = [.. now.SelectMany(change.Apply)];
                if (now.Length > MostThings)
                    throw new FormatException("There are too many things.");
            }
            Count = now.Count(question.Holds);
        }

        internal IReadOnlyList<IReadOnlyList<string>> Things { get; }

        internal IReadOnlyList<Change> Changes { get; }

        internal Question Question { get; }

        /// <summary>The right answer.</summary>
        internal int Count { get; }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["things"] = Things.Select(Words).ToJsonArray(),
            ["changes"] = Changes.Select(change => $"{change}").ToJsonArray(),
            ["question"] = $"{Question}",
        };

        /// <inheritdoc/>
        public override string CanonicalForm() => $"{string.Join(';', Things.Select(Words).Order(StringComparer.Ordinal))} {string.Join(';', Changes)} {Question}";
    }
}
