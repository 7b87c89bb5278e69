using FsCheck;
using FsCheck.Xunit;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

public sealed class ResponseFormatTests
{
    [Theory]
    [InlineData("<think> a </think> <answer> b </answer>", true)]
    [InlineData(" <think></think><answer></answer>\n", true)]
    [InlineData("<think>a</think>\n\n<answer>b</answer>", true)]
    [InlineData("<answer> b </answer>", false)]
    [InlineData("<think> a </think> b", false)]
    [InlineData("<answer> b </answer> <think> a </think>", false)]
    [InlineData("<think> a <answer> b </answer> </think>", false)]
    [InlineData("<think> a </think> so <answer> b </answer>", false)]
    [InlineData("hm <think> a </think> <answer> b </answer>", false)]
    [InlineData("<think> a </think> <answer> b </answer> c", false)]
    [InlineData("<think> a </think> <answer> b </answer> <answer> c </answer>", false)]
    [InlineData("<think> a </think> </think> <answer> b </answer>", false)]
    [InlineData("<think> <think> a </think> <answer> b </answer>", false)]
    [InlineData("", false)]
    public void The_format_is_one_thought_and_then_one_answer(string response, bool holds) =>
        Assert.Equal(holds, ResponseFormat.Holds(response));

    [Theory]
    [InlineData("<answer> a </answer> no, <answer> b </answer>", "b")]
    [InlineData("<answer> b </answer> and \\boxed{c}", "b")]
    [InlineData("first ```a``` then ```b```", "b")]
    [InlineData("```text\nb c\n```", "b c")]
    [InlineData("```\nb c\n```", "b c")]
    [InlineData("so \\boxed{a} or \\boxed{b {c} d}", "b {c} d")]
    [InlineData("```a``` so \\boxed{b}", "b")]
    [InlineData("\\boxed{a} so ```b```", "b")]
    [InlineData("\\boxed{a", null)]
    [InlineData("</answer> <answer>", null)]
    [InlineData("b", null)]
    [InlineData("", null)]
    public void The_answer_is_the_last_one_in_tags_else_in_a_fence_or_box(string response, string? answer) =>
        Assert.Equal(answer, ResponseFormat.Extract(response));

    [Property(MaxTest = 500)]
    public bool Any_text_can_be_scored(NonNull<string> before, NonNull<string> inside, bool tagged)
    {
        var instance = TaskRegistry.Get("dyck_language").Generate(1, 1);
        var response = tagged ? $"{before.Get}<answer>{inside.Get}</answer>" : $"{before.Get}```{inside.Get}\\boxed{{";
        return ResponseFormat.Score(instance, response).Verdict.Reason.Length > 0;
    }

    [Fact]
    public void Only_a_right_answer_in_the_right_form_is_rewarded()
    {
        var instance = TaskRegistry.Get("dyck_language").Generate(1, 1);
        Assert.Equal(1, ResponseFormat.Score(instance, ResponseFormat.Respond("x", instance.Solution)).Reward);
        var wrong = ResponseFormat.Score(instance, ResponseFormat.Respond("x", "x"));
        Assert.Equal((true, false, 0), (wrong.FormatOk, wrong.Verdict.Correct, wrong.Reward));
        var bare = ResponseFormat.Score(instance, $"<answer>{instance.Solution}</answer>");
        Assert.Equal((false, true, 0), (bare.FormatOk, bare.Verdict.Correct, bare.Reward));
        Assert.Equal("no answer found", ResponseFormat.Score(instance, "x").Verdict.Reason);
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("""{"task":"\ud800"}""", "not valid Unicode")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("{}", "'task' is missing")]
    [InlineData("""{"task":1}""", "'task' is not text")]
    [InlineData("""{"task":"x"}""", "No task is called 'x'")]
    [InlineData("""{"task":"sudoku","task":"sudoku"}""", "holds a key twice")]
    [InlineData("""{"task":"sudoku","prompt":"","difficulty":11}""", "'difficulty' is not a whole number from 1 to 10")]
    [InlineData("""{"task":"sudoku","prompt":"","difficulty":1,"data":3}""", "'data' is not an object")]
    [InlineData("""{"task":"sudoku","prompt":"","difficulty":1,"data":{"grid":"________________"},"solution":""}""", "more than one solution")]
    [InlineData("""{"task":"sudoku","prompt":"","difficulty":1,"data":{"grid":"11______________"},"solution":""}""", "repeats a digit")]
    [InlineData("""{"task":"dyck_language","prompt":"","difficulty":1,"data":{"prefix":"( ]"},"solution":""}""", "wrong at ']'")]
    [InlineData("""{"task":"dyck_language","prompt":"","difficulty":1,"data":{"prefix":"( )"},"solution":""}""", "No bracket is open")]
    [InlineData("""{"task":"dyck_language","prompt":"","difficulty":1,"data":{"prefix":"( ("},"solution":")"}""", "solution of dyck_language is wrong: 1 brackets")]
    [InlineData("""{"task":"boolean_expressions","prompt":"","difficulty":1,"data":{"options":["not"]},"solution":""}""", "begin with 'end'")]
    [InlineData("""{"task":"boolean_expressions","prompt":"","difficulty":1,"data":{"options":["true true"]},"solution":""}""", "follows the end")]
    [InlineData("""{"task":"web_of_lies","prompt":"","difficulty":1,"data":{"statements":["A says B honest"],"known":"C liar"},"solution":""}""", "Nothing follows about A")]
    [InlineData("""{"task":"web_of_lies","prompt":"","difficulty":1,"data":{"statements":["A says B honest","B says A liar"],"known":"A liar"},"solution":""}""", "contradicts")]
    [InlineData("""{"task":"web_of_lies","prompt":"","difficulty":1,"data":{"statements":["A thinks B honest"],"known":"A liar"},"solution":""}""", "is not a statement")]
    [InlineData("""{"task":"game_of_24","prompt":"","difficulty":1,"data":{"numbers":[1,1,1],"target":24},"solution":""}""", "cannot be made")]
    [InlineData("""{"task":"word_sorting","prompt":"","difficulty":1,"data":{"alphabet":"ab","words":["a","c"]},"solution":""}""", "not of the alphabet")]
    public void A_bad_line_is_refused_with_its_reason(string line, string reason) =>
        Assert.Contains(reason, Assert.Throws<FormatException>(() => TaskRegistry.ReadLine(line)).Message);

    [Fact]
    public void Half_a_surrogate_pair_in_a_line_is_refused() =>
        Assert.Throws<FormatException>(() => TaskRegistry.ReadLine(TaskRegistry.Get("sudoku").Generate(1, 1).ToJsonLine().Replace("task", "task\ud800")));
}
