using System.Text.Json.Nodes;
using FsCheck.Xunit;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

public sealed class BooleanExpressionsTests
{
    private static readonly IReasoningTask Task = TaskRegistry.Get("boolean_expressions");

    private static string[] Options(TaskInstance instance) =>
        [.. instance.Puzzle.ToJson()["options"]!.AsArray().Select(option => option!.GetValue<string>())];

    private static ulong Hash(params string[] options) => new TaskInstance(
        Task.Name, "", 1, Task.ReadPuzzle(new JsonObject { ["options"] = new JsonArray([.. options.Select(o => (JsonNode)o)]) }), "").CanonicalHash;

    [Property(MaxTest = 200)]
    public bool Rewriting_the_text_gives_the_same_truths(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed);
        var letters = Options(instance).Index().Where(option => Rewritten(option.Item) == "true").Select(option => "ABCDEF"[option.Index]);
        return Task.Verify(instance, letters.Any() ? string.Join(", ", letters.Reverse()) : "None").Correct;
    }

    [Property(MaxTest = 200)]
    public bool Every_step_of_a_demonstration_keeps_the_value(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed, PromptStyle.Compact);
        var thought = Task.Demonstrate(instance)["<think> ".Length..].Split(" ; </think>")[0];
        var lines = thought.Split(" ; ").Select(line => line[4..].Split(" = ")).ToArray();
        return lines.Select(line => line[0]).SequenceEqual(Options(instance))
            && lines.All(line => line.Select(Rewritten).Distinct().Count() == 1 && line[^1] is "true" or "false");
    }

    [Theory]
    [InlineData("true", "true")]
    [InlineData("not true", "false")]
    [InlineData("( true and not true )", "true and not true false")]
    [InlineData("not ( false or true )", "not ( false or true true false")]
    [InlineData("( true and not ( false or false ) )", "true and not ( false or false false true")]
    public void A_brief_demonstration_has_the_value_of_a_group_in_place_of_its_closing_bracket(string option, string written)
    {
        var puzzle = Task.ReadPuzzle(new JsonObject { ["options"] = new JsonArray("false", option) });
        var instance = new TaskInstance(Task.Name, "", 1, puzzle, written.EndsWith("true", StringComparison.Ordinal) ? "B" : "none");
        Assert.StartsWith($"<think> A false B {written} </think>", Task.Demonstrate(instance, DemonstrationStyle.Brief), StringComparison.Ordinal);
    }

    [Property(MaxTest = 200)]
    public bool Order_of_options_and_operands_does_not_change_the_hash(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed);
        var rng = new Rng(seed);
        var options = rng.Sample(Options(instance).Select(option => Swapped(new Queue<string>(option.Split(' ')), rng)), Options(instance).Length);
        return Hash(options) == instance.CanonicalHash;
    }

    [Fact]
    public void Different_structure_has_a_different_hash()
    {
        string[] options =
        [
            "true", "false", "not true", "not false", "not not true", "( true and true )", "( true or true )", "( true and false )", "not ( true and false )",
            "( not true and false )", "( true and not false )", "( true and ( true or false ) )", "( ( true and true ) or false )", "( ( true and false ) or true )",
        ];
        Assert.Equal(options.Length, options.Select(option => Hash(option)).Distinct().Count());
        Assert.NotEqual(Hash("true", "true", "false"), Hash("true", "false", "false"));
        Assert.NotEqual(Hash("true", "false"), Hash("true", "false", "false"));
    }

    /// <summary>Another evaluator than the task's: closed subexpressions are replaced in the text.</summary>
    private static string Rewritten(string text)
    {
        (string From, string To)[] rules =
        [
            ("not true", "false"), ("not false", "true"), ("( true and true )", "true"), ("( true and false )", "false"), ("( false and true )", "false"),
            ("( false and false )", "false"), ("( true or true )", "true"), ("( true or false )", "true"), ("( false or true )", "true"), ("( false or false )", "false"),
        ];
        while (text is not ("true" or "false"))
            text = rules.Aggregate(text, (current, rule) => current.Replace(rule.From, rule.To));
        return text;
    }

    private static string Swapped(Queue<string> words, Rng rng)
    {
        var word = words.Dequeue();
        if (word == "not")
            return $"not {Swapped(words, rng)}";
        if (word != "(")
            return word;
        var (left, operation, right) = (Swapped(words, rng), words.Dequeue(), Swapped(words, rng));
        words.Dequeue();
        return rng.OneIn(2) ? $"( {right} {operation} {left} )" : $"( {left} {operation} {right} )";
    }
}
