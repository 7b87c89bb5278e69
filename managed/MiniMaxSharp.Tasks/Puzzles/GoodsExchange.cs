using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// goods_exchange of SynLogic (arXiv 2505.19641): everyone owns one thing, things change hands, who owns what in the end?
/// Difficulty sets the number of people (20 to 30) and of events (10 to 100), of which about one in five changes
/// nothing. The answer is all pairs of person and thing, in any order. Canonical up to renaming of people and things.
/// </summary>
public sealed class GoodsExchange : ReasoningTask<GoodsExchange.Market>
{
    private const int MostEvents = 200;

    private static readonly string[] Names =
    [
        "Ada", "Ben", "Cleo", "Dirk", "Elsa", "Finn", "Gail", "Hugo", "Ines", "Jack", "Kira", "Liam", "Mona", "Nico", "Olga",
        "Paul", "Quin", "Rosa", "Sven", "Tara", "Ugo", "Vera", "Wim", "Xena", "Yves", "Zoe", "Amir", "Bela", "Chen", "Dana",
    ];

    private static readonly string[] Things =
    [
        "lamp", "book", "coin", "drum", "flute", "globe", "hat", "kite", "ladder", "mirror", "needle", "oar", "pencil", "quilt", "ring",
        "spoon", "tent", "umbrella", "vase", "wagon", "anchor", "basket", "candle", "dice", "easel", "fan", "guitar", "hammer", "ink", "jug",
    ];

    /// <summary>The kinds of events, and what each names: p for a person, t for a thing.</summary>
    private static readonly Dictionary<string, string> Kinds = new()
    {
        ["swap"] = "pp",
        ["get"] = "pt",
        ["cross"] = "tt",
        ["round"] = "ppp",
        ["plan"] = "pp",
        ["admire"] = "pt",
        ["back"] = "pp",
    };

    private static readonly string[] Moves = ["swap", "swap", "get", "cross", "round"];
    private static readonly string[] Distractors = ["plan", "admire", "back"];

    private readonly record struct Level(int People, int Events);

    private static readonly Level[] Levels =
        [new(20, 10), new(20, 20), new(21, 30), new(22, 40), new(23, 50), new(24, 60), new(25, 70), new(26, 80), new(28, 90), new(30, 100)];

    /// <inheritdoc/>
    public override string Name => "goods_exchange";

    /// <inheritdoc/>
    public override string Description => "who owns what after many exchanges";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["owns", ":", ";", .. Kinds.Keys, .. Names, .. Things];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Market, string>> English { get; } =
    [
        p => $"At a market each person owns one thing.\n{Owners(p, "{0} owns the {1}.")}\nThen, in this order:\n{Lines(p, InEnglish)}\nWho owns what in the end? Give all pairs as (person, thing), separated by commas.",
        p => $"In the beginning:\n{Owners(p, "{0}: {1}.")}\nThe following happens, one after the other:\n{Lines(p, InEnglish)}\nList what each person has at the end. Write one pair (person, thing) for everybody.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Market, string>> Chinese { get; } =
    [
        p => $"集市上每人有一件物品。\n{Owners(p, "{0} 有 {1}。")}\n随后依次发生：\n{Lines(p, InChinese)}\n最后每件物品归谁？请写出所有人的 (人, 物品)，以逗号隔开，名称照抄原文。",
        p => $"开始时：\n{Owners(p, "{0}：{1}。")}\n之后先后发生了下列事情：\n{Lines(p, InChinese)}\n请列出最后每个人手中的物品，每人一对，写成 (人, 物品)，名称用原文。",
    ];

    private static string Owners(Market puzzle, string form) =>
        string.Join(' ', puzzle.Owners.Select(pair => form.Replace("{0}", pair.Person).Replace("{1}", pair.Thing)));

    private static string Lines(Market puzzle, Func<string[], string> sentence) =>
        string.Join('\n', puzzle.Events.Select((words, at) => $"{at + 1}. {sentence(words)}"));

    private static string InEnglish(string[] words) => words switch
    {
        ["swap", var a, var b] => $"{a} and {b} exchange what they have.",
        ["get", var a, var t] => $"{a} exchanges with whoever has the {t} (nothing happens if that is {a}).",
        ["cross", var t, var u] => $"The owner of the {t} and the owner of the {u} exchange these two things.",
        ["round", var a, var b, var c] => $"At the same time {a} hands over to {b}, {b} to {c}, and {c} to {a}.",
        ["plan", var a, var b] => $"{a} and {b} consider an exchange but leave it at that.",
        ["admire", var a, var t] => $"{a} admires the {t}.",
        _ => $"{words[1]} and {words[2]} exchange what they have, then change their minds and undo it.",
    };

    private static string InChinese(string[] words) => words switch
    {
        ["swap", var a, var b] => $"{a} 与 {b} 交换手中的物品。",
        ["get", var a, var t] => $"{a} 与持有 {t} 的人交换（若在自己手中则不变）。",
        ["cross", var t, var u] => $"持有 {t} 的人与持有 {u} 的人互换这两件物品。",
        ["round", var a, var b, var c] => $"{a} 把物品给 {b}，同时 {b} 给 {c}，{c} 给 {a}。",
        ["plan", var a, var b] => $"{a} 和 {b} 商量过交换，但没有进行。",
        ["admire", var a, var t] => $"{a} 称赞了 {t}。",
        _ => $"{words[1]} 与 {words[2]} 交换了物品，随即反悔，又换了回来。",
    };

    /// <inheritdoc/>
    protected override (Market Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var (people, things) = (rng.Sample(Names, level.People), rng.Sample(Things, level.People));
        var events = Enumerable.Range(0, level.Events).Select(_ => Draw(people, things, rng)).ToArray();
        var puzzle = new Market([.. people.Zip(things)], events);
        return (puzzle, string.Join(" ; ", puzzle.Final.Select(pair => $"{pair.Key} {pair.Value}")));
    }

    private static string[] Draw(string[] people, string[] things, Rng rng)
    {
        var kind = rng.Pick(rng.OneIn(5) ? Distractors : Moves);
        var (persons, goods) = (new Queue<string>(rng.Sample(people, 3)), new Queue<string>(rng.Sample(things, 2)));
        return [kind, .. Kinds[kind].Select(what => what == 'p' ? persons.Dequeue() : goods.Dequeue())];
    }

    /// <inheritdoc/>
    protected override string Compact(Market puzzle) =>
        $"owns {string.Join(" ; ", puzzle.Owners.Select(pair => $"{pair.Person} {pair.Thing}"))} : {string.Join(" ; ", puzzle.Events.Select(words => string.Join(' ', words)))}";

    /// <inheritdoc/>
    protected override Verdict Check(Market puzzle, string answer)
    {
        var words = answer.Split([' ', '\t', '\r', '\n', ',', ';', ':', '(', ')', '[', ']', '"', '\'', '，', '、', '；', '：', '（', '）'], StringSplitOptions.RemoveEmptyEntries);
        if (words.Length % 2 != 0)
            return Verdict.Wrong("not pairs of person and thing");
        var pairs = words.Chunk(2).ToArray();
        if (pairs.FirstOrDefault(pair => !puzzle.Final.ContainsKey(pair[0])) is { } stranger)
            return Verdict.Wrong($"'{stranger[0]}' is nobody here");
        if (pairs.Length != puzzle.Final.Count || pairs.DistinctBy(pair => pair[0]).Count() < pairs.Length)
            return Verdict.Wrong("not one pair for each person");
        return pairs.FirstOrDefault(pair => puzzle.Final[pair[0]] != pair[1]) is { } wrong
            ? Verdict.Wrong($"{wrong[0]} does not own the {wrong[1]}")
            : Verdict.Right;
    }

    /// <inheritdoc/>
    protected override Market Read(JsonObject data)
    {
        var owners = data.Texts("owners").Select(text => text.Split(' ')).ToArray();
        if (!owners.All(pair => pair is [{ Length: > 0 }, { Length: > 0 }]))
            throw new FormatException("Field 'owners' is not of pairs of person and thing.");
        return new Market([.. owners.Select(pair => (pair[0], pair[1]))], [.. data.Texts("events").Select(text => text.Split(' '))]);
    }

    /// <summary>Who owns what, and what happens.</summary>
    public sealed class Market : Puzzle
    {
        private readonly Dictionary<string, string> _final;

        internal Market((string Person, string Thing)[] owners, string[][] events)
        {
            var (people, things) = (owners.Select(pair => pair.Person).ToHashSet(), owners.Select(pair => pair.Thing).ToHashSet());
            if (owners.Length is < 2 or > 100 || people.Count < owners.Length || things.Count < owners.Length || people.Overlaps(things))
                throw new FormatException("There are not 2 to 100 people with a thing of their own each.");
            if (events.Length > MostEvents || events.FirstOrDefault(words => !IsEvent(words)) is not null)
                throw new FormatException("The events are too many or not well-formed.");
            (Owners, Events) = (owners, events);
            _final = owners.ToDictionary(pair => pair.Person, pair => pair.Thing);
            foreach (var words in events)
                Happen(words);

            bool IsEvent(string[] words) => Kinds.TryGetValue(words[0], out var what) && what.Length == words.Length - 1
                && words.Distinct().Count() == words.Length && what.Zip(words.Skip(1)).All(pair => (pair.First == 'p' ? people : things).Contains(pair.Second));
        }

        internal IReadOnlyList<(string Person, string Thing)> Owners { get; }

        /// <summary>Each as its kind and the names in it.</summary>
        internal IReadOnlyList<string[]> Events { get; }

        /// <summary>What each person owns in the end.</summary>
        internal IReadOnlyDictionary<string, string> Final => _final;

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["owners"] = Owners.Select(pair => $"{pair.Person} {pair.Thing}").ToJsonArray(),
            ["events"] = Events.Select(words => string.Join(' ', words)).ToJsonArray(),
        };

        /// <summary>People and things are numbered as events name them; what no event touches does not matter.</summary>
        public override string CanonicalForm()
        {
            var (owner, thing) = (Owners.ToDictionary(pair => pair.Thing, pair => pair.Person), Owners.ToDictionary(pair => pair.Person, pair => pair.Thing));
            var numbers = new Dictionary<string, int>(); // of people; a thing has the number of its first owner
            return $"{Owners.Count} {string.Join(';', Events.Select(words => $"{words[0]} {string.Join(' ', words.Skip(1).Select(Number))}"))}";

            int Number(string word)
            {
                var person = thing.ContainsKey(word) ? word : owner[word];
                numbers.TryAdd(person, numbers.Count);
                return numbers[person];
            }
        }

        private void Happen(string[] words)
        {
            switch (words)
            {
                case ["swap", var a, var b]:
                    Swap(a, b);
                    break;
                case ["get", var a, var thing]:
                    Swap(a, Holder(thing));
                    break;
                case ["cross", var thing, var other]:
                    Swap(Holder(thing), Holder(other));
                    break;
                case ["round", var a, var b, var c]:
                    (_final[b], _final[c], _final[a]) = (_final[a], _final[b], _final[c]);
                    break;
            }
        }

        private string Holder(string thing) => _final.First(pair => pair.Value == thing).Key;

        private void Swap(string a, string b) => (_final[a], _final[b]) = (_final[b], _final[a]);
    }
}
