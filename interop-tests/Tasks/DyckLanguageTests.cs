using System.Text.Json.Nodes;
using FsCheck.Xunit;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

public sealed class DyckLanguageTests
{
    private static readonly IReasoningTask Task = TaskRegistry.Get("dyck_language");

    private static string Prefix(TaskInstance instance) => instance.Puzzle.ToJson()["prefix"]!.GetValue<string>();

    private static ulong Hash(string prefix) =>
        new TaskInstance(Task.Name, "", 1, Task.ReadPuzzle(new JsonObject { ["prefix"] = prefix }), "").CanonicalHash;

    [Property(MaxTest = 300)]
    public bool Prefix_and_solution_cancel_out_pair_by_pair(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed);
        var text = $"{Prefix(instance)}{instance.Solution}".Replace(" ", "");
        for (var length = int.MaxValue; text.Length < length;)
        {
            length = text.Length;
            text = text.Replace("()", "").Replace("[]", "").Replace("{}", "").Replace("<>", "");
        }
        return text.Length == 0;
    }

    [Property(MaxTest = 300)]
    public bool Levels_one_to_three_have_4_to_13_brackets_and_short_demonstrations(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 3) + 1, seed, PromptStyle.Compact);
        return Prefix(instance).Split(' ').Length is >= 4 and <= 13 && Task.Demonstrate(instance).Split(' ').Length <= 16;
    }

    [Property(MaxTest = 300)]
    public bool Renaming_the_kinds_does_not_change_the_hash(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed);
        var kinds = new Rng(seed).Sample(new[] { 0, 1, 2, 3 }, 4);
        var renamed = string.Concat(Prefix(instance).Select(c =>
            "([{<".IndexOf(c) is >= 0 and var open ? "([{<"[kinds[open]] : ")]}>".IndexOf(c) is >= 0 and var close ? ")]}>"[kinds[close]] : c));
        return Hash(renamed) == instance.CanonicalHash;
    }

    [Fact]
    public void Different_structure_has_a_different_hash()
    {
        string[] prefixes = ["(", "( (", "( [", "( ( )", "( [ ]", "( ) (", "( ) [", "( ( (", "( ( [", "( [ (", "( [ [", "( [ {"];
        Assert.Equal(prefixes.Length, prefixes.Select(Hash).Distinct().Count());
    }
}
