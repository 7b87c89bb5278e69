namespace MiniMaxSharp.Environments;

/// <summary>A program is to write <paramref name="Expected"/> when it reads <paramref name="Input"/>.</summary>
/// <param name="Input">Standard input.</param>
/// <param name="Expected">Standard output; white space at the ends of lines and of the whole does not count.</param>
public sealed record CodeTest(string Input, string Expected)
{
    /// <summary>Whether an output is the expected one.</summary>
    public bool Accepts(string output) => Lines(output).SequenceEqual(Lines(Expected));

    private static IEnumerable<string> Lines(string text) => text.TrimEnd().Split('\n').Select(line => line.TrimEnd());
}

/// <summary>What <see cref="CodeReward"/> looks for in <see cref="Training.RolloutPrompt.Data"/>: a program is to be written.</summary>
/// <param name="Language">Its language.</param>
/// <param name="Tests">What it has to pass, in order; at least one.</param>
public sealed record CodeProblem(ProgramLanguage Language, IReadOnlyList<CodeTest> Tests);
