using System.CommandLine;
using System.Text;
using System.Text.Json;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Cli;

/// <summary>minimax tasks list | generate | verify | selftest: puzzles as files, and whether their makers and judges can be trusted.</summary>
internal static class TasksCommand
{
    private const int Patience = 1000;

    public static Command Create(TextWriter output) => new("tasks", "Reasoning tasks after SynLogic: list, generate, verify, selftest")
    {
        List(output), Generate(output), Verify(output), TasksSelfTestCommand.Create(output),
    };

    private static Command List(TextWriter output)
    {
        var command = new Command("list", "Names, what the puzzles are, and what difficulty sets (at 1, 5 and 10)");
        command.SetAction(result => Commands.Guarded(result, () =>
        {
            foreach (IReasoningTask task in TaskRegistry.All)
            {
                output.WriteLine($"{task.Name}: {task.Description}");
                foreach (int difficulty in new[] { 1, 5, 10 })
                {
                    output.WriteLine($"  {difficulty,2}: {task.Parameters(difficulty)}");
                }
            }

            return 0;
        }));
        return command;
    }

    private static Command Generate(TextWriter output)
    {
        var task = new Option<string>("--task") { Required = true, Description = "A name from minimax tasks list" };
        var count = new Option<int>("--count") { Required = true, Description = "Puzzles to write, no two the same under other names or in another order" };
        var difficulty = new Option<int>("--difficulty") { DefaultValueFactory = _ => 5, Description = "1 to 10" };
        var seed = new Option<ulong>("--seed") { DefaultValueFactory = _ => 0ul, Description = "Same seed, same file" };
        var target = new Option<string>("--output") { Required = true, Description = "Receives the lines, once all are made" };
        var command = new Command("generate", "Write puzzles as lines of {\"task\", \"prompt\", \"difficulty\", \"data\", \"solution\"}") { task, count, difficulty, seed, target };
        command.SetAction((result, cancellation) => Commands.GuardedAsync(result, () => Task.Run(() =>
        {
            int wanted = result.GetValue(count);
            ArgumentOutOfRangeException.ThrowIfLessThan(wanted, 1, "--count");
            Generate(TaskRegistry.Get(result.GetValue(task)!), wanted, result.GetValue(difficulty), result.GetValue(seed), result.GetValue(target)!, cancellation);
            output.WriteLine($"{wanted} puzzles written to {result.GetValue(target)}");
            return 0;
        })));
        return command;
    }

    private static void Generate(IReasoningTask task, int count, int difficulty, ulong seed, string path, CancellationToken cancellation) => AtomicFile.Write(path, stream =>
    {
        using var writer = Lines(stream);
        var seeds = new Rng(Rng.Derive(seed, "generate"));
        var seen = new HashSet<ulong>();
        for (int misses = 0; seen.Count < count;)
        {
            cancellation.ThrowIfCancellationRequested();
            TaskInstance instance = task.Generate(difficulty, seeds.NextBits());
            if (seen.Add(instance.CanonicalHash))
            {
                writer.WriteLine(instance.ToJsonLine());
                misses = 0;
            }
            else if (++misses == Patience)
            {
                throw new InvalidOperationException($"{task.Name} at difficulty {difficulty} has only about {seen.Count} different puzzles: {Patience} more seeds brought none besides them, and {count} are wanted.");
            }
        }
    });

    private static Command Verify(TextWriter output)
    {
        var input = new Option<string>("--input") { Required = true, Description = "Lines as minimax tasks generate writes them, each with a field 'response': all that the model said" };
        var target = new Option<string>("--output") { Required = true, Description = "Receives the same lines with 'correct' and 'reason', once all are judged" };
        var command = new Command("verify", """
            Judge responses by the rules of the puzzles.

            'correct' is true if and only if the response has the form <think> … </think> <answer> … </answer> and the answer is
            right, as SynLogic rewards it; 'reason' tells which of the two failed. Answers are parsed and never evaluated.
            """) { input, target };
        command.SetAction(result => Commands.Guarded(result, () =>
        {
            var (right, all) = (0, 0);
            JsonLines.Convert(result.GetValue(input)!, result.GetValue(target)!, line =>
            {
                (string judged, bool correct) = Judge(line);
                (right, all) = (right + (correct ? 1 : 0), all + 1);
                return judged;
            });
            output.WriteLine($"{right} of {all} correct");
            return 0;
        }));
        return command;
    }

    private static (string Line, bool Correct) Judge(JsonElement line)
    {
        string response = JsonText.Of(JsonLines.Get(line, "response").Expect(JsonValueKind.String, "response"));
        Score score = ResponseFormat.Score(Read(line), response);
        bool correct = score.Reward == 1;
        string reason = score.FormatOk || !score.Verdict.Correct ? score.Verdict.Reason : "the answer is right, but the form is not <think> … </think> <answer> … </answer>";
        // What stood there stays as it was written; an earlier verdict is replaced.
        IEnumerable<string> fields = line.EnumerateObject().Select(field => (Name: JsonText.NameOf(field), Text: field.Value.GetRawText()))
            .Where(field => field.Name is not ("correct" or "reason"))
            .Append((Name: "correct", Text: correct ? "true" : "false")).Append((Name: "reason", Text: JsonText.Quote(reason)))
            .Select(field => $"{JsonText.Quote(field.Name)}:{field.Text}");
        return ($"{{{string.Join(',', fields)}}}", correct);
    }

    private static TaskInstance Read(JsonElement line)
    {
        try
        {
            return TaskRegistry.ReadLine(line.GetRawText());
        }
        catch (FormatException error)
        {
            throw new InvalidDataException(error.Message, error);
        }
    }

    private static StreamWriter Lines(Stream stream) => new(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), bufferSize: 1 << 16, leaveOpen: true) { NewLine = "\n" };
}
