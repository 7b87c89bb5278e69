using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks;

/// <summary>
/// What all tasks share: seeds, choice of template, tags, guards. A task adds, in one file, its puzzle,
/// generator, verifier, prompts and demonstration.
/// </summary>
/// <typeparam name="TPuzzle">The puzzle of this task.</typeparam>
public abstract class ReasoningTask<TPuzzle> : IReasoningTask
    where TPuzzle : Puzzle
{
    private const int LongestAnswer = 4096;

    private const string EnglishFormat =
        "Reason between <think> and </think>, then give nothing but the answer between <answer> and </answer>.";

    private const string ChineseFormat =
        "请先在 <think> 与 </think> 之间推理，再在 <answer> 与 </answer> 之间只写答案。";

    /// <inheritdoc/>
    public abstract string Name { get; }

    /// <inheritdoc/>
    public abstract string Description { get; }

    /// <inheritdoc/>
    public abstract IReadOnlyList<string> CompactWords { get; }

    /// <summary>What difficulty (1 to 10) sets, as a record writes itself: <c>Level { Side = 4, LargestCage = 2 }</c>, or the same without name and braces.</summary>
    protected abstract string Setting(int difficulty);

    /// <summary>Templates of the full prompt in English.</summary>
    protected abstract IReadOnlyList<Func<TPuzzle, string>> English { get; }

    /// <summary>Templates of the full prompt in Chinese.</summary>
    protected abstract IReadOnlyList<Func<TPuzzle, string>> Chinese { get; }

    /// <summary>A solvable puzzle and one right answer in compact words.</summary>
    protected abstract (TPuzzle Puzzle, string Solution) Create(int difficulty, Rng rng);

    /// <summary>The compact prompt.</summary>
    protected abstract string Compact(TPuzzle puzzle);

    /// <summary>The steps from the puzzle to the solution in compact words; without an override the demonstration shows none.</summary>
    protected virtual string Reason(TPuzzle puzzle, string solution) => ResponseFormat.QuickThought;

    /// <summary>The same in fewer words, where there are words to spare.</summary>
    protected virtual string ReasonBriefly(TPuzzle puzzle, string solution) => Reason(puzzle, solution);

    /// <summary>The rules. The answer is trimmed and of bounded length; anything may stand in it.</summary>
    protected abstract Verdict Check(TPuzzle puzzle, string answer);

    /// <summary>Reads what <see cref="Puzzle.ToJson"/> wrote.</summary>
    /// <exception cref="FormatException">It is not a well-formed, solvable puzzle.</exception>
    protected abstract TPuzzle Read(JsonObject data);

    /// <inheritdoc/>
    public string Parameters(int difficulty)
    {
        CheckDifficulty(difficulty);
        var fields = Setting(difficulty).Replace("Level { ", "").Replace(" }", "").Replace(" = ", " ");
        return string.Concat(fields.Select((c, at) => !char.IsAsciiLetterUpper(c) ? $"{c}" : at == 0 || fields[at - 1] == ' ' ? $"{char.ToLowerInvariant(c)}" : $" {char.ToLowerInvariant(c)}"));
    }

    /// <inheritdoc/>
    public TaskInstance Generate(int difficulty, ulong seed, PromptStyle style = PromptStyle.Full)
    {
        CheckDifficulty(difficulty);
        var root = Rng.Derive(seed, $"{Name} {difficulty}");
        var (puzzle, solution) = Create(difficulty, new Rng(root));
        var prompt = style == PromptStyle.Compact ? Compact(puzzle) : Full(puzzle, new Rng(Rng.Derive(root, "prompt")));
        return new TaskInstance(Name, prompt, difficulty, puzzle, solution);
    }

    /// <inheritdoc/>
    public Verdict Verify(TaskInstance instance, string answer)
    {
        var puzzle = PuzzleOf(instance);
        return answer.Length > LongestAnswer ? Verdict.Wrong("too long") : Check(puzzle, answer.Trim());
    }

    /// <inheritdoc/>
    public string Demonstrate(TaskInstance instance, DemonstrationStyle style = DemonstrationStyle.Careful)
    {
        var (puzzle, solution) = (PuzzleOf(instance), instance.Solution);
        var thought = style switch
        {
            DemonstrationStyle.Careful => Reason(puzzle, solution),
            DemonstrationStyle.Quick => ResponseFormat.QuickThought,
            DemonstrationStyle.Brief => ReasonBriefly(puzzle, solution),
            _ => throw new ArgumentOutOfRangeException(nameof(style), style, "not a style"),
        };
        return ResponseFormat.Respond(thought, solution);
    }

    /// <inheritdoc/>
    public Puzzle ReadPuzzle(JsonObject data) => Read(data);

    private static void CheckDifficulty(int difficulty)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(difficulty, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(difficulty, 10);
    }

    private static string Full(TPuzzle puzzle, IReadOnlyList<Func<TPuzzle, string>> templates, string format, Rng rng) =>
        $"{rng.Pick(templates)(puzzle)}\n\n{format}";

    private string Full(TPuzzle puzzle, Rng rng) =>
        rng.OneIn(2) ? Full(puzzle, English, EnglishFormat, rng) : Full(puzzle, Chinese, ChineseFormat, rng);

    private TPuzzle PuzzleOf(TaskInstance instance) => instance.Puzzle as TPuzzle
        ?? throw new ArgumentException($"An instance of {instance.Task} was given to {Name}.", nameof(instance));
}
