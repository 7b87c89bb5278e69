using FsCheck;
using FsCheck.Xunit;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Rewards that hold another one within a range or on a scale.</summary>
public sealed class RewardsRangeTests
{
    private static readonly Response s_response = RewardsRuleTests.Respond(new RolloutPrompt([1]), "");

    private static async Task<IReadOnlyList<RewardResult>> ScoreAsync(IRewardFunction reward) => await reward.ScoreAsync([s_response], default);

    [Fact]
    public async Task Clipping_holds_scores_in_the_range_and_says_where_it_did()
    {
        IReadOnlyList<RewardResult> results = await ScoreAsync(new ClippedReward(new Given(-3, -1, 0.5, 2, double.PositiveInfinity, null), -1, 2));
        Assert.Equal([-1, -1, 0.5, 2, 2, null], results.Select(r => r.Score));
        Assert.Equal([1, 0, 0, 0, 1], results.Take(5).Select(r => r.Parts!["clipped"]));
        Assert.Equal((0.25, "given"), (results[2].Parts!["half"], new ClippedReward(new Given(), 0, 1).Name));
        Assert.Null(results[5].Parts);
    }

    [Fact]
    public async Task A_range_that_is_none_and_a_score_that_is_no_number_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new ClippedReward(new Given(), 1, 1));
        Assert.Contains("'given'", Assert.Throws<ArgumentException>(() => new ClippedReward(new Given(), double.NaN, 1)).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => ScoreAsync(new ClippedReward(new Given(double.NaN), 0, 1)));
    }

    [Fact]
    public async Task Scores_are_measured_by_those_of_the_steps_before()
    {
        var reward = new NormalizedReward(new Given(1, 3, null, 5, 7));
        IReadOnlyList<RewardResult> first = await ScoreAsync(reward);
        Assert.Equal([1, 3, null, 5, 7], first.Select(r => r.Score));
        reward.Update(first);
        Assert.Equal((4, 4, Math.Sqrt(5)), (reward.Moments.Count, reward.Moments.Mean, reward.Moments.Deviation));

        IReadOnlyList<RewardResult> second = await ScoreAsync(reward), again = await ScoreAsync(reward);
        Assert.Equal([-3 / Math.Sqrt(5), -1 / Math.Sqrt(5), null, 1 / Math.Sqrt(5), 3 / Math.Sqrt(5)], second.Select(r => r.Score));
        Assert.Equal(second.Select(r => r.Score), again.Select(r => r.Score));
        Assert.Equal((7, 3.5, "given"), (second[4].Parts!["raw"], second[4].Parts!["half"], reward.Name));

        // What counts is the score itself, not the normalised one.
        reward.Update(second);
        Assert.Equal((8, 4), (reward.Moments.Count, reward.Moments.Mean));
    }

    [Fact]
    public async Task Scores_that_are_all_alike_are_only_shifted()
    {
        var reward = new NormalizedReward(new Given(2, 2));
        reward.Update(await ScoreAsync(reward));
        Assert.Equal([0, 0], (await ScoreAsync(reward)).Select(r => r.Score));
        Assert.Equal([0.5], (await ScoreAsync(new NormalizedReward(new Given(2.5), reward.Moments))).Select(r => r.Score));
    }

    [Property(MaxTest = 100)]
    public bool Moments_are_those_of_all_scores_however_they_came_and_survive_a_checkpoint_to_the_bit(NormalFloat[] scores, byte at)
    {
        double[] values = [.. scores.Select(s => s.Get % 1000)];
        int cut = values.Length == 0 ? 0 : at % values.Length;
        RewardMoments part = RewardMoments.None.With(values[..cut]), whole = RewardMoments.None.With(values);
        double mean = values.Length == 0 ? 0 : values.Average(), deviation = values.Length == 0 ? 0 : Math.Sqrt(values.Average(v => (v - mean) * (v - mean)));
        return RewardMoments.FromJson(part.ToJson()) == part && RewardMoments.FromJson(part.ToJson()).With(values[cut..]) == whole
            && whole.Count == values.Length && Math.Abs(whole.Mean - mean) < 1e-9 && Math.Abs(whole.Deviation - deviation) < 1e-6;
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"Count":-1,"Mean":0,"SquaredDeviations":0}""")]
    [InlineData("""{"Count":1,"Mean":0,"SquaredDeviations":-1}""")]
    [InlineData("""{"Count":1,"Mean":"x","SquaredDeviations":1}""")]
    public void What_is_no_state_is_refused(string json) => Assert.Throws<InvalidDataException>(() => RewardMoments.FromJson(json));

    [Fact]
    public void A_score_that_is_not_finite_is_not_taken_in() => Assert.Throws<ArgumentException>(() => RewardMoments.None.With([1, double.NaN]));

    private sealed class Given(params double?[] scores) : IRewardFunction
    {
        public string Name => "given";

        public ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation) =>
            ValueTask.FromResult<IReadOnlyList<RewardResult>>(
                [.. scores.Select(s => new RewardResult(s, s is double score ? new Dictionary<string, double> { ["half"] = score / 2 } : null))]);
    }
}
