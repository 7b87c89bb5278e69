using System.Security.Cryptography;

namespace MiniMaxSharp.Environments;

/// <summary>What a test said.</summary>
/// <param name="Name">The test.</param>
/// <param name="Failure">Why it failed; null if it passed.</param>
public sealed record TestOutcome(string Name, string? Failure);

/// <summary>A run of the tests of a repository, in the sandbox.</summary>
/// <param name="Outcomes">The tests that reported; none where nothing was built.</param>
/// <param name="Complete">Whether the runner came to its end: it was neither stopped nor did it crash.</param>
/// <param name="Text">The report as a reader wants it, or what the compiler said.</param>
public sealed record TestReport(IReadOnlyList<TestOutcome> Outcomes, bool Complete, string Text)
{
    private const string Pass = "PASS ";
    private const string Fail = "FAIL ";

    /// <summary>
    /// Builds the files and runs their runner. It is told a mark that stands before its reports, so that code which merely prints
    /// what a passing test prints gains nothing. Tests and the code that they test share a process all the same: code written to
    /// deceive this very runner can.
    /// </summary>
    /// <exception cref="SandboxUnavailableException">The machine lacks the sandbox or the language.</exception>
    public static async Task<TestReport> RunAsync(
        ProgramLanguage language, IReadOnlyDictionary<string, string> files, SandboxLimits limits, CancellationToken cancellation = default)
    {
        var build = await language.BuildAsync(files, $"check{language.Extension}", limits, cancellation).ConfigureAwait(false);
        if (build.Program is not { } program)
            return new([], false, $"build failed\n{build.Errors}".TrimEnd());
        var mark = RandomNumberGenerator.GetHexString(32);
        var run = await program.RunAsync($"{mark}\n", limits, cancellation).ConfigureAwait(false);
        var ours = run.OutputText.Split('\n').Where(line => line.StartsWith(mark, StringComparison.Ordinal)).Select(line => line[mark.Length..].Trim()).ToArray();
        var complete = run.Verdict == SandboxVerdict.Exited && run.ExitCode is 0 or 1;
        var end = run.Verdict == SandboxVerdict.Exited ? $"exit code {run.ExitCode}" : $"stopped: {run.Verdict}";
        return new([.. ours.Select(Outcome).OfType<TestOutcome>()], complete, string.Join('\n', [.. ours, end, run.ErrorText]).TrimEnd());
    }

    /// <summary>Whether this test has reported that it passes, and nothing else.</summary>
    public bool Passes(string test) => Outcomes.Where(outcome => outcome.Name == test).ToArray() is [{ Failure: null }];

    private static TestOutcome? Outcome(string line)
    {
        if (line.StartsWith(Pass, StringComparison.Ordinal))
            return new(line[Pass.Length..], null);
        var colon = line.IndexOf(": ", StringComparison.Ordinal);
        return line.StartsWith(Fail, StringComparison.Ordinal) && colon > 0 ? new(line[Fail.Length..colon], line[(colon + 2)..]) : null;
    }
}
