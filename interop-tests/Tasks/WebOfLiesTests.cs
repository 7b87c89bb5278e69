using System.Text.Json.Nodes;
using FsCheck.Xunit;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

public sealed class WebOfLiesTests
{
    private static readonly IReasoningTask Task = TaskRegistry.Get("web_of_lies");

    private sealed record Web(string[][] Statements, string Known, string Kind)
    {
        internal string[] People => [.. Statements.SelectMany(s => new[] { s[0], s[2] }).Append(Known).Distinct()];

        internal static Web Of(TaskInstance instance)
        {
            var data = instance.Puzzle.ToJson();
            var known = data["known"]!.GetValue<string>().Split(' ');
            return new([.. data["statements"]!.AsArray().Select(s => s!.GetValue<string>().Split(' '))], known[0], known[1]);
        }

        internal ulong Hash() => new TaskInstance(Task.Name, "", 1, Task.ReadPuzzle(ToJson()), "").CanonicalHash;

        internal Web Renamed(string[] names)
        {
            var renamed = People.Zip(names).ToDictionary(pair => pair.First, pair => pair.Second);
            return new([.. Statements.Select(s => new[] { renamed[s[0]], s[1], renamed[s[2]], s[3] })], renamed[Known], Kind);
        }

        internal HashSet<string> Facts() => [.. Statements.Select(s => string.Join(' ', s)), $"{Known} {Kind}"];

        internal bool Fits(ISet<string> honest) =>
            honest.Contains(Known) == (Kind == "honest")
            && Statements.All(s => honest.Contains(s[0]) == (honest.Contains(s[2]) == (s[3] == "honest")));

        private JsonObject ToJson() => new()
        {
            ["statements"] = new JsonArray([.. Statements.Select(s => (JsonNode)string.Join(' ', s))]),
            ["known"] = $"{Known} {Kind}",
        };
    }

    [Property(MaxTest = 200)]
    public bool Of_all_assignments_just_one_fits_and_it_is_the_solution(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 6) + 1, seed);
        var (web, people) = (Web.Of(instance), Web.Of(instance).People);
        var fitting = Enumerable.Range(0, 1 << people.Length)
            .Select(bits => people.Where((_, i) => (bits >> i & 1) == 1).ToHashSet())
            .Where(web.Fits).ToArray();
        return fitting is [var only] && only.SetEquals(instance.Solution.Split(' ').Except(["none"]));
    }

    [Property(MaxTest = 200)]
    public bool The_solution_fits_at_the_highest_levels_too(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 4) + 7, seed);
        return Web.Of(instance).Fits(instance.Solution.Split(' ').ToHashSet());
    }

    [Property(MaxTest = 200)]
    public bool Renaming_and_reordering_do_not_change_the_hash(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed);
        var (web, rng) = (Web.Of(instance), new Rng(seed));
        var renamed = web.Renamed(rng.Sample(web.People.Select(name => $"{name}a"), web.People.Length));
        var reordered = renamed with { Statements = rng.Sample(renamed.Statements, renamed.Statements.Length) };
        return reordered.Hash() == instance.CanonicalHash;
    }

    [Fact]
    public void Hashes_of_small_webs_agree_just_where_a_renaming_leads_from_one_to_the_other()
    {
        var webs = Enumerable.Range(0, 60).Select(seed => Web.Of(Task.Generate(1, (ulong)seed))).ToArray();
        var agreements = 0;
        foreach (var one in webs)
        {
            foreach (var other in webs)
            {
                var isomorphic = one.People.Length == other.People.Length && one.Statements.Length == other.Statements.Length
                    && Orders(other.People).Any(names => one.Renamed(names).Facts().SetEquals(other.Facts()));
                Assert.Equal(isomorphic, one.Hash() == other.Hash());
                agreements += isomorphic ? 1 : 0;
            }
        }
        Assert.InRange(agreements, webs.Length + 2, (webs.Length * webs.Length) - 1); // some are, and some are not
    }

    [Fact]
    public void A_statement_turned_round_changes_the_hash_of_a_large_web()
    {
        for (var seed = 0UL; seed < 100; seed++)
        {
            var web = Web.Of(Task.Generate(10, seed));
            var (speaker, subject) = (web.Statements[0][0], web.Statements[0][2]);
            if (web.Statements.Any(s => s[0] == subject && s[2] == speaker))
                continue;
            // The same truth, but another structure.
            var turned = web with { Statements = [[subject, "says", speaker, web.Statements[0][3]], .. web.Statements[1..]] };
            Assert.NotEqual(web.Hash(), turned.Hash());
        }
    }

    [Property(MaxTest = 200)]
    public bool A_demonstration_deduces_each_person_once_from_a_statement_and_someone_known(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed, PromptStyle.Compact);
        var web = Web.Of(instance);
        var steps = Task.Demonstrate(instance)["<think> ".Length..].Split(" </think>")[0].Split(" ; ");
        var known = new HashSet<string> { $"{web.Known} {web.Kind}" };
        return steps[0] == $"{web.Known} {web.Kind}" && steps.Skip(1).All(Follows) && known.Count == web.People.Length;

        bool Follows(string step)
        {
            var (statement, outcome) = (step.Split(" : ")[0], step.Split(" : ")[1]);
            var two = statement.Split(' ');
            var settled = known.Count(fact => fact.StartsWith(two[0] + " ", StringComparison.Ordinal) || fact.StartsWith(two[2] + " ", StringComparison.Ordinal));
            return web.Facts().Contains(statement) && outcome switch
            {
                "?" => settled == 0,
                "." => settled == 2,
                _ => settled == 1 && known.Contains(outcome.Split(" -> ")[0]) && known.Add(outcome.Split(" -> ")[1]),
            };
        }
    }

    [Property(MaxTest = 200)]
    public bool A_brief_demonstration_takes_the_same_steps(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed, PromptStyle.Compact);
        return Thought(DemonstrationStyle.Brief) == string.Join(' ', Thought(DemonstrationStyle.Careful).Split(" ; ").Select(Shortened));

        string Thought(DemonstrationStyle style) => Task.Demonstrate(instance, style)["<think> ".Length..].Split(" </think>")[0];

        static string Shortened(string step) => step.Split(' ') switch
        {
            [var known, var kind] => $"{known} {IsHonest(kind)}",
            [var speaker, "says", var subject, _, ":", "."] => $"{speaker} {subject} .",
            [var speaker, "says", var subject, var claim, ":", "?"] => $"{speaker} {subject} {claim} ?",
            [var speaker, "says", var subject, var claim, ":", var known, var its, "->", var learnt, var then] =>
                $"{speaker} {subject} {claim} {known} {IsHonest(its)} {learnt} {IsHonest(then)}",
            _ => throw new ArgumentException(step),
        };

        static string IsHonest(string kind) => kind == "honest" ? "true" : "false";
    }

    private static IEnumerable<string[]> Orders(string[] items) => items.Length == 0
        ? [[]]
        : items.SelectMany(first => Orders([.. items.Where(item => item != first)]).Select(rest => new[] { first }.Concat(rest).ToArray()));
}
