using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// web_of_lies of SynLogic (arXiv 2505.19641): everyone is honest or a liar, says so of others, and one is known.
/// Difficulty sets the number of people (3 to 18) and of statements beyond those that are needed.
/// The answer is the set of honest people, in any order, or <c>none</c>. Every statement ties its speaker to
/// its subject, all people are tied to the known one, and the puzzle is built from a truth: so just one truth fits.
/// Canonical under renaming and reordering: exactly for up to six people, beyond by refinement of colours
/// (which may take different puzzles for one, never one for two).
/// </summary>
public sealed class WebOfLies : ReasoningTask<WebOfLies.Web>
{
    private static readonly string[] Names =
    [
        "Ann", "Bob", "Cal", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida", "Jim", "Kay", "Leo", "Meg", "Ned", "Oli", "Pam", "Ray", "Sue",
    ];

    private readonly record struct Level(int FewestPeople, int MostPeople, int ExtraStatements);

    private static readonly Level[] Levels =
    [
        new(3, 4, 2), new(4, 4, 2), new(4, 5, 2), new(5, 6, 2), new(6, 7, 3),
        new(7, 9, 3), new(9, 11, 4), new(11, 13, 4), new(13, 15, 5), new(16, 18, 6),
    ];

    /// <inheritdoc/>
    public override string Name => "web_of_lies";

    /// <inheritdoc/>
    public override string Description => "who tells the truth among honest people and liars";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } = ["who", "?", "says", "honest", "liar", ".", ":", "->", ";", "true", "false", Words.None, .. Names];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Web, string>> English { get; } =
    [
        p => $"Everyone here is either honest and always tells the truth, or a liar and always lies.\n{InEnglish(p)}\nWho is honest? Give the names separated by spaces, or none.",
        p => $"In a village live truth-tellers and liars. {InEnglish(p)}\nList all truth-tellers, with spaces between the names; write none if there are none.",
        p => $"Each of {string.Join(", ", p.People)} either always lies or never does.\n{InEnglish(p)}\nWho never lies? The answer is the names, separated by spaces, or the word none.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Web, string>> Chinese { get; } =
    [
        p => $"每个人要么总说真话，要么总说谎。\n{InChinese(p)}\n谁是说真话的人？写出姓名，以空格分隔；若没有，写 none。",
        p => $"村里住着诚实的人和骗子：诚实的人只说真话，骗子只说假话。\n{InChinese(p)}\n请列出所有诚实的人，用空格隔开；如果一个也没有，写 none。",
    ];

    /// <inheritdoc/>
    protected override (Web Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var count = rng.Between(level.FewestPeople, level.MostPeople);
        var people = rng.Sample(Names.Take(Math.Max(8, count)), count);
        var truth = people.ToDictionary(person => person, _ => rng.OneIn(2));
        var pairs = Tree(people, rng).Concat(Extra(people, rng.Between(0, level.ExtraStatements), rng)).Distinct().ToArray();
        rng.Shuffle(pairs.AsSpan());
        // The honest say what is so, and liars the opposite: either way, "honest" if and only if both are of a kind.
        var statements = pairs.Select(pair => new Statement(pair.Speaker, pair.Subject, truth[pair.Speaker] == truth[pair.Subject]));
        var known = rng.Pick(people);
        var puzzle = new Web([.. statements], known, truth[known]);
        return (puzzle, Words.OfSet(puzzle.Honest));
    }

    private static List<(string Speaker, string Subject)> Tree(string[] people, Rng rng)
    {
        var pairs = new List<(string, string)>();
        for (var i = 1; i < people.Length; i++)
        {
            var (one, other) = (people[i], people[rng.Below(i)]);
            pairs.Add(rng.OneIn(2) ? (one, other) : (other, one));
        }
        return pairs;
    }

    private static IEnumerable<(string Speaker, string Subject)> Extra(string[] people, int count, Rng rng)
    {
        for (var i = 0; i < count; i++)
        {
            var pair = rng.Sample(people, 2);
            yield return (pair[0], pair[1]);
        }
    }

    /// <inheritdoc/>
    protected override string Compact(Web puzzle) =>
        $"who ? {string.Join(" . ", puzzle.Statements)} . {Says(puzzle.Known, puzzle.KnownHonest)}";

    /// <summary>
    /// Goes through the statements in order. After one stands what is known of one of its two people and what follows for
    /// the other; ? where neither is known yet, . where both are. What is left open is gone through again. So a step is to copy a
    /// statement, to look up a person, or to compare two words that stand side by side.
    /// </summary>
    protected override string Reason(Web puzzle, string solution) =>
        string.Join(" ; ", puzzle.Steps.Select(step => step.Careful).Prepend($"{puzzle.Given}"));

    /// <summary>
    /// The same steps in fewer words: a statement is its two people, and what it claims unless both are known. Of people stands whether
    /// it is true that they are honest, and never in the words of a claim, so that what is known cannot be taken for what was said.
    /// </summary>
    protected override string ReasonBriefly(Web puzzle, string solution) =>
        string.Join(' ', puzzle.Steps.Select(step => step.Brief).Prepend(puzzle.Given.Brief));

    /// <inheritdoc/>
    protected override Verdict Check(Web puzzle, string answer) => Words.CheckSet(answer.TrimEnd('.', '。'), puzzle.Honest, puzzle.People);

    /// <inheritdoc/>
    protected override Web Read(JsonObject data)
    {
        var (known, honest) = ReadSays(data.Text("known").Split(' '));
        var statements = data.Texts("statements").Select(ReadStatement).ToArray();
        if (statements.Length > 1000)
            throw new FormatException($"{statements.Length} statements are too many.");
        return new Web(statements, known, honest);
    }

    private static Statement ReadStatement(string text)
    {
        var words = text.Split(' ');
        if (words.Length != 4 || words[1] != "says" || words[0].Length == 0)
            throw new FormatException($"'{text}' is not a statement.");
        var (subject, honest) = ReadSays(words[2..]);
        return new Statement(words[0], subject, honest);
    }

    private static (string Person, bool Honest) ReadSays(string[] words) => words is [{ Length: > 0 } person, "honest" or "liar"]
        ? (person, words[1] == "honest")
        : throw new FormatException($"'{string.Join(' ', words)}' does not say who is honest or a liar.");

    private static string Says(string person, bool honest) => $"{person} {(honest ? "honest" : "liar")}";

    private static string InEnglish(Web puzzle) =>
        string.Concat(puzzle.Statements.Select(s => $"{s.Speaker} says that {s.Subject} {(s.Honest ? "is honest" : "is a liar")}. "))
        + $"{puzzle.Known} {(puzzle.KnownHonest ? "is honest" : "is a liar")}.";

    private static string InChinese(Web puzzle) =>
        string.Concat(puzzle.Statements.Select(s => $"{s.Speaker} 说 {s.Subject} {(s.Honest ? "是诚实的" : "是骗子")}。"))
        + $"{puzzle.Known} {(puzzle.KnownHonest ? "是诚实的" : "是骗子")}。";

    /// <summary>The speaker says of the subject that it is honest, or a liar.</summary>
    internal sealed record Statement(string Speaker, string Subject, bool Honest)
    {
        public override string ToString() => $"{Speaker} says {Says(Subject, Honest)}";
    }

    /// <summary>That a person is honest, or a liar.</summary>
    internal sealed record Fact(string Person, bool Honest)
    {
        internal string Brief => $"{Person} {(Honest ? "true" : "false")}";

        public override string ToString() => Says(Person, Honest);
    }

    /// <summary>A look at a statement: what follows from what; else whether nothing does because both people are known.</summary>
    internal readonly record struct Step(Statement Statement, (Fact Known, Fact New)? Conclusion, bool BothKnown)
    {
        internal string Careful => Conclusion is var (known, learnt) ? $"{Statement} : {known} -> {learnt}" : $"{Statement} : {Mark}";

        internal string Brief => Conclusion is var (known, learnt) ? $"{People} {Claim} {known.Brief} {learnt.Brief}"
            : BothKnown ? $"{People} {Mark}"
            : $"{People} {Claim} {Mark}";

        private string Mark => BothKnown ? "." : "?";

        private string People => $"{Statement.Speaker} {Statement.Subject}";

        private string Claim => Statement.Honest ? "honest" : "liar";
    }

    /// <summary>Statements, and one person of whom the truth is known.</summary>
    public sealed class Web : Puzzle
    {
        internal Web(IReadOnlyList<Statement> statements, string known, bool knownHonest)
        {
            if (statements.Distinct().Count() < statements.Count)
                throw new FormatException("A statement is made twice.");
            (Statements, Known, KnownHonest) = (statements, known, knownHonest);
            People = [.. statements.SelectMany(s => new[] { s.Speaker, s.Subject }).Append(known).Distinct()];
            (Steps, Honest) = Deduce();
        }

        internal IReadOnlyList<Statement> Statements { get; }

        internal string Known { get; }

        internal bool KnownHonest { get; }

        internal Fact Given => new(Known, KnownHonest);

        /// <summary>In the order in which they are first named.</summary>
        internal IReadOnlyList<string> People { get; }

        /// <summary>Looks at statements, in order, until none is open.</summary>
        internal IReadOnlyList<Step> Steps { get; }

        /// <summary>In the order in which they are found to be.</summary>
        internal IReadOnlyList<string> Honest { get; }

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["statements"] = Statements.Select(statement => $"{statement}").ToJsonArray(),
            ["known"] = Says(Known, KnownHonest),
        };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var index = People.Index().ToDictionary(person => person.Item, person => person.Index);
            var edges = Statements.Select(s => new Edge(index[s.Speaker], index[s.Subject], s.Honest)).ToArray();
            return People.Count <= 6 ? Smallest(edges, index[Known]) : Refined(edges, index[Known]);
        }

        private (List<Step> Steps, List<string> Honest) Deduce()
        {
            var truth = new Dictionary<string, bool> { [Known] = KnownHonest };
            var (steps, honest) = (new List<Step>(), new List<string>(KnownHonest ? [Known] : []));
            for (IReadOnlyList<Statement> open = Statements; open.Count > 0;)
            {
                var left = open.Where(statement => !Look(statement)).ToArray();
                if (left.Length == open.Count)
                    throw new FormatException($"Nothing follows about {left[0].Speaker}.");
                open = left;
            }
            return (steps, honest);

            // Whether the statement is settled.
            bool Look(Statement statement)
            {
                var (speaker, subject) = (truth.TryGetValue(statement.Speaker, out var says), truth.TryGetValue(statement.Subject, out var isSo));
                if (speaker && subject && (says == isSo) != statement.Honest)
                    throw new FormatException($"'{statement}' contradicts the other statements.");
                (Fact, Fact)? conclusion = speaker == subject
                    ? null
                    : speaker
                        ? (new(statement.Speaker, says), Learn(statement.Subject, says == statement.Honest))
                        : (new(statement.Subject, isSo), Learn(statement.Speaker, isSo == statement.Honest));
                steps.Add(new(statement, conclusion, speaker && subject));
                return speaker || subject;
            }

            Fact Learn(string person, bool isHonest)
            {
                truth.Add(person, isHonest);
                if (isHonest)
                    honest.Add(person);
                return new(person, isHonest);
            }
        }

        private readonly record struct Edge(int From, int To, bool Honest);

        /// <summary>The least of the encodings under all numberings of the people.</summary>
        private string Smallest(Edge[] edges, int known)
        {
            var numbering = Enumerable.Range(0, People.Count).ToArray();
            var least = UInt128.MaxValue;
            Permute(0);
            return $"{People.Count}:{KnownHonest}:{least:x}";

            void Permute(int fixedCount)
            {
                if (fixedCount == numbering.Length)
                    least = UInt128.Min(least, Encode(edges, numbering, numbering[known]));
                for (var i = fixedCount; i < numbering.Length; i++)
                {
                    (numbering[fixedCount], numbering[i]) = (numbering[i], numbering[fixedCount]);
                    Permute(fixedCount + 1);
                    (numbering[fixedCount], numbering[i]) = (numbering[i], numbering[fixedCount]);
                }
            }
        }

        /// <summary>One bit for each possible statement (6 · 6 · 2) and for each person that may be the known one.</summary>
        private static UInt128 Encode(Edge[] edges, int[] numbering, int known)
        {
            var bits = UInt128.One << (72 + known);
            foreach (var edge in edges)
                bits |= UInt128.One << ((((numbering[edge.From] * 6) + numbering[edge.To]) * 2) + (edge.Honest ? 1 : 0));
            return bits;
        }

        private string Refined(Edge[] edges, int known)
        {
            var colours = Enumerable.Range(0, People.Count).Select(person => person == known ? 1UL : 0UL).ToArray();
            for (var round = 0; round < People.Count; round++)
                colours = [.. colours.Select((colour, person) => edges.Aggregate(Rng.Mix(colour + 1), (sum, edge) => sum + Seen(edge, person, colours)))];
            return $"{People.Count}:{KnownHonest}:{string.Join(',', colours.Order())}";
        }

        /// <summary>What a statement adds to the colour of a person; sums do not depend on the order of statements.</summary>
        private static ulong Seen(Edge edge, int person, ulong[] colours)
        {
            var kind = edge.Honest ? 1UL : 2UL;
            return (edge.From == person ? Rng.Mix(colours[edge.To] ^ Rng.Mix(kind)) : 0)
                + (edge.To == person ? Rng.Mix(colours[edge.From] ^ Rng.Mix(kind + 2)) : 0);
        }
    }
}
