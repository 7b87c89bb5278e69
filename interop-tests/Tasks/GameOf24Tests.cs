using System.Text.Json.Nodes;
using FsCheck.Xunit;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

public sealed class GameOf24Tests
{
    private static readonly IReasoningTask Task = TaskRegistry.Get("game_of_24");

    private static TaskInstance Make(int target, params int[] numbers) => new(Task.Name, "", 1, Task.ReadPuzzle(new JsonObject
    {
        ["numbers"] = new JsonArray([.. numbers.Select(number => (JsonNode)number)]),
        ["target"] = target,
    }), "");

    [Theory]
    [InlineData("(8-2)*(7-3)", true)]
    [InlineData("( 8 − 2 ) × ( 7 − 3 )", true)]
    [InlineData("((8-2))*(7-3)", true)]
    [InlineData("(7-3)*(8-2)", true)]
    [InlineData("(2-8)*(3-7)", true)]
    [InlineData("8*3", false)]
    [InlineData("(8-2)*(7-3)*1", false)]
    [InlineData("8-2*7-3", false)]
    [InlineData("8*3+7-7", false)]
    [InlineData("8+7+2+3", false)]
    [InlineData("(8-2)(7-3)", false)]
    [InlineData("(8-2)*(7-3", false)]
    [InlineData("(8-2)*(7-3)=24", false)]
    [InlineData("8/(2-2)*7*3", false)]
    [InlineData("82-73", false)]
    [InlineData("99999999999999999999", false)]
    public void An_expression_counts_by_value_and_numbers(string answer, bool correct) =>
        Assert.Equal(correct, Task.Verify(Make(24, 2, 8, 3, 7), answer).Correct);

    [Theory]
    [InlineData("(1/3+5/(6/2))/1", 2, true)]
    [InlineData("(1/3+5/(6/2))/1", 3, false)]
    public void Fractions_are_exact(string answer, int target, bool correct) =>
        Assert.Equal(correct, Task.Verify(Make(target, 1, 3, 5, 6, 2, 1), answer).Correct);

    [Property(MaxTest = 300)]
    public bool Every_equation_of_a_demonstration_is_true(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed, PromptStyle.Compact);
        var words = Task.Demonstrate(instance).Split(' ');
        var equations = Enumerable.Range(4, words.Length - 5).Where(i => words[i] == "=").ToArray();
        return equations.Length == instance.Puzzle.ToJson()["numbers"]!.AsArray().Count - 1 && equations.All(i =>
            (int.Parse(words[i - 3]), words[i - 2], int.Parse(words[i - 1]), int.Parse(words[i + 1])) is var (a, operation, b, result)
            && result == operation switch { "+" => a + b, "-" => a - b, "*" => a * b, _ => (double)a / b });
    }

    [Property(MaxTest = 200)]
    public bool The_order_of_numbers_does_not_change_the_hash(byte difficulty, ulong seed)
    {
        var data = Task.Generate((difficulty % 10) + 1, seed).Puzzle.ToJson();
        var numbers = data["numbers"]!.AsArray().Select(number => number!.GetValue<int>()).ToArray();
        var target = data["target"]!.GetValue<int>();
        return Make(target, numbers).CanonicalHash == Make(target, new Rng(seed).Sample(numbers, numbers.Length)).CanonicalHash;
    }

    [Fact]
    public void Other_numbers_or_another_target_have_another_hash()
    {
        ulong[] hashes = [Make(6, 1, 2, 3).CanonicalHash, Make(5, 1, 2, 3).CanonicalHash, Make(6, 1, 1, 6).CanonicalHash, Make(6, 12, 3, 2).CanonicalHash];
        Assert.Equal(hashes.Length, hashes.Distinct().Count());
    }
}
