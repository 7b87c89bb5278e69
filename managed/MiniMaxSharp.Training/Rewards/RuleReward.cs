namespace MiniMaxSharp.Training;

/// <summary>A reward that follows from a <see cref="Judgement"/>. Parts: <c>correct</c> and <c>format</c>, 0 or 1 each.</summary>
/// <param name="name">Name in the metrics.</param>
/// <param name="judge">Says what is right; where it is silent, the reward does not apply.</param>
/// <param name="score">What a judgement is worth.</param>
public sealed class RuleReward(string name, ResponseJudge judge, Func<Judgement, double> score) : IRewardFunction
{
    /// <inheritdoc/>
    public string Name => name;

    /// <summary>1 for a right answer, whatever the form, else 0: the accuracy part of the report's rule-based rewards.</summary>
    public static RuleReward Correctness(ResponseJudge judge) => new("correctness", judge, j => j.Correct ? 1 : 0);

    /// <summary>
    /// 1 for the right form, else 0: the report's format reward. Its weight beside <see cref="Correctness"/> is unpublished; give it
    /// one in a <see cref="CompositeReward"/>.
    /// </summary>
    public static RuleReward Format(ResponseJudge judge) => new("format", judge, j => j.WellFormed ? 1 : 0);

    /// <summary>1 if the form holds and the answer is right, else 0 (SynLogic, arXiv 2505.19641).</summary>
    public static RuleReward CorrectAndWellFormed(ResponseJudge judge) => new("rule", judge, j => j.Passed ? 1 : 0);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(responses);
        Judgement?[] judgements = await judge.AllAsync(responses, cancellation).ConfigureAwait(false);
        return [.. judgements.Select(j => j is { } known ? new RewardResult(score(known), Parts(known)) : new RewardResult(null))];
    }

    private static SortedDictionary<string, double> Parts(Judgement judgement) => new(StringComparer.Ordinal)
    {
        ["correct"] = judgement.Correct ? 1 : 0,
        ["format"] = judgement.WellFormed ? 1 : 0,
    };
}

internal static class ResponseJudgeExtensions
{
    /// <summary>Every response at once, in order: a judge that waits for something does not hold up the others.</summary>
    public static Task<Judgement?[]> AllAsync(this ResponseJudge judge, IEnumerable<Response> responses, CancellationToken cancellation) =>
        Task.WhenAll(responses.Select(r => judge(r, cancellation).AsTask()));
}
