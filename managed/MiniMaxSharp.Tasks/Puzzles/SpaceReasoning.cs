using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// space_reasoning of SynLogic (arXiv 2505.19641): a walk on a square, diamond or triangular lattice finds things; what lies at the end of another walk?
/// Difficulty sets the number of things (4 to 16) and the length of the second walk (2 to 14). The answer is the thing's name,
/// in either language. Canonical under renaming of things and the symmetries of the lattice.
/// </summary>
public sealed class SpaceReasoning : ReasoningTask<SpaceReasoning.Walk>
{
    private const int MostMoves = 1000;

    private readonly record struct Level(int Things, int Steps);

    private static readonly Level[] Levels =
        [new(4, 2), new(5, 3), new(6, 4), new(7, 5), new(8, 6), new(9, 7), new(11, 8), new(12, 10), new(14, 12), new(16, 14)];

    /// <summary>Directions go clockwise, so that a symmetry shifts or mirrors their numbers.</summary>
    private static readonly Lattice[] Lattices =
    [
        new("square", "a square lattice (neighbours lie north, east, south and west)", "正方形网格（相邻位置在北、东、南、西）",
        [
            new("N", "north", "北", 0, -1), new("E", "east", "东", 1, 0), new("S", "south", "南", 0, 1), new("W", "west", "西", -1, 0),
        ]),
        new("diamond", "a diamond lattice (neighbours lie northeast, southeast, southwest and northwest)", "菱形网格（相邻位置在东北、东南、西南、西北）",
        [
            new("NE", "northeast", "东北", 1, -1), new("SE", "southeast", "东南", 1, 1), new("SW", "southwest", "西南", -1, 1), new("NW", "northwest", "西北", -1, -1),
        ]),
        new("triangle", "a lattice of equilateral triangles (each place has six neighbours: northeast, east, southeast, southwest, west and northwest)", "正三角形网格（每个位置有六个相邻位置：东北、东、东南、西南、西、西北）",
        [
            new("NE", "northeast", "东北", 1, -1), new("E", "east", "东", 2, 0), new("SE", "southeast", "东南", 1, 1),
            new("SW", "southwest", "西南", -1, 1), new("W", "west", "西", -2, 0), new("NW", "northwest", "西北", -1, -1),
        ]),
    ];

    private static readonly Dictionary<string, Noun> Things = Lexicon.Things.ToDictionary(thing => thing.English);

    /// <inheritdoc/>
    public override string Name => "space_reasoning";

    /// <inheritdoc/>
    public override string Description => "what lies at the end of a walk on a lattice";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["walk", "?", .. Lattices.Select(lattice => lattice.Name), "N", "NE", "E", "SE", "S", "SW", "W", "NW", .. Things.Keys];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Walk, string>> English { get; } =
    [
        p => $"You walk on {p.Lattice.English}; all steps are equally long. {FoundInEnglish(p)}\nThings stay where they are. Now you stand at the {p.Start} and go {Route(p, d => d.English, ", then ")}. What do you find there? Answer with the name of the thing.",
        p => $"The places of a park form {p.Lattice.English}. On a tour through it, {char.ToLowerInvariant(FoundInEnglish(p)[0])}{FoundInEnglish(p)[1..]}\nIf you set out from the {p.Start} and walk {Route(p, d => d.English, ", ")}, one step each, where do you arrive? Give the name of what is there.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Walk, string>> Chinese { get; } =
    [
        p => $"你在{p.Lattice.Chinese}上行走，每步距离相等。{FoundInChinese(p)}\n物品都留在原处。现在你站在{Things[p.Start].Chinese}处，依次向{Route(p, d => d.Chinese, "、")}各走一步，会遇到什么？只写物品名称。",
        p => $"公园里的位置构成{p.Lattice.Chinese}。游览经过如下：{FoundInChinese(p)}\n若从{Things[p.Start].Chinese}出发，每次一步，依次走{Route(p, d => d.Chinese, "、")}，最后到达的地方有什么？答案为物品名称。",
    ];

    /// <inheritdoc/>
    protected override (Walk Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var lattice = rng.Pick(Lattices);
        var moves = Explore(lattice, level.Things, rng);
        var things = rng.Sample(Things.Keys, level.Things);
        var places = Places(lattice, moves).Distinct().ToArray();
        while (true)
        {
            var start = rng.Below(places.Length);
            var route = Enumerable.Range(0, level.Steps).Select(_ => rng.Pick(lattice.Directions)).ToArray();
            var end = Array.IndexOf(places, route.Aggregate(places[start], (at, direction) => direction.From(at)));
            if (end >= 0 && end != start)
                return (new Walk(lattice, things, moves, things[start], route), things[end]);
        }
    }

    /// <summary>Moves that come to so many places.</summary>
    private static Direction[] Explore(Lattice lattice, int count, Rng rng)
    {
        var (at, seen, moves) = (new Place(0, 0), new HashSet<Place> { new(0, 0) }, new List<Direction>());
        while (seen.Count < count)
        {
            var unseen = lattice.Directions.Where(direction => !seen.Contains(direction.From(at))).ToArray();
            var move = unseen.Length > 0 && !rng.OneIn(4) ? rng.Pick(unseen) : rng.Pick(lattice.Directions);
            at = move.From(at);
            seen.Add(at);
            moves.Add(move);
        }
        return [.. moves];
    }

    private static IEnumerable<Place> Places(Lattice lattice, IEnumerable<Direction> moves)
    {
        var at = new Place(0, 0);
        yield return at;
        foreach (var move in moves)
            yield return at = move.From(at);
    }

    /// <inheritdoc/>
    protected override string Compact(Walk puzzle) =>
        $"walk {puzzle.Lattice.Name} {string.Join(' ', puzzle.Tour.Select(stop => stop.Move is null ? stop.Thing : $"{stop.Move.Code} {stop.Thing}"))} ? {puzzle.Start} {Route(puzzle, d => d.Code, " ")}";

    /// <inheritdoc/>
    protected override Verdict Check(Walk puzzle, string answer)
    {
        var name = answer.TrimEnd('.', '。');
        if (name.StartsWith("the ", StringComparison.OrdinalIgnoreCase))
            name = name[4..];
        if (!Things.Values.Any(thing => thing.IsCalled(name)))
            return Verdict.Wrong("not the name of a thing");
        return Things[puzzle.Goal].IsCalled(name) ? Verdict.Right : Verdict.Wrong("another thing is there");
    }

    /// <inheritdoc/>
    protected override Walk Read(JsonObject data)
    {
        var lattice = Lattices.FirstOrDefault(lattice => lattice.Name == data.Text("lattice")) ?? throw new FormatException("The lattice is not known.");
        var things = data.Texts("things");
        if (!things.All(Things.ContainsKey) || things.Distinct().Count() < things.Length)
            throw new FormatException("Things are unknown or named twice.");
        return new Walk(lattice, things, ReadMoves(lattice, data.Texts("moves")), data.Text("start"), ReadMoves(lattice, data.Texts("route")));
    }

    private static Direction[] ReadMoves(Lattice lattice, string[] codes) => codes.Length is > 0 and <= MostMoves
        ? [.. codes.Select(code => Array.Find(lattice.Directions, direction => direction.Code == code) ?? throw new FormatException($"'{code}' is not a direction."))]
        : throw new FormatException($"There are not 1 to {MostMoves} moves.");

    private static string Route(Walk puzzle, Func<Direction, string> name, string separator) => string.Join(separator, puzzle.Route.Select(name));

    private static string FoundInEnglish(Walk puzzle) => string.Join(' ', puzzle.Tour.Select(stop => stop.Move is null
        ? $"You begin at the {stop.Thing}."
        : stop.IsNew ? $"You go {stop.Move.English} and find the {stop.Thing}." : $"You go {stop.Move.English} and are back at the {stop.Thing}."));

    private static string FoundInChinese(Walk puzzle) => string.Concat(puzzle.Tour.Select(stop => stop.Move is null
        ? $"你从{Things[stop.Thing].Chinese}处出发。"
        : $"向{stop.Move.Chinese}走一步，{(stop.IsNew ? "发现了" : "又回到")}{Things[stop.Thing].Chinese}{(stop.IsNew ? "" : "处")}。"));

    internal readonly record struct Place(int X, int Y);

    internal sealed record Direction(string Code, string English, string Chinese, int X, int Y)
    {
        internal Place From(Place place) => new(place.X + X, place.Y + Y);
    }

    internal sealed record Lattice(string Name, string English, string Chinese, Direction[] Directions);

    /// <summary>A place on the first walk: how one came there, what is there, and whether it was new.</summary>
    internal readonly record struct Stop(Direction? Move, string Thing, bool IsNew);

    /// <summary>A walk that finds things, and a second one from one of them.</summary>
    public sealed class Walk : Puzzle
    {
        internal Walk(Lattice lattice, string[] things, Direction[] moves, string start, Direction[] route)
        {
            (Lattice, FoundThings, Moves, Start, Route) = (lattice, things, moves, start, route);
            var stops = Places(lattice, moves).ToArray();
            var places = stops.Distinct().ToList();
            if (places.Count != things.Length || !things.Contains(start))
                throw new FormatException("The things are not one for each place, or the start is not among them.");
            var goal = places.IndexOf(route.Aggregate(places[Array.IndexOf(things, start)], (at, move) => move.From(at)));
            Goal = goal >= 0 ? things[goal] : throw new FormatException("The second walk ends where nothing is known.");
            var seen = new HashSet<Place>();
            Tour = [.. stops.Select((place, i) => new Stop(i == 0 ? null : moves[i - 1], things[places.IndexOf(place)], seen.Add(place)))];
        }

        internal Lattice Lattice { get; }

        /// <summary>In the order in which they are found.</summary>
        internal IReadOnlyList<string> FoundThings { get; }

        internal IReadOnlyList<Direction> Moves { get; }

        internal string Start { get; }

        internal IReadOnlyList<Direction> Route { get; }

        internal IReadOnlyList<Stop> Tour { get; }

        /// <summary>The right answer.</summary>
        internal string Goal { get; }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["lattice"] = Lattice.Name,
            ["things"] = FoundThings.ToJsonArray(),
            ["moves"] = Moves.Select(move => move.Code).ToJsonArray(),
            ["start"] = Start,
            ["route"] = Route.Select(move => move.Code).ToJsonArray(),
        };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var (count, start) = (Lattice.Directions.Length, FoundThings.Index().First(thing => thing.Item == Start).Index);
            return Enumerable.Range(0, 2 * count).Select(Turned).Min(StringComparer.Ordinal)!;

            string Turned(int turn) => $"{Lattice.Name} {Numbers(Moves, turn)} {start} {Numbers(Route, turn)}";

            string Numbers(IEnumerable<Direction> moves, int turn) =>
                string.Concat(moves.Select(move => Array.IndexOf(Lattice.Directions, move)).Select(number => ((turn < count ? number : count - number) + turn) % count));
        }
    }
}
