using FsCheck.Xunit;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Difficulty, mixture, filter, windows and remedies: pure functions of a state that a checkpoint keeps.</summary>
public sealed class CurriculumTests
{
    private static readonly DifficultyController s_difficulty = new();
    private static readonly LateStageRemedies s_remedies = new() { Steps = 4 };
    private static readonly StabilitySettings s_settings = new(int.MaxValue, CombinedLoss: false, MaxGradientNorm: 1, MaxImportanceWeight: 5);

    private static readonly WindowSchedule s_windows = new() { Stages = [new(100), new(200), new(300)], Steps = 4 };

    [Theory]
    [InlineData(1.0, 5, 4)]
    [InlineData(0.0, 8, 2)]
    public void A_level_changes_when_the_average_has_left_its_bounds(double passRate, int steps, int level)
    {
        DifficultyState state = s_difficulty.Start(["a", "b"], level: 3);
        for (int step = 1; step < steps; step++)
        {
            state = s_difficulty.Next(state, Outcomes("a", 3, passRate));
            Assert.Equal(3, state["a"].Level);
        }

        state = s_difficulty.Next(state, Outcomes("a", 3, passRate));
        Assert.Equal(new TaskDifficulty("a", level, 0.5), state["a"]);
        Assert.Equal(new TaskDifficulty("b", 3, 0.5), state["b"]);
    }

    [Fact]
    public void Rollouts_of_another_level_say_nothing()
    {
        DifficultyState state = s_difficulty.Start(["a"], level: 3);
        Assert.Equal(state.Tasks, s_difficulty.Next(state, Outcomes("a", 2, 1)).Tasks);
        Assert.Throws<KeyNotFoundException>(() => state["b"]);
    }

    [Fact]
    public void Levels_stay_within_their_bounds()
    {
        DifficultyState up = s_difficulty.Start(["a"]), down = up;
        for (int step = 0; step < 100; step++)
        {
            up = s_difficulty.Next(up, Outcomes("a", up["a"].Level, 1));
            down = s_difficulty.Next(down, Outcomes("a", down["a"].Level, 0));
        }

        Assert.Equal(10, up["a"].Level);
        Assert.Equal(1, down["a"].Level);
        Assert.InRange(up["a"].PassRate, 0.99, 1);
        Assert.InRange(down["a"].PassRate, 0, 0.01);
    }

    // Passes below its skill always, at it half the time, above it never: the level comes to the skill, however it grows.
    [Fact]
    public void Difficulty_follows_a_student()
    {
        DifficultyState state = s_difficulty.Start(["a"]);
        foreach (int skill in new[] { 3, 6, 9, 4 })
        {
            for (int step = 0; step < 80; step++)
            {
                int level = state["a"].Level;
                state = s_difficulty.Next(state, Outcomes("a", level, level < skill ? 1 : level > skill ? 0 : 0.5));
            }

            Assert.Equal(skill, state["a"].Level);
        }
    }

    [Fact]
    public void Tasks_that_are_solved_half_the_time_are_drawn_most()
    {
        var state = new DifficultyState([new("never", 1, 0), new("half", 1, 0.5), new("mostly", 1, 0.9)]);
        IReadOnlyList<double> weights = s_difficulty.Weights(state);
        Assert.Equal([0.05 / 0.39, 0.25 / 0.39, 0.09 / 0.39], weights.Select(w => Math.Round(w, 12)), (x, y) => Math.Abs(x - y) < 1e-9);
    }

    [Property(MaxTest = 50)]
    public bool A_resumed_controller_goes_on_as_if_it_had_not_stopped(bool[] passed)
    {
        DifficultyState undisturbed = s_difficulty.Start(["a", "b"], level: 5), resumed = undisturbed;
        foreach (bool pass in passed)
        {
            undisturbed = s_difficulty.Next(undisturbed, [new("a", undisturbed["a"].Level, pass), new("b", undisturbed["b"].Level, !pass)]);
            resumed = DifficultyState.FromJson(s_difficulty.Next(resumed, [new("a", resumed["a"].Level, pass), new("b", resumed["b"].Level, !pass)]).ToJson());
        }

        return undisturbed.Tasks.SequenceEqual(resumed.Tasks);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("[")]
    [InlineData("""{"tasks": null}""")]
    [InlineData("""{"tasks": [{"task": "a", "level": 1}]}""")]
    [InlineData("""{"tasks": [], "more": 1}""")]
    public void A_broken_state_is_refused(string json) => Assert.Throws<InvalidDataException>(() => DifficultyState.FromJson(json));

    [Fact]
    public void A_controller_that_could_not_work_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => (s_difficulty with { RaiseAbove = 0.4 }).Start(["a"]));
        Assert.Throws<ArgumentOutOfRangeException>(() => (s_difficulty with { Memory = 1 }).Start(["a"]));
        Assert.Throws<ArgumentOutOfRangeException>(() => s_difficulty.Start(["a"], level: 11));
    }

    [Fact]
    public void General_tasks_come_in_gradually()
    {
        var mixture = new TaskMixture([new("reasoning", 3), new("general", 1, Start: 10, Ramp: 4)]);
        Assert.Equal([1, 0], mixture.Weights(9));
        double[] shares = [.. Enumerable.Range(9, 8).Select(step => mixture.Weights(step)[1])];
        Assert.Equal(shares.Order(), shares);
        Assert.Equal(0.2 / 3.2, shares[1], 12);
        Assert.Equal(0.25, shares[^1], 12);
        Assert.Equal([0.6, 0.4], mixture.Weights(100, new Dictionary<string, double> { ["reasoning"] = 0.5 }));
    }

    [Fact]
    public void A_mixture_is_drawn_by_its_weights()
    {
        var mixture = new TaskMixture([new("a", 1), new("b", 2), new("late", 5, Start: 1), new("c", 1)]);
        var random = new SplitMix64(1);
        ILookup<string, MixturePart> drawn = Enumerable.Range(0, 4000).Select(_ => mixture.Pick(0, random)).ToLookup(p => p.Name);
        Assert.Empty(drawn["late"]);
        Assert.InRange(drawn["b"].Count(), 1900, 2100);
        Assert.InRange(drawn["c"].Count(), 900, 1100);
    }

    [Fact]
    public void A_mixture_needs_something_to_draw_from()
    {
        Assert.Throws<ArgumentException>(() => new TaskMixture([]));
        Assert.Throws<ArgumentException>(() => new TaskMixture([new("a", 1, Start: 5)]));
        Assert.Throws<ArgumentException>(() => new TaskMixture([new("a", 1), new("a", 2)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TaskMixture([new("a", 0)]));
        Assert.Throws<ArgumentException>(() => new TaskMixture([new("a", 1)]).Weights(0, new Dictionary<string, double> { ["a"] = 0 }));
    }

    [Fact]
    public void What_is_never_or_nearly_always_solved_is_dropped()
    {
        var filter = new PassRateFilter();
        Assert.Equal([1, 8], filter.Keep([(0, 0, 10), (1, 1, 10), (8, 8, 10), (9, 9, 10), (10, 10, 10)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => filter.Keeps(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => filter.Keeps(3, 2));
    }

    [Theory]
    [InlineData(2, 2, 95, 95, 1)]
    [InlineData(2, 2, 95, 50, 0)] // shorter than the window
    [InlineData(2, 4, 95, 95, 0)] // perplexity still changes
    [InlineData(4, 2, 95, 95, 0)]
    public void A_window_grows_when_both_triggers_fire(double perplexity, double lastPerplexity, double length, double lastLength, int stage)
    {
        WindowState state = s_windows.Start();
        for (int step = 0; step < 4; step++)
        {
            Assert.Equal(0, state.Stage);
            state = s_windows.Next(state, new(perplexity + (lastPerplexity - perplexity) * step / 3, length + (lastLength - length) * step / 3));
        }

        Assert.Equal(stage, state.Stage);
        Assert.Equal(stage == 1 ? 0 : 4, state.Recent.Count);
        Assert.Equal(lastPerplexity == perplexity, stage == 1 || s_windows.HasConverged(state));
        Assert.Equal(lastLength == length, stage == 1 || s_windows.NearsWindow(state));
    }

    [Fact]
    public void Windows_end_with_the_last_stage_and_survive_a_checkpoint()
    {
        WindowState state = s_windows.Start();
        List<int> changes = [];
        for (int step = 0; step < 20; step++)
        {
            WindowState next = WindowState.FromJson(s_windows.Next(state, new(2, s_windows.StageOf(state).Tokens)).ToJson());
            if (next.Stage > state.Stage)
            {
                changes.Add(step);
            }

            state = next;
        }

        Assert.Equal([3, 7], changes);
        Assert.Equal(2, state.Stage);
        Assert.Throws<ArgumentException>(() => (s_windows with { Stages = [new(1)] }).StageOf(state));
        Assert.Throws<ArgumentException>(() => (s_windows with { Stages = [new(2), new(1)] }).Start());
    }

    [Fact]
    public void A_perplexity_that_was_not_measured_converges_to_nothing()
    {
        WindowState state = s_windows.Start();
        for (int step = 0; step < 4; step++)
        {
            state = WindowState.FromJson(s_windows.Next(state, new(step == 1 ? double.NaN : 2, 100)).ToJson());
        }

        Assert.Equal(0, state.Stage);
    }

    [Fact]
    public void The_report_s_windows_end_with_less_that_is_easy_or_synthetic()
    {
        var schedule = new WindowSchedule();
        Assert.Equal([40_000, 48_000, 56_000, 64_000, 72_000, 80_000], schedule.Stages.Select(s => s.Tokens));
        Assert.Equal([0, 1, 1, 0], new[] { 0, 0.1, 0.8, 0.9 }.Select(schedule.Stages[0].Weight));
        Assert.Equal([0, 0.75, 0.5, 0], new[] { 0, 0.25, 0.5, 0.8 }.Select(schedule.Stages[^1].Weight));
        Assert.True(schedule.Stages[^1].SyntheticFactor < schedule.Stages[0].SyntheticFactor);
    }

    [Theory]
    [InlineData(0, 1, 0, 0)]
    [InlineData(1, 1, 0, 1)] // perplexity rises
    [InlineData(0, 3, 0, 1)] // garbled tails
    [InlineData(0, 1, 50, 1)] // negative responses grow
    [InlineData(-1, 1, -50, 0)]
    public void Each_sign_of_a_collapse_tightens_the_settings(double rise, double tail, double growth, int signs)
    {
        RemedyState state = s_remedies.Start(s_settings);
        for (int step = 0; step < 4; step++)
        {
            Assert.Equal(s_settings, state.Settings);
            state = RemedyState.FromJson(s_remedies.Next(state, new(4 + rise * step, tail, 100, 100 + growth * step)).ToJson());
        }

        Assert.Equal(signs == 0 ? s_settings : new StabilitySettings(3000, true, 0.5f, 3), state.Settings);
        Assert.Equal(signs == 0 ? 4 : 0, state.Recent.Count);
    }

    [Fact]
    public void Remedies_have_a_floor_and_wait_between_changes()
    {
        RemedyState state = s_remedies.Start(s_settings with { MaxGradientNorm = 0, MaxImportanceWeight = float.PositiveInfinity });
        List<StabilitySettings> settings = [];
        for (int step = 0; step < 40; step++)
        {
            state = s_remedies.Next(state, new(4, 3, double.NaN, double.NaN));
            if (state.Recent.Count == 0)
            {
                settings.Add(state.Settings);
            }
        }

        Assert.Equal(10, settings.Count);
        Assert.Equal([1, 0.5f, 0.25f, 0.125f, 0.1f, 0.1f], settings.Take(6).Select(s => s.MaxGradientNorm));
        Assert.Equal([5, 3, 2, 1.5f, 1.5f], settings.Take(5).Select(s => s.MaxImportanceWeight));
    }

    [Fact]
    public void Signs_are_told_in_words()
    {
        var state = new RemedyState(s_settings, [new(4, 3, 100, 100), new(5, 3, 100, 150), new(6, 3, 100, 200), new(7, 3, 100, 250)]);
        Assert.Equal(3, s_remedies.Signs(state).Count);
        Assert.Contains(s_remedies.Signs(state), s => s.Contains("3.0 times", StringComparison.Ordinal));
        Assert.Empty(s_remedies.Signs(state with { Recent = [.. state.Recent.Take(3)] }));
    }

    private static IEnumerable<TaskOutcome> Outcomes(string task, int level, double passRate) =>
        Enumerable.Range(0, 10).Select(i => new TaskOutcome(task, level, i < 10 * passRate));
}
