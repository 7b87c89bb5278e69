using MiniMaxSharp.Training;

namespace MiniMaxSharp.Environments;

/// <summary>What tests passed are worth.</summary>
public enum CodeScoring
{
    /// <summary>1 if all tests pass, else 0.</summary>
    AllOrNothing,

    /// <summary>The share of the tests that pass.</summary>
    Share,
}

/// <summary>
/// Runs the program of a response against tests in the sandbox (MiniMax-M1, arXiv 2506.13585, section 4.1: rewards of code by
/// execution). The program is the last fenced block after the thought. No program, one that does not build, a wrong output, an
/// exit code other than 0 and every broken limit earn nothing. Expected outputs never enter the sandbox, and every test has one of
/// its own. Parts: <c>found</c>, <c>built</c> and, unless a failure has ended it early, <c>passed</c>, the share of tests.
/// </summary>
/// <param name="scoring">What tests passed are worth (the paper does not say: choice).</param>
/// <param name="limits">What each build and each test may use.</param>
public sealed class CodeReward(CodeScoring scoring = CodeScoring.AllOrNothing, SandboxLimits? limits = null) : IRewardFunction
{
    private readonly SandboxLimits _limits = limits ?? new();

    /// <inheritdoc/>
    public string Name => "code";

    /// <summary>Scores a response to a <see cref="CodeProblem"/>; does not apply to other prompts. As many at a time as there are cores.</summary>
    /// <exception cref="SandboxUnavailableException">The machine lacks the sandbox or the language.</exception>
    /// <exception cref="ArgumentException">A problem has no tests.</exception>
    public async ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation)
    {
        var results = new RewardResult[responses.Count];
        await Parallel.ForAsync(0, responses.Count, cancellation, async (i, stop) =>
            results[i] = responses[i].Prompt.Data is CodeProblem problem
                ? await ScoreAsync(problem, responses[i].Text, stop).ConfigureAwait(false)
                : new RewardResult(null)).ConfigureAwait(false);
        return results;
    }

    private async Task<RewardResult> ScoreAsync(CodeProblem problem, string response, CancellationToken cancellation)
    {
        if (problem.Tests.Count == 0)
            throw new ArgumentException("a code problem needs at least one test");
        if (CodeBlock.Last(response, problem.Language.FenceNames) is not { } source)
            return Result(0, found: 0, built: 0, passed: 0);
        var main = $"main{problem.Language.Extension}";
        var build = await problem.Language.BuildAsync(new Dictionary<string, string> { [main] = source }, main, _limits, cancellation).ConfigureAwait(false);
        if (build.Program is not { } program)
            return Result(0, found: 1, built: 0, passed: 0);
        var passed = 0;
        foreach (var test in problem.Tests)
        {
            var run = await program.RunAsync(test.Input, _limits, cancellation).ConfigureAwait(false);
            if (run.Succeeded && test.Accepts(run.OutputText))
                passed++;
            else if (scoring == CodeScoring.AllOrNothing)
                return Result(0, found: 1, built: 1, passed: null);
        }
        var share = (double)passed / problem.Tests.Count;
        return Result(share, found: 1, built: 1, share);
    }

    private static RewardResult Result(double score, double found, double built, double? passed)
    {
        var parts = new Dictionary<string, double> { ["found"] = found, ["built"] = built };
        if (passed is { } share)
            parts["passed"] = share;
        return new(score, parts);
    }
}
