using System.Text.Json.Nodes;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

/// <summary>The self-test passes all tasks, and would not pass a task with a fault.</summary>
public sealed class SelfTestTests
{
    public static TheoryData<string> Names => TaskContractTests.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void Two_hundred_seeds_of_each_task_pass(string name)
    {
        var result = SelfTest.Run(TaskRegistry.Get(name), 200);
        Assert.True(result.IsSound, result.FirstFault);
        Assert.Null(result.FirstFault);
        Assert.InRange(result.WrongAnswers.Count(count => count.Refused >= 20), 10, 11);
        Assert.All(result.WrongAnswers, count => Assert.Equal(count.Made, count.Refused + count.Skipped));
        Assert.Equal(200, result.WrongAnswers.First(count => count.Kind == WrongAnswer.Empty).Refused);
    }

    [Fact]
    public void A_verifier_that_accepts_all_is_found_out()
    {
        var result = SelfTest.Run(new Faulty("kukurasu") { Judge = (_, _) => new Verdict(true, "fine") }, 20);
        Assert.False(result.IsSound);
        Assert.All(result.WrongAnswers, count => Assert.True(count.Accepted > 0, $"{count.Kind}"));
        Assert.Contains("difficulty 1, seed 0: the wrong answer '' is accepted", result.FirstFault);
    }

    [Fact]
    public void A_verifier_that_refuses_all_is_found_out()
    {
        var result = SelfTest.Run(new Faulty("kukurasu") { Judge = (_, _) => new Verdict(false, "no") }, 20);
        Assert.Equal((20, 0, false), (result.RefusedSolutions, result.Unsolvable, result.IsSound));
        Assert.Contains("the solution is refused: no", result.FirstFault);
    }

    [Fact]
    public void Solutions_that_solve_nothing_are_found_out_even_if_the_verifier_is_content()
    {
        var result = SelfTest.Run(new Faulty("kukurasu") { Solution = "X X X | X X X | X X X", Judge = (_, _) => new Verdict(true, "fine") }, 20);
        Assert.Equal((20, false), (result.Unsolvable, result.IsSound));
    }

    [Fact]
    public void A_generator_that_takes_its_time_is_found_out()
    {
        var result = SelfTest.Run(new Faulty("kukurasu") { Pause = TimeSpan.FromMilliseconds(60) }, 5);
        Assert.Equal((true, false), (result.IsSound, result.IsFast));
    }

    [Fact]
    public void A_cancelled_run_ends() =>
        Assert.Throws<OperationCanceledException>(() => SelfTest.Run(TaskRegistry.Get("kukurasu"), 1000, new CancellationToken(canceled: true)));

    /// <summary>What may stand in each of some cells, and all ways to fill them.</summary>
    private static IEnumerable<string[]> Fillings(int cells, params string[] symbols) => cells == 0
        ? [[]]
        : Fillings(cells - 1, symbols).SelectMany(rest => symbols.Select(symbol => (string[])[symbol, .. rest]));

    [Theory]
    [InlineData("kukurasu", 1, 9, "1", "X")]
    [InlineData("number_wall", 2, 9, "#", ".")]
    [InlineData("campsite", 2, 9, "C", ".")]
    public void Verifier_and_second_opinion_agree_on_every_filling_of_a_small_grid(string name, int difficulty, int cells, params string[] symbols)
    {
        var task = TaskRegistry.Get(name);
        for (var seed = 0UL; seed < 10; seed++)
        {
            var instance = task.Generate(difficulty, seed);
            var own = instance.Solution.Replace("| ", "").Split(' ');
            var answers = Fillings(cells, symbols).Select(filling => string.Join(' ', filling.Select((symbol, cell) => symbols.Contains(own[cell]) ? symbol : own[cell]))).Distinct().ToArray();
            Assert.All(answers, answer => Assert.Equal(task.Verify(instance, answer).Correct, SecondOpinion.Accepts(instance, answer)));
            Assert.Contains(answers, answer => task.Verify(instance, answer).Correct);
        }
    }

    [Fact]
    public void Verifier_and_second_opinion_agree_on_all_digits_of_an_expression()
    {
        var task = TaskRegistry.Get("math_path");
        for (var seed = 0UL; seed < 40; seed++)
        {
            var instance = task.Generate(2, seed);
            var template = instance.Puzzle.ToJson()["expression"]!.GetValue<string>();
            for (var digits = 0; digits < 100; digits++)
            {
                var left = digits;
                var answer = string.Concat(template.Select(c => c == '?' ? Next() : c));
                Assert.Equal(task.Verify(instance, answer).Correct, SecondOpinion.Accepts(instance, answer));

                char Next()
                {
                    var digit = (char)('0' + (left % 10));
                    left /= 10;
                    return digit;
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Verifier_and_second_opinion_agree_on_answers_of_the_right_form(string name)
    {
        var task = TaskRegistry.Get(name);
        for (var seed = 0UL; seed < 100; seed++)
        {
            var instance = task.Generate((int)(seed % 10) + 1, seed);
            var (other, rng) = (task.Generate(instance.Difficulty, ~seed).Solution, new Rng(seed));
            foreach (var kind in new[] { WrongAnswer.AnotherSolution, WrongAnswer.Replaced, WrongAnswer.Exchanged })
            {
                // The second opinion on a table allows for a tie of roundings.
                if (name != "buggy_tables" && SpoiltAnswers.Make(kind, instance.Solution, other, rng) is { } answer)
                    Assert.True(task.Verify(instance, answer).Correct == SecondOpinion.Accepts(instance, answer), $"{kind} '{answer}' for {instance.ToJsonLine()}");
            }
        }
    }

    [Theory]
    [InlineData("( 8 - 2 ) * ( 7 - 3 )", true)]
    [InlineData("(8-2)*(7-3)", true)]
    [InlineData("8 - 2 * 7 - 3", false)]
    [InlineData("( 8 - 2 ) * ( 7 - 3", false)]
    [InlineData("8 - 2 ) * ( 7 - 3 )", false)]
    [InlineData("( 8 - 2 ) ( 7 - 3 )", false)]
    [InlineData("8 / ( 2 - 2 ) + 7 * 3", false)]
    [InlineData("* 8 2 7 3", false)]
    public void Expressions_are_valued_by_two_stacks(string expression, bool right)
    {
        var data = new JsonObject { ["numbers"] = new JsonArray(2, 8, 3, 7), ["target"] = 24 };
        Assert.Equal(right, Arithmetic.MakesTarget(data, expression));
    }

    /// <summary>A task of which one part was replaced by a wrong one.</summary>
    private sealed class Faulty(string name) : IReasoningTask
    {
        private readonly IReasoningTask _task = TaskRegistry.Get(name);

        public Func<TaskInstance, string, Verdict>? Judge { get; init; }

        public string? Solution { get; init; }

        public TimeSpan Pause { get; init; }

        public string Name => _task.Name;

        public string Description => _task.Description;

        public IReadOnlyList<string> CompactWords => _task.CompactWords;

        public string Parameters(int difficulty) => _task.Parameters(difficulty);

        public TaskInstance Generate(int difficulty, ulong seed, PromptStyle style = PromptStyle.Full)
        {
            Thread.Sleep(difficulty == SelfTest.TimedDifficulty ? Pause : TimeSpan.Zero);
            var made = _task.Generate(difficulty, seed, style);
            return new TaskInstance(made.Task, made.Prompt, made.Difficulty, made.Puzzle, Solution ?? made.Solution);
        }

        public Verdict Verify(TaskInstance instance, string answer) => Judge?.Invoke(instance, answer) ?? _task.Verify(instance, answer);

        public string Demonstrate(TaskInstance instance, DemonstrationStyle style = DemonstrationStyle.Careful) => _task.Demonstrate(instance, style);

        public Puzzle ReadPuzzle(JsonObject data) => _task.ReadPuzzle(data);
    }
}
