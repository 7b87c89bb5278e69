using MiniMaxSharp.Environments;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Environments;

public sealed class CodeRewardTests
{
    private static readonly CodeProblem s_double = new(ProgramLanguage.Python, [new("1", "2"), new("5", "10"), new("-3", "-6"), new("0", "0")]);

    private static async Task<RewardResult[]> Score(CodeScoring scoring, object? data, params string[] texts)
    {
        var responses = texts.Select(text => new Response(new RolloutPrompt([], data), text, null!));
        return [.. await new CodeReward(scoring, new SandboxLimits { Time = TimeSpan.FromSeconds(20) }).ScoreAsync([.. responses], default)];
    }

    [SandboxFact]
    public async Task Responses_are_scored_in_order_by_the_tests_their_program_passes()
    {
        string[] texts =
        [
            "<think> ```python\nprint(0)\n``` </think>\nHere:\n```python\nprint(2 * int(input()))   \n```\nDone.",
            "```py\nx = int(input())\nprint(2 * x if x > 0 else x)\n```",
            "```\nprint(int(input()) * 2)\n```",
            "no program",
            "```python\nprint(\n```",
            "```python\nprint(2 * int(input()))\nexit(1)\n```",
        ];
        Assert.Equal([1, 0.75, 1, 0, 0, 0], (await Score(CodeScoring.Share, s_double, texts)).Select(result => result.Score));
        Assert.Equal([1, 0, 1, 0, 0, 0], (await Score(CodeScoring.AllOrNothing, s_double, texts)).Select(result => result.Score));
    }

    [SandboxFact]
    public async Task Parts_tell_missing_programs_from_broken_ones()
    {
        var results = await Score(CodeScoring.Share, s_double, "none", "```python\n(\n```", "```python\nprint(0)\n```");
        Assert.Equal([0, 1, 1], results.Select(result => result.Parts!["found"]));
        Assert.Equal([0, 0, 1], results.Select(result => result.Parts!["built"]));
        Assert.Equal([0, 0, 0.25], results.Select(result => result.Parts!["passed"]));
    }

    [SandboxFact]
    public async Task CSharp_is_built_once_and_run_for_each_test()
    {
        var problem = new CodeProblem(ProgramLanguage.CSharp, [new("a b", "b a\n"), new("", "")]);
        var result = await Score(CodeScoring.Share, problem, "```csharp\nConsole.WriteLine(string.Join(' ', Console.In.ReadToEnd().Split(' ').Reverse()));\n```");
        Assert.Equal(1, result.Single().Score);
    }

    [Fact]
    public async Task Other_prompts_are_none_of_its_business() => Assert.Null((await Score(CodeScoring.Share, "a puzzle", "```python\nprint(1)\n```")).Single().Score);

    [Theory]
    [InlineData("2\n4", "2 \n4\n\n", true)]
    [InlineData("2\r\n4", "2\n4", true)]
    [InlineData("2\n4", "2\n\n4", false)]
    [InlineData(" 2", "2", false)]
    [InlineData("", "0", false)]
    public void Only_white_space_at_ends_is_forgiven(string output, string expected, bool accepted) => Assert.Equal(accepted, new CodeTest("", expected).Accepts(output));
}
