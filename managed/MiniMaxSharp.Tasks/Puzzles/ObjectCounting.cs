using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// object_counting of SynLogic (arXiv 2505.19641): people own, get, lose and hand over things; how many of a sort does one have,
/// do two have together, or what is the difference? Difficulty sets the number of events (3 to 26) and of people (1 to 6);
/// things of other sorts and of other people distract. The answer is a whole number, which the events determine.
/// Canonical under renaming of people and things of a sort, as far as one pass over the events goes.
/// </summary>
public sealed class ObjectCounting : ReasoningTask<ObjectCounting.Story>
{
    private const int MostThings = 9;

    private readonly record struct Level(int Events, int People);

    private static readonly Level[] Levels =
        [new(3, 1), new(4, 2), new(6, 2), new(8, 2), new(10, 3), new(13, 3), new(16, 4), new(19, 4), new(22, 5), new(26, 6)];

    private static readonly Sort[] Sorts =
    [
        new("fruits", "水果", "个", [new("apple", "苹果"), new("pear", "梨"), new("orange", "橙子"), new("plum", "李子"), new("banana", "香蕉"), new("lemon", "柠檬")]),
        new("vegetables", "蔬菜", "个", [new("carrot", "胡萝卜"), new("onion", "洋葱"), new("turnip", "芜菁"), new("pumpkin", "南瓜"), new("cucumber", "黄瓜")]),
        new("animals", "动物", "只", [new("dog", "狗"), new("cat", "猫"), new("rabbit", "兔子"), new("goat", "山羊"), new("duck", "鸭子"), new("chicken", "鸡")]),
        new("instruments", "乐器", "件", [new("flute", "长笛"), new("violin", "小提琴"), new("drum", "鼓"), new("trumpet", "小号"), new("guitar", "吉他")]),
        new("furniture", "家具", "件", [new("chair", "椅子"), new("table", "桌子"), new("sofa", "沙发"), new("cupboard", "橱柜"), new("bed", "床")]),
    ];

    private static readonly Dictionary<string, (Sort Sort, Noun Noun)> Things =
        Sorts.SelectMany(sort => sort.Members.Select(noun => (sort, noun))).ToDictionary(thing => thing.noun.English);

    private static readonly Dictionary<string, string> ChineseNames = Lexicon.People.ToDictionary(person => person.English, person => person.Chinese);

    /// <inheritdoc/>
    public override string Name => "object_counting";

    /// <inheritdoc/>
    public override string Description => "count things of a sort after people got, lost and gave some";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
    [
        "count", "?", ".", "has", "gets", "loses", "gives", "one", "sum", "difference", .. Enumerable.Range(0, 500).Select(number => $"{number}"),
        .. ChineseNames.Keys, .. Things.Keys, .. Sorts.Select(sort => sort.English),
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Story, string>> English { get; } =
    [
        p => $"Read carefully and count.\n{string.Join(' ', p.Events.Select(InEnglish))}\n{AskInEnglish(p.Question)} Answer with a number.",
        p => $"Here is what happened, in this order: {string.Join(' ', p.Events.Select(InEnglish))} When all this is over: {AskInEnglish(p.Question)} The answer is one whole number.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Story, string>> Chinese { get; } =
    [
        p => $"请仔细阅读并计数。\n{string.Concat(p.Events.Select(InChinese))}\n{AskInChinese(p.Question)}答案为一个整数。",
        p => $"事情依次如下：{string.Concat(p.Events.Select(InChinese))}\n最后，{AskInChinese(p.Question)}只写数字。",
    ];

    /// <inheritdoc/>
    protected override (Story Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var people = rng.Sample(Lexicon.People.Select(person => person.English), level.People);
        var question = Ask(people, rng);
        var (events, held) = (new List<Event>(), new Dictionary<(string, string), int>());
        while (events.Count < level.Events)
        {
            var next = Draw(people, question.Sort, events.Count < level.Events / 2, held, rng);
            Story.Apply(next, held);
            events.Add(next);
        }
        var puzzle = new Story([.. events], question);
        return (puzzle, $"{puzzle.Count}");
    }

    private static Question Ask(string[] people, Rng rng)
    {
        var kind = people.Length == 1 ? "one" : rng.Pick(["one", "sum", "difference"]);
        return new Question(kind, people[0], kind == "one" ? people[0] : people[1], rng.Pick(Sorts).English);
    }

    private static Event Draw(string[] people, string sort, bool early, Dictionary<(string Person, string Thing), int> held, Rng rng)
    {
        var owned = held.Where(pair => pair.Value > 0).Select(pair => (pair.Key, pair.Value)).OrderBy(pair => $"{pair.Key}", StringComparer.Ordinal).ToArray();
        if (early || owned.Length == 0 || rng.OneIn(3))
        {
            var members = (rng.OneIn(2) ? Sorts.First(s => s.English == sort) : rng.Pick(Sorts)).Members;
            return new Event(rng.Pick(people), early ? "has" : "gets", "", rng.Between(1, MostThings), rng.Pick(members).English);
        }
        var (from, most) = rng.Pick(owned);
        var taker = rng.Pick(people);
        return taker == from.Person
            ? new Event(from.Person, "loses", "", rng.Between(1, most), from.Thing)
            : new Event(from.Person, "gives", taker, rng.Between(1, most), from.Thing);
    }

    /// <inheritdoc/>
    protected override string Compact(Story puzzle) => $"count {string.Join(" . ", puzzle.Events)} ? {puzzle.Question}";

    /// <inheritdoc/>
    protected override Verdict Check(Story puzzle, string answer) => Answers.CheckNumber(answer, puzzle.Count);

    /// <inheritdoc/>
    protected override Story Read(JsonObject data) =>
        new([.. data.Texts("events").Select(ReadEvent)], ReadQuestion(data.Text("question")));

    private static Event ReadEvent(string text)
    {
        var happened = text.Split(' ') switch
        {
            [var person, "has" or "gets" or "loses", var count, var thing] words => new Event(person, words[1], "", Answers.Number(count) ?? 0, thing),
            [var person, "gives", var taker, var count, var thing] => new Event(person, "gives", taker, Answers.Number(count) ?? 0, thing),
            _ => throw new FormatException($"'{text}' is not an event."),
        };
        var known = ChineseNames.ContainsKey(happened.Person) && Things.ContainsKey(happened.Thing)
            && (happened.Verb != "gives" || ChineseNames.ContainsKey(happened.Taker));
        return known && happened.Count is >= 1 and <= 1000 ? happened : throw new FormatException($"'{text}' names something unknown or a wrong number.");
    }

    private static Question ReadQuestion(string text) =>
        text.Split(' ') is ["one" or "sum" or "difference", var one, var other, var sort] words
        && ChineseNames.ContainsKey(one) && ChineseNames.ContainsKey(other) && (words[0] == "one") == (one == other) && Sorts.Any(s => s.English == sort)
            ? new Question(words[0], one, other, sort)
            : throw new FormatException($"'{text}' is not a question.");

    private static string InEnglish(Event e)
    {
        var things = Things[e.Thing].Noun.Counted(e.Count);
        return e.Verb switch
        {
            "has" => $"{e.Person} owns {things}.",
            "gets" => $"{e.Person} is given {things} by the neighbours.",
            "loses" => $"{e.Person} loses {things}.",
            _ => $"{e.Person} hands {things} over to {e.Taker}.",
        };
    }

    private static string InChinese(Event e)
    {
        var (person, things) = (ChineseNames[e.Person], $"{e.Count}{Things[e.Thing].Sort.Measure}{Things[e.Thing].Noun.Chinese}");
        return e.Verb switch
        {
            "has" => $"{person}有{things}。",
            "gets" => $"邻居送给{person}{things}。",
            "loses" => $"{person}丢失了{things}。",
            _ => $"{person}把{things}交给了{ChineseNames[e.Taker]}。",
        };
    }

    private static string AskInEnglish(Question question)
    {
        var things = question.Sort == "furniture" ? "pieces of furniture" : question.Sort;
        return question.Kind switch
        {
            "one" => $"How many {things} does {question.One} have?",
            "sum" => $"How many {things} do {question.One} and {question.Other} have together?",
            _ => $"One of {question.One} and {question.Other} may have more {things} than the other: by how many (0 if they have equally many)?",
        };
    }

    private static string AskInChinese(Question question)
    {
        var sort = Sorts.First(sort => sort.English == question.Sort);
        var (one, other) = (ChineseNames[question.One], ChineseNames[question.Other]);
        return question.Kind switch
        {
            "one" => $"{one}一共有多少{sort.Measure}{sort.Chinese}？",
            "sum" => $"{one}和{other}合起来有多少{sort.Measure}{sort.Chinese}？",
            _ => $"{one}和{other}拥有的{sort.Chinese}数量相差多少？",
        };
    }

    private sealed record Sort(string English, string Chinese, string Measure, Noun[] Members);

    /// <summary>Someone has, gets, loses or gives things.</summary>
    internal sealed record Event(string Person, string Verb, string Taker, int Count, string Thing)
    {
        public override string ToString() => Verb == "gives" ? $"{Person} gives {Taker} {Count} {Thing}" : $"{Person} {Verb} {Count} {Thing}";
    }

    /// <summary>What is asked: one person's things of a sort, or the sum or difference of two people's.</summary>
    internal sealed record Question(string Kind, string One, string Other, string Sort)
    {
        public override string ToString() => $"{Kind} {One} {Other} {Sort}";
    }

    /// <summary>Events and a question.</summary>
    public sealed class Story : Puzzle
    {
        private const int MostEvents = 1000;

        internal Story(Event[] events, Question question)
        {
            (Events, Question) = (events, question);
            if (events.Length is 0 or > MostEvents)
                throw new FormatException($"There are not 1 to {MostEvents} events.");
            var held = new Dictionary<(string Person, string Thing), int>();
            foreach (var next in events)
                Apply(next, held);
            if (held.Values.Any(count => count < 0))
                throw new FormatException("Someone parts with more than there is.");
            var (one, other) = (Of(question.One), Of(question.Other));
            Count = question.Kind switch { "one" => one, "sum" => one + other, _ => Math.Abs(one - other) };

            int Of(string person) => held.Where(pair => pair.Key.Person == person && Things[pair.Key.Thing].Sort.English == question.Sort).Sum(pair => pair.Value);
        }

        internal IReadOnlyList<Event> Events { get; }

        internal Question Question { get; }

        /// <summary>The right answer.</summary>
        internal int Count { get; }

        internal static void Apply(Event next, Dictionary<(string Person, string Thing), int> held)
        {
            var sign = next.Verb is "has" or "gets" ? 1 : -1;
            Add(next.Person, sign * next.Count);
            if (next.Verb == "gives")
                Add(next.Taker, next.Count);

            void Add(string person, int count) => held[(person, next.Thing)] = held.GetValueOrDefault((person, next.Thing)) + count;
        }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["events"] = Events.Select(e => $"{e}").ToJsonArray(), ["question"] = $"{Question}" };

        /// <summary>People and things numbered as they come, sorts kept.</summary>
        public override string CanonicalForm()
        {
            var (people, things) = (new List<string> { Question.One, Question.Other }, new List<string>());
            return $"{Question.Kind} {string.Join(';', Events.Select(Renamed))}";

            string Renamed(Event e) => $"{Number(people, e.Person)}{e.Verb}{(e.Taker.Length > 0 ? Number(people, e.Taker) : "")}:{e.Count}:{Number(things, e.Thing)}{(Things[e.Thing].Sort.English == Question.Sort ? "!" : "")}";

            static int Number(List<string> known, string name)
            {
                if (!known.Contains(name))
                    known.Add(name);
                return known.IndexOf(name);
            }
        }
    }
}
