using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

public sealed class SplitTests
{
    private static readonly IReasoningTask[] MainJob =
        [.. new[] { "boolean_expressions", "dyck_language", "web_of_lies" }.Select(TaskRegistry.Get)];

    [Fact]
    public void Eight_in_ten_hashes_are_for_training_one_for_development_one_for_the_test()
    {
        var splits = Enumerable.Range(0, 20_000).Select(i => Splits.Of(Rng.Mix((ulong)i))).CountBy(split => split).ToDictionary();
        Assert.InRange(splits[Split.Train], 15_700, 16_300);
        Assert.InRange(splits[Split.Development], 1_800, 2_200);
        Assert.InRange(splits[Split.Test], 1_800, 2_200);
    }

    [Fact]
    public void The_main_jobs_levels_hold_enough_different_test_puzzles_and_training_shares_none()
    {
        var test = Splits.Distinct(MainJob, [1, 2, 3], 720, seed: 1, PromptStyle.Compact, Split.Test);
        var hashes = test.Select(instance => instance.CanonicalHash).ToHashSet();
        Assert.Equal(720, hashes.Count);
        Assert.All(MainJob, task => Assert.Equal(240, test.Count(instance => instance.Task == task.Name)));
        for (var seed = 0UL; seed < 3_000; seed++)
        {
            var trained = MainJob[seed % 3].Generate((int)(seed % 7 % 3) + 1, seed, PromptStyle.Compact, Split.Train);
            Assert.DoesNotContain(trained.CanonicalHash, hashes);
        }
    }

    [Fact]
    public void A_draw_from_a_split_is_determined_by_its_seed_and_lies_in_it()
    {
        foreach (var split in Enum.GetValues<Split>())
        {
            var (one, two) = (MainJob[0].Generate(2, 5, PromptStyle.Full, split), MainJob[0].Generate(2, 5, PromptStyle.Full, split));
            Assert.Equal(one.ToJsonLine(), two.ToJsonLine());
            Assert.Equal(split, one.Split);
        }
    }

    [Fact]
    public void Asking_for_more_puzzles_than_there_are_fails_with_the_number_found() =>
        Assert.Matches("Only [0-9]+ of 100000 different", Assert.Throws<InvalidOperationException>(
            () => Splits.Distinct([TaskRegistry.Get("game_of_24")], [1], 100_000, 1, PromptStyle.Compact, Split.Test)).Message);
}
