using FsCheck;
using FsCheck.Xunit;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Rewards by rule, and how they are put together.</summary>
public sealed class RewardsRuleTests
{
    private static readonly RolloutPrompt s_sum = new([1], new MathReference(@"\frac{1}{2}"));

    internal static Response Respond(RolloutPrompt prompt, string text, int length = 1, FinishReason reason = FinishReason.Stop) =>
        new(prompt, text, new Completion([.. Enumerable.Range(0, length)], new float[length], reason));

    [Fact]
    public async Task A_sum_leaves_out_what_does_not_apply()
    {
        var composite = new CompositeReward("reward", (new Given("a", 1, null, null), 2), (new Given("b", 0.5, 0.25, null), -1));
        IReadOnlyList<RewardResult> results = await composite.ScoreAsync([.. Enumerable.Repeat(Respond(s_sum, ""), 3)], default);
        Assert.Equal([1.5, -0.25, null], results.Select(r => r.Score));
        Assert.Equal(["a", "a/half", "b", "b/half"], results[0].Parts!.Keys);
        Assert.Equal(["b", "b/half"], results[1].Parts!.Keys);
        Assert.Equal(
            [("rewards/a/mean", 1), ("rewards/a/half/mean", 0.5), ("rewards/b/mean", 0.375), ("rewards/b/half/mean", 0.1875)],
            RewardMetrics.Means(results));
    }

    [Fact]
    public async Task A_sum_that_makes_no_sense_is_refused_by_name()
    {
        Assert.Throws<ArgumentException>(() => new CompositeReward("reward"));
        Assert.Contains("'a'", Assert.Throws<ArgumentException>(
            () => new CompositeReward("reward", (new Given("a"), 1), (new Given("a"), 1))).Message, StringComparison.Ordinal);
        Assert.Contains("'a'", Assert.Throws<ArgumentException>(() => new CompositeReward("reward", (new Given("a"), double.NaN))).Message, StringComparison.Ordinal);
        var short_ = new CompositeReward("reward", (new Given("few", 1), 1));
        Assert.Contains("'few' gave 1 results for 2", (await Assert.ThrowsAsync<InvalidOperationException>(
            () => short_.ScoreAsync([Respond(s_sum, ""), Respond(s_sum, "")], default).AsTask())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<think> half </think> <answer> 0.5 </answer>", true, true)]
    [InlineData("<think> half </think> <answer> 5 </answer>", true, false)]
    [InlineData(@"so it is \boxed{1/2}", false, true)]
    [InlineData("no idea", false, false)]
    public async Task Correctness_and_format_are_judged_apart_and_together(string text, bool format, bool correct)
    {
        Response[] responses = [Respond(s_sum, text), Respond(new RolloutPrompt([1], "no reference"), text)];
        await Requires(RuleReward.Correctness(RuleJudges.Mathematics), correct);
        await Requires(RuleReward.Format(RuleJudges.Mathematics), format);
        await Requires(RuleReward.CorrectAndWellFormed(RuleJudges.Mathematics), format && correct);

        async Task Requires(RuleReward reward, bool earned)
        {
            IReadOnlyList<RewardResult> results = await reward.ScoreAsync(responses, default);
            Assert.Equal([earned ? 1 : 0, null], results.Select(r => r.Score));
            Assert.Equal((correct ? 1 : 0, format ? 1 : 0), (results[0].Parts!["correct"], results[0].Parts!["format"]));
        }
    }

    [Fact]
    public async Task Puzzles_are_judged_by_their_rules()
    {
        TaskInstance puzzle = TaskRegistry.All[0].Generate(1, 1);
        RuleReward reward = RuleReward.CorrectAndWellFormed(RuleJudges.Puzzles);
        var prompt = new RolloutPrompt([1], puzzle);
        IReadOnlyList<RewardResult> results = await reward.ScoreAsync(
            [
                Respond(prompt, ResponseFormat.Respond("so", puzzle.Solution)),
                Respond(prompt, ResponseFormat.Respond("so", "?")),
                Respond(s_sum, "?"),
            ],
            default);
        Assert.Equal([1, 0, null], results.Select(r => r.Score));
    }

    [Fact]
    public async Task Soft_overlong_falls_over_the_buffer()
    {
        var reward = new SoftOverlongReward(100, 20, 0.5);
        IReadOnlyList<RewardResult> results = await reward.ScoreAsync(
            [.. new[] { 1, 80, 81, 90, 100, 130 }.Select(length => Respond(s_sum, "", length))], default);
        Assert.Equal([0, 0, -0.025, -0.25, -0.5, -0.5], results.Select(r => r.Score));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SoftOverlongReward(10, 11));
    }

    [Fact]
    public async Task Repetition_costs_its_share()
    {
        int[] round = [.. Enumerable.Range(0, 60).Select(i => i % 3)], straight = [.. Enumerable.Range(0, 60)];
        var reward = new RepetitionReward(n: 4, factor: 2);
        IReadOnlyList<RewardResult> results = await reward.ScoreAsync(
            [Of(round, FinishReason.Stop), Of(straight, FinishReason.Stop), Of(straight, FinishReason.Repetition), Of([1, 2], FinishReason.Stop)], default);
        Assert.Equal([-2 * 54.0 / 57, 0, -2, 0], results.Select(r => r.Score));
        Assert.True(Repetition.IsRepetitive(Of(round, FinishReason.Stop).Completion));
        Assert.False(Repetition.IsRepetitive(Of(straight, FinishReason.Stop).Completion));

        static Response Of(int[] tokens, FinishReason reason) => new(s_sum, "", new Completion(tokens, new float[tokens.Length], reason));
    }

    [Property(MaxTest = 200)]
    public bool The_share_of_repetition_counts_phrases(byte[] text, byte n)
    {
        int[] tokens = [.. text.Select(t => t % 3)];
        int length = n % 4 + 1;
        string[] phrases = [.. Enumerable.Range(0, Math.Max(tokens.Length - length + 1, 0)).Select(i => string.Join(',', tokens.Skip(i).Take(length)))];
        double expected = phrases.Length == 0 ? 0 : 1 - (double)phrases.Distinct().Count() / phrases.Length;
        return Math.Abs(Repetition.Share(tokens, length) - expected) < 1e-12;
    }

    private sealed class Given(string name, params double?[] scores) : IRewardFunction
    {
        public string Name => name;

        public async ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation)
        {
            await Task.Yield();
            return
            [
                .. scores.Select(s => new RewardResult(s, s is double score ? new Dictionary<string, double> { ["half"] = score / 2 } : null)),
            ];
        }
    }
}
