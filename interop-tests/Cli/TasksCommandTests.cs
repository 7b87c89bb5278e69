using System.Text.Json.Nodes;
using MiniMaxSharp.Cli;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Tests.Checkpoints;

namespace MiniMaxSharp.Tests.Cli;

/// <summary>minimax tasks: arguments in; exit code, files and text out.</summary>
public sealed class TasksCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void List_tells_of_every_task_what_difficulty_sets()
    {
        (int code, string output, string errors) = Run("list");
        Assert.Equal((0, ""), (code, errors));
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(TaskRegistry.All.Count * 4, lines.Length);
        Assert.Contains("calcudoko: a Latin square whose cages make their targets", lines);
        Assert.Contains("   1: side 4, largest cage 2", lines);
        Assert.Contains("  10: side 6, largest cage 4", lines);
        Assert.All(TaskRegistry.All, task => Assert.Single(lines, line => line.StartsWith(task.Name + ": ", StringComparison.Ordinal) && line.Length > task.Name.Length + 10));
    }

    [Theory]
    [InlineData("futoshiki", 1)]
    [InlineData("cipher", 10)]
    public void Generate_writes_so_many_different_puzzles_that_can_be_read_back(string task, int difficulty)
    {
        Assert.Equal(0, Generate(task, 20, difficulty, 7, "a.jsonl").Code);
        TaskInstance[] instances = [.. File.ReadLines(_folder["a.jsonl"]).Select(TaskRegistry.ReadLine)];
        Assert.Equal(20, instances.DistinctBy(instance => instance.CanonicalHash).Count());
        Assert.All(instances, instance => Assert.Equal((task, difficulty), (instance.Task, instance.Difficulty)));
        JsonObject line = JsonNode.Parse(File.ReadLines(_folder["a.jsonl"]).First())!.AsObject();
        Assert.Equal(["task", "prompt", "difficulty", "data", "solution"], line.Select(field => field.Key));
    }

    [Fact]
    public void The_seed_determines_the_file_and_fewer_puzzles_are_its_beginning()
    {
        Generate("kukurasu", 10, 3, 1, "a.jsonl");
        Generate("kukurasu", 10, 3, 1, "b.jsonl");
        Generate("kukurasu", 10, 3, 2, "c.jsonl");
        Generate("kukurasu", 4, 3, 1, "d.jsonl");
        Assert.Equal(File.ReadAllBytes(_folder["a.jsonl"]), File.ReadAllBytes(_folder["b.jsonl"]));
        Assert.NotEqual(File.ReadAllText(_folder["a.jsonl"]), File.ReadAllText(_folder["c.jsonl"]));
        Assert.Equal(File.ReadLines(_folder["a.jsonl"]).Take(4), File.ReadLines(_folder["d.jsonl"]));
    }

    [Fact]
    public void When_the_puzzles_of_a_difficulty_run_out_it_says_so_and_leaves_no_file()
    {
        (int code, _, string errors) = Generate("skyscraper_puzzle", 5000, 1, 0, "a.jsonl");
        Assert.Equal(2, code);
        Assert.Contains("skyscraper_puzzle at difficulty 1 has only about", errors, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.Root));
    }

    [Theory]
    [InlineData("chess", "5", "1", "'chess'")]
    [InlineData("sudoku", "0", "1", "--count")]
    [InlineData("sudoku", "5", "11", "difficulty")]
    [InlineData("sudoku", "5", "many", "many")]
    public void Generate_names_what_is_wrong(string task, string count, string difficulty, string named)
    {
        (int code, _, string errors) = Run("generate", "--task", task, "--count", count, "--difficulty", difficulty, "--output", _folder["a.jsonl"]);
        Assert.Equal(2, code);
        Assert.Contains(named, errors, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.Root));
    }

    [Fact]
    public void Verify_adds_verdicts_and_leaves_the_rest_of_a_line_as_it_is()
    {
        TaskInstance instance = TaskRegistry.Get("dyck_language").Generate(3, 1);
        string[] responses =
        [
            ResponseFormat.Respond("ok", instance.Solution), ResponseFormat.Respond("ok", "x"), $"<answer>{instance.Solution}</answer>", "no idea",
            "__import__('os').system('touch hacked')",
        ];
        Write([.. responses.Select(response => Line(instance, response))]);
        (int code, string output, string errors) = Verify();
        Assert.Equal((0, ""), (code, errors));
        Assert.Equal("1 of 5 correct", output.Trim());
        string[] lines = File.ReadAllLines(_folder["out.jsonl"]);
        Assert.Equal([true, false, false, false, false], lines.Select(line => JsonNode.Parse(line)!["correct"]!.GetValue<bool>()));
        string[] reasons = [.. lines.Select(line => JsonNode.Parse(line)!["reason"]!.GetValue<string>())];
        Assert.Equal("correct", reasons[0]);
        Assert.Equal("only closing brackets can follow", reasons[1]);
        Assert.Contains("the form is not", reasons[2], StringComparison.Ordinal);
        Assert.Equal("no answer found", reasons[3]);
        Assert.All(lines.Zip(File.ReadAllLines(_folder["in.jsonl"])), pair => Assert.StartsWith(pair.Second[..^1] + ",\"correct\":", pair.First, StringComparison.Ordinal));
    }

    [Fact]
    public void A_second_verdict_takes_the_place_of_the_first()
    {
        TaskInstance instance = TaskRegistry.Get("sudoku").Generate(1, 1);
        string line = Line(instance, ResponseFormat.Respond("ok", instance.Solution));
        Write($"{line[..^1]},\"correct\":false,\"note\":1.50,\"reason\":\"?\"}}");
        Assert.Equal(0, Verify().Code);
        string judged = File.ReadAllText(_folder["out.jsonl"]);
        Assert.EndsWith(",\"note\":1.50,\"correct\":true,\"reason\":\"correct\"}\n", judged, StringComparison.Ordinal);
    }

    [Fact]
    public void A_response_may_hold_half_a_surrogate_pair()
    {
        Write(Line(TaskRegistry.Get("sudoku").Generate(1, 1), "x").Replace("\"x\"", "\"\\ud800\"", StringComparison.Ordinal));
        Assert.Equal(0, Verify().Code);
        Assert.Contains("\"\\ud800\",\"correct\":false", File.ReadAllText(_folder["out.jsonl"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{", "")]
    [InlineData("[]", "")]
    [InlineData("{\"task\": \"sudoku\"}", "'response' is missing")]
    [InlineData("{\"response\": 3}", "'response' must be of kind String")]
    [InlineData("{\"response\": \"x\", \"task\": \"chess\"}", "No task is called 'chess'")]
    [InlineData("{\"response\": \"x\", \"task\": \"sudoku\", \"prompt\": \"\", \"difficulty\": 11}", "'difficulty'")]
    [InlineData("SPOILT", "The solution of sudoku is wrong")]
    public void A_broken_line_is_named_and_nothing_is_left(string line, string named)
    {
        TaskInstance instance = TaskRegistry.Get("sudoku").Generate(1, 1);
        string spoilt = Line(new TaskInstance(instance.Task, "", 1, instance.Puzzle, "1 2 3 4"), "x");
        Write(Line(instance, "x"), line.Replace("SPOILT", spoilt, StringComparison.Ordinal));
        (int code, _, string errors) = Verify();
        Assert.Equal(2, code);
        Assert.StartsWith($"{_folder["in.jsonl"]}, line 2: ", errors, StringComparison.Ordinal);
        Assert.Contains(named, errors, StringComparison.Ordinal);
        Assert.Equal([_folder["in.jsonl"]], Directory.GetFiles(_folder.Root));
    }

    [Fact]
    public void Selftest_prints_and_writes_the_counts_of_the_tasks_asked_for()
    {
        (int code, string output, string errors) = Run("selftest", "--seeds", "30", "--task", "kukurasu", "--task", "web_of_lies", "--output", _folder["result.json"]);
        Assert.True(code == 0, output + errors);
        Assert.Contains("kukurasu: passed; 30 seeds, 0 unsolvable, 0 solutions refused", output, StringComparison.Ordinal);
        Assert.EndsWith("2 of 2 tasks passed\n", output, StringComparison.Ordinal);
        JsonObject result = JsonNode.Parse(File.ReadAllText(_folder["result.json"]))!.AsObject();
        Assert.Equal(["date", "commit", "machine", "seeds", "timed_difficulty", "most_milliseconds", "passed", "tasks"], result.Select(field => field.Key));
        Assert.Equal(["kukurasu", "web_of_lies"], result["tasks"]!.AsArray().Select(task => task!["task"]!.GetValue<string>()));
        JsonObject enormous = result["tasks"]![0]!["wrong_answers"]!["enormous"]!.AsObject();
        Assert.Equal("""{"made":30,"refused":30,"skipped":0,"accepted":0}""", enormous.ToJsonString());
    }

    [Theory]
    [InlineData("'chess'", "--task", "chess")]
    [InlineData("--seeds", "--seeds", "0")]
    public void Selftest_names_what_is_wrong(string named, params string[] arguments)
    {
        (int code, _, string errors) = Run(["selftest", .. arguments]);
        Assert.Equal(2, code);
        Assert.Contains(named, errors, StringComparison.Ordinal);
    }

    private static (int Code, string Output, string Errors) Run(params string[] arguments)
    {
        var output = new StringWriter { NewLine = "\n" };
        var errors = new StringWriter { NewLine = "\n" };
        int code = Commands.Run(["tasks", .. arguments], output, errors);
        return (code, output.ToString(), errors.ToString());
    }

    private (int Code, string Output, string Errors) Generate(string task, int count, int difficulty, int seed, string file) =>
        Run("generate", "--task", task, "--count", $"{count}", "--difficulty", $"{difficulty}", "--seed", $"{seed}", "--output", _folder[file]);

    private (int Code, string Output, string Errors) Verify() => Run("verify", "--input", _folder["in.jsonl"], "--output", _folder["out.jsonl"]);

    private void Write(params string[] lines) => File.WriteAllText(_folder["in.jsonl"], string.Join('\n', lines) + "\n");

    private static string Line(TaskInstance instance, string response) => $"{instance.ToJsonLine()[..^1]},\"response\":{JsonValue.Create(response).ToJsonString()}}}";
}
