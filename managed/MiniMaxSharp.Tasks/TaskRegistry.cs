using System.Text.Json;
using System.Text.Json.Nodes;
using MiniMaxSharp.Tasks.Puzzles;

namespace MiniMaxSharp.Tasks;

/// <summary>All tasks, by name. A new task is one file under <c>Puzzles</c> and one line here.</summary>
public static class TaskRegistry
{
    /// <summary>Every task there is.</summary>
    public static IReadOnlyList<IReasoningTask> All { get; } =
    [
        new ArcAgi(),
        new ArrowMaze(),
        new BooleanExpressions(),
        new BuggyTables(),
        new Calcudoko(),
        new Campsite(),
        new Cipher(),
        new Cryptarithm(),
        new DyckLanguage(),
        new DyckLanguageErrors(),
        new DyckLanguageReasoningErrors(),
        new Futoshiki(),
        new GameOf24(),
        new GoodsExchange(),
        new Kukurasu(),
        new MathPath(),
        new Minesweeper(),
        new Norinori(),
        new NumberWall(),
        new Numbrix(),
        new ObjectCounting(),
        new ObjectProperties(),
        new Operation(),
        new SkyscraperPuzzle(),
        new SpaceReasoning(),
        new SpaceReasoningTree(),
        new StarPlacement(),
        new Sudoku(),
        new Survo(),
        new TimeSequence(),
        new WebOfLies(),
        new WordSorting(),
        new WordSortingMistake(),
        new Wordscapes(),
        new ZebraPuzzle(),
    ];

    private static readonly Dictionary<string, IReasoningTask> ByName = All.ToDictionary(task => task.Name);

    /// <summary>The task of that name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static IReasoningTask Get(string name) => ByName.TryGetValue(name, out var task)
        ? task
        : throw new ArgumentException($"No task is called '{name}'; there are {string.Join(", ", ByName.Keys)}.", nameof(name));

    /// <summary>
    /// Every word that compact prompts and responses of <paramref name="tasks"/> may hold, the tags first, each once:
    /// the vocabulary of a tokenizer for which a word is a token.
    /// </summary>
    public static IReadOnlyList<string> CompactVocabulary(IEnumerable<IReasoningTask> tasks) =>
        [.. ResponseFormat.Tags.Append(ResponseFormat.QuickThought).Concat(tasks.SelectMany(task => task.CompactWords)).Distinct()];

    /// <summary>Reads a line written by <see cref="TaskInstance.ToJsonLine"/>; the solution must solve the puzzle.</summary>
    /// <exception cref="FormatException">The line is not JSON, lacks a field, names no task, or holds a puzzle or solution that is wrong.</exception>
    public static TaskInstance ReadLine(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        var root = Parse(line);
        var name = root.Text("task");
        if (!ByName.TryGetValue(name, out var task))
            throw new FormatException($"No task is called '{name}'.");
        var difficulty = root.Number("difficulty", 1, 10);
        var instance = new TaskInstance(name, root.Text("prompt"), difficulty, task.ReadPuzzle(root.Object("data")), root.Text("solution"));
        var verdict = task.Verify(instance, instance.Solution);
        return verdict.Correct ? instance : throw new FormatException($"The solution of {name} is wrong: {verdict.Reason}.");
    }

    private static JsonObject Parse(string line)
    {
        try
        {
            return JsonNode.Parse(line) as JsonObject ?? throw new FormatException("The line is not a JSON object.");
        }
        catch (Exception e) when (e is JsonException or ArgumentException) // the latter for half a surrogate pair
        {
            throw new FormatException($"The line is not JSON: {e.Message}", e);
        }
    }
}
