using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks;

/// <summary>How a puzzle is put.</summary>
public enum PromptStyle
{
    /// <summary>A prompt in English or Chinese, one of several templates chosen by the seed, with the answer's format spelled out.</summary>
    Full,

    /// <summary>A few symbols with single spaces between them, each from <see cref="IReasoningTask.CompactWords"/>: for very small models.</summary>
    Compact,
}

/// <summary>How a demonstration gets to its answer.</summary>
public enum DemonstrationStyle
{
    /// <summary>Works it out in steps each of which follows from what stands there already.</summary>
    Careful,

    /// <summary>Gives the right answer at once.</summary>
    Quick,

    /// <summary>Works it out as <see cref="Careful"/> does, in fewer words. The same as that where the task has no words to spare.</summary>
    Brief,
}

/// <summary>What a verifier says of an answer. It never throws, whatever the answer.</summary>
/// <param name="Correct">Whether the answer solves the puzzle.</param>
/// <param name="Reason">Why, in a few words.</param>
public readonly record struct Verdict(bool Correct, string Reason)
{
    internal static Verdict Right { get; } = new(true, "correct");

    internal static Verdict Wrong(string reason) => new(false, reason);
}

/// <summary>
/// A kind of puzzle with a seeded generator, a verifier that goes by the rules, prompts, and chains of
/// thought made by program. Stateless and safe to share between threads.
/// </summary>
public interface IReasoningTask
{
    /// <summary>The name in SynLogic (arXiv 2505.19641), such as <c>web_of_lies</c>.</summary>
    string Name { get; }

    /// <summary>What has to be done, in a few words.</summary>
    string Description { get; }

    /// <summary>Every word that compact prompts, demonstrations and answers of this task may hold, tags left out.</summary>
    IReadOnlyList<string> CompactWords { get; }

    /// <summary>What a difficulty means in this task, such as <c>side 4, largest cage 2</c>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The difficulty is not in 1 to 10.</exception>
    string Parameters(int difficulty);

    /// <summary>A solvable puzzle. Difficulty, seed and style determine it for ever; the puzzle itself does not depend on the style.</summary>
    /// <param name="difficulty">1 to 10.</param>
    /// <param name="seed">Any number.</param>
    /// <param name="style">How the prompt is written.</param>
    /// <exception cref="ArgumentOutOfRangeException">The difficulty is not in 1 to 10.</exception>
    TaskInstance Generate(int difficulty, ulong seed, PromptStyle style = PromptStyle.Full);

    /// <summary>Checks an answer (without tags) by the rules of the puzzle. Bad answers get a verdict, never an exception.</summary>
    /// <exception cref="ArgumentException">The instance is of another task.</exception>
    Verdict Verify(TaskInstance instance, string answer);

    /// <summary>
    /// <c>&lt;think&gt; … &lt;/think&gt; &lt;answer&gt; … &lt;/answer&gt;</c>, right, in compact words separated by single spaces.
    /// </summary>
    /// <exception cref="ArgumentException">The instance is of another task.</exception>
    string Demonstrate(TaskInstance instance, DemonstrationStyle style = DemonstrationStyle.Careful);

    /// <summary>
    /// The puzzle written by <see cref="Puzzle.ToJson"/>. Where only a long search could tell whether it can be solved, that is left
    /// to the solution, which <see cref="TaskRegistry.ReadLine"/> checks.
    /// </summary>
    /// <exception cref="FormatException">It is not a well-formed, solvable puzzle of this task.</exception>
    Puzzle ReadPuzzle(JsonObject data);
}
