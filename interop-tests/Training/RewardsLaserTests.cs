using FsCheck;
using FsCheck.Xunit;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Shaping by length: the table of rewards, the targets and what a checkpoint keeps of them.</summary>
public sealed class RewardsLaserTests
{
    // "right", "wrong" and anything else, which has no form; a prompt with other data is not judged.
    private static readonly ResponseJudge s_judge = (response, _) => ValueTask.FromResult<Judgement?>(response.Prompt.Data is null
        ? new Judgement(response.Text is "right" or "wrong", response.Text is "right" or "bare right")
        : null);

    private static Response Respond(RolloutPrompt prompt, string text, int length, FinishReason reason = FinishReason.Stop) =>
        RewardsRuleTests.Respond(prompt, text, length, reason);

    [Theory]
    [InlineData(LaserVariant.Laser, 1.5, 1, -0.5, -0.5, -1, -0.5)]
    [InlineData(LaserVariant.LaserD, 1.5, 1, -0.5, -0.5, -1, -0.5)]
    [InlineData(LaserVariant.LaserDE, 1.5, 1, -0.5, 0, -0.5, -0.5)]
    public async Task The_reward_is_a_step_at_the_target(
        LaserVariant variant, double rightShort, double rightLong, double wrongShort, double wrongLong, double formlessLong, double repetitiveLong)
    {
        var options = new LaserOptions { Variant = variant, MaxLength = 200, FixedTarget = 100 };
        var reward = new LaserReward(s_judge, options, new LaserTargets { Easy = 1, Medium = 100, Hard = 200 });
        var prompt = new RolloutPrompt([1]);
        IReadOnlyList<RewardResult> results = await reward.ScoreAsync(
            [
                Respond(prompt, "right", 100),
                Respond(prompt, "right", 101),
                Respond(prompt, "wrong", 100),
                Respond(prompt, "wrong", 101),
                Respond(prompt, "bare right", 101),
                Respond(prompt, "wrong", 101, FinishReason.Repetition),
                Respond(new RolloutPrompt([1], "other"), "right", 1),
            ],
            default);
        Assert.Equal([rightShort, rightLong, wrongShort, wrongLong, formlessLong, repetitiveLong, null], results.Select(r => r.Score));
        Assert.All(results.Take(6), r => Assert.Equal(100, r.Parts!["target"]));
        Assert.Equal((1, 0, 0.5), (results[0].Parts!["correct"], results[4].Parts!["format"], results[0].Parts!["length_bonus"]));
    }

    [Fact]
    public async Task Every_task_has_targets_of_its_own()
    {
        RolloutPrompt brackets = Puzzle("dyck_language", out string closed), people = Puzzle("web_of_lies", out string named), other = Puzzle("sudoku", out _);
        var options = new LaserOptions { MaxLength = 100, CandidateStep = 10 };
        var reward = new TaskLaserReward(["dyck_language", "web_of_lies"], options);
        Assert.True(reward.IsDue(0));
        await reward.UpdateAsync([Respond(brackets, closed, 9), Respond(people, named, 55), Respond(other, "", 3)]);
        Assert.Equal((10, 60), (reward.Targets["dyck_language"].Easy, reward.Targets["web_of_lies"].Easy));

        Response[] responses = [Respond(other, "", 3), Respond(brackets, closed, 20), Respond(people, named, 20)];
        double?[] scores = [.. (await reward.ScoreAsync(responses, default)).Select(r => r.Score)];
        Assert.Equal([null, 1, 1.5], scores);

        var resumed = new TaskLaserReward(["dyck_language", "web_of_lies"], options);
        resumed.Load(reward.Save());
        Assert.Equal(reward.Targets, resumed.Targets);
        Assert.Equal(reward.Targets, new TaskLaserReward(reward.Targets.Keys, options, reward.Targets).Targets);
        Assert.Contains("sudoku", Assert.Throws<InvalidDataException>(() => new TaskLaserReward(["sudoku"], options).Load(reward.Save())).Message, StringComparison.Ordinal);

        static RolloutPrompt Puzzle(string task, out string right)
        {
            TaskInstance instance = TaskRegistry.Get(task).Generate(1, 1, PromptStyle.Compact);
            right = TaskRegistry.Get(task).Demonstrate(instance);
            return new RolloutPrompt([1], instance);
        }
    }

    [Theory]
    [InlineData(3, 0, 10)]
    [InlineData(2, 1, 10)]
    [InlineData(1, 2, 20)]
    [InlineData(3, 5, 20)]
    [InlineData(2, 5, 30)]
    [InlineData(0, 1, 30)]
    public async Task Difficulty_comes_from_the_group_and_groups_from_the_prompt_itself(int right, int wrong, double target)
    {
        var reward = new LaserReward(s_judge, new LaserOptions { MaxLength = 30 }, new LaserTargets { Easy = 10, Medium = 20, Hard = 30 });
        int[] tokens = [1];
        RolloutPrompt prompt = new(tokens), twin = new(tokens);
        Response[] group = [.. Enumerable.Range(0, right + wrong).Select(i => Respond(prompt, i < right ? "right" : "wrong", 5))];
        IReadOnlyList<RewardResult> results = await reward.ScoreAsync([Respond(twin, "right", 5), .. group, Respond(twin, "right", 5)], default);
        Assert.All(results.Skip(1).SkipLast(1), r => Assert.Equal(target, r.Parts!["target"]));
        Assert.Equal((10, 10), (results[0].Parts!["target"], results[^1].Parts!["target"]));
    }

    [Fact]
    public async Task Targets_follow_the_monitoring_set()
    {
        var options = new LaserOptions { MaxLength = 100, CandidateStep = 8 };
        var reward = new LaserReward(s_judge, options);
        Assert.Equal(LaserTargets.Unlimited(100), reward.Targets);
        Assert.Equal([0, 20, 40], Enumerable.Range(0, 60).Where(reward.IsDue));

        // Easy: of 10 responses a fifth has to fit, that is 2 of 10. Medium: half of 4. Hard: all.
        RolloutPrompt easy = new([1]), medium = new([2]), hard = new([3]), other = new([4], "not judged");
        await reward.UpdateAsync(
            [
                .. new[] { 40, 9, 50, 60, 16, 70, 80, 90, 90, 90 }.Select(length => Respond(easy, "right", length)),
                Respond(other, "right", 1),
                Respond(medium, "right", 30),
                Respond(medium, "right", 20),
                Respond(medium, "wrong", 25),
                Respond(medium, "wrong", 35),
                Respond(hard, "wrong", 41),
                Respond(hard, "wrong", 3),
            ]);
        Assert.Equal(new LaserTargets { Easy = 16, Medium = 32, Hard = 48 }, reward.Targets);

        // What the set no longer holds keeps its target; the limit is a candidate of its own.
        await reward.UpdateAsync([Respond(hard, "wrong", 98)]);
        Assert.Equal(new LaserTargets { Easy = 16, Medium = 32, Hard = 100 }, reward.Targets);
        await Assert.ThrowsAsync<ArgumentException>(() => reward.UpdateAsync([Respond(hard, "wrong", 101)]));
    }

    [Property(MaxTest = 200)]
    public bool A_target_is_the_smallest_candidate_that_promises_a_right_answer(PositiveInt step, byte[] lengths, byte passed, PositiveInt size)
    {
        if (lengths.Length == 0)
        {
            return true;
        }

        int right = passed % (lengths.Length + 1);
        var options = new LaserOptions { MaxLength = 255, CandidateStep = step.Get, GroupSize = size.Get };
        LengthSample[] group = [.. lengths.Select((length, i) => new LengthSample(length, i < right))];
        LaserDifficulty difficulty = LaserTargets.DifficultyOf(right, lengths.Length);
        int promised = difficulty switch { LaserDifficulty.Easy => size.Get * 2 / 3, LaserDifficulty.Medium => size.Get / 3, _ => 1 };
        IEnumerable<int> candidates = Enumerable.Range(1, 255).Select(i => i * (long)step.Get).Where(c => c < 255).Select(c => (int)c).Append(255);
        int expected = candidates.First(c => (long)lengths.Count(length => length <= c) * Math.Max(promised, 1) >= lengths.Length);
        return LaserTargets.Unlimited(255).Update([group], options)[difficulty] == expected;
    }

    [Fact]
    public void The_papers_group_of_eight_promises_five_two_and_one()
    {
        // Of 10 responses 2, 5 and 10 have to fit; the lengths are 1 to 10 and so the targets.
        LaserTargets targets = LaserTargets.Unlimited(10).Update(
            [Group(10), Group(5), Group(0)], new LaserOptions { MaxLength = 10, CandidateStep = 1 });
        Assert.Equal(new LaserTargets { Easy = 2, Medium = 5, Hard = 10 }, targets);

        static LengthSample[] Group(int right) => [.. Enumerable.Range(0, 10).Select(i => new LengthSample(i + 1, i < right))];
    }

    [Fact]
    public async Task A_resumed_run_scores_as_the_one_that_was_saved()
    {
        var options = new LaserOptions { MaxLength = 64, CandidateStep = 4 };
        var first = new LaserReward(s_judge, options);
        var prompt = new RolloutPrompt([1]);
        await first.UpdateAsync([Respond(prompt, "right", 11), Respond(prompt, "right", 60)]);
        var resumed = new LaserReward(s_judge, options, LaserTargets.FromJson(first.Targets.ToJson()));
        Assert.Equal(first.Targets, resumed.Targets);
        Response[] responses = [.. Enumerable.Range(1, 64).Select(length => Respond(prompt, "right", length))];
        Assert.Equal(
            (await first.ScoreAsync(responses, default)).Select(r => r.Score), (await resumed.ScoreAsync(responses, default)).Select(r => r.Score));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{"Easy":1,"Medium":0,"Hard":3}""")]
    public void A_broken_state_is_refused_and_quoted(string json) =>
        Assert.Contains(json, Assert.Throws<InvalidDataException>(() => LaserTargets.FromJson(json)).Message, StringComparison.Ordinal);

    [Fact]
    public void Options_that_make_no_sense_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new LaserReward(s_judge, new LaserOptions { MaxLength = 10, CandidateStep = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LaserReward(s_judge, new LaserOptions { MaxLength = 10, Variant = LaserVariant.Laser }));
    }
}
