namespace MiniMaxSharp.Environments;

/// <summary>
/// A repository with something wrong, and what has to hold when it is put right (MiniMax-M1, arXiv 2506.13585, section 4.1:
/// software engineering, rewarded by execution).
/// </summary>
/// <param name="Name">For logs.</param>
/// <param name="Language">The language of the repository.</param>
/// <param name="Sources">The code as it is found, by path.</param>
/// <param name="ShownTests">The runner <c>check</c> and the tests that can be seen.</param>
/// <param name="HiddenTests">Tests added for grading.</param>
/// <param name="Issue">What is wrong, in words.</param>
/// <param name="Failing">Names of the tests that fail as it is found.</param>
/// <param name="Passing">Names of the tests that pass as it is found, and have to go on passing.</param>
public sealed record SweTask(
    string Name,
    ProgramLanguage Language,
    IReadOnlyDictionary<string, string> Sources,
    IReadOnlyDictionary<string, string> ShownTests,
    IReadOnlyDictionary<string, string> HiddenTests,
    string Issue,
    IReadOnlyList<string> Failing,
    IReadOnlyList<string> Passing)
{
    /// <summary>The issue is solved: every test passes.</summary>
    public const double Solved = 1;

    /// <summary>Not solved, but nothing that worked has been broken.</summary>
    public const double Unsolved = 0;

    /// <summary>Something that worked fails or nothing builds: worse than having done nothing (the value is a choice).</summary>
    public const double Broken = -1;

    /// <summary>What a state of the repository is worth. All tests are put back first: what was done to them is without effect.</summary>
    /// <exception cref="SandboxUnavailableException">The machine lacks the sandbox or the language.</exception>
    public async Task<double> GradeAsync(IReadOnlyDictionary<string, string> files, SandboxLimits limits, CancellationToken cancellation = default)
    {
        var graded = new Dictionary<string, string>(files);
        foreach (var (path, text) in ShownTests.Concat(HiddenTests))
            graded[path] = text;
        var report = await TestReport.RunAsync(Language, graded, limits, cancellation).ConfigureAwait(false);
        if (!Passing.All(report.Passes))
            return Broken;
        return Failing.All(report.Passes) ? Solved : Unsolved;
    }
}
