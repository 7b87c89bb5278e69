using System.Globalization;
using System.Text.RegularExpressions;
using FsCheck.Xunit;
using Microsoft.Extensions.AI;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Tournaments of answers before a judge that goes by their numbers: the greater the better.</summary>
public sealed partial class RewardsSwissTests
{
    private static string Answer(int strength) => $"<think>answer 1000</think> answer {strength}";

    private static Task<SwissStandings> PlayAsync(IEnumerable<int> strengths, Func<int, int, int> compare) =>
        new SwissRounds(new Judge(compare)).PlayAsync("Which?", [.. strengths.Select(Answer)]);

    private static SwissStandings Play(IEnumerable<int> strengths, Func<int, int, int> compare) => PlayAsync(strengths, compare).GetAwaiter().GetResult();

    // Not the same in both positions, and not the same for the other pair of the same distance: a hash of the seed and both numbers.
    private static Func<int, int, int> Noise(ulong seed, int outOf) => (first, second) =>
        new SplitMix64(seed + ((ulong)first * 1000) + (ulong)second).NextDouble() * outOf < 1 ? -first.CompareTo(second) : first.CompareTo(second);

    [Property(MaxTest = 200)]
    public bool With_a_judge_who_knows_the_order_the_best_wins_all_its_rounds(byte count, ulong seed)
    {
        int n = count % 33 + 1;
        int[] strengths = [.. Enumerable.Range(1, n)];
        new MiniMaxSharp.Tasks.Rng(seed).Shuffle<int>(strengths);
        SwissStandings standings = Play(strengths, (first, second) => first.CompareTo(second));
        int rounds = (int)Math.Ceiling(Math.Log2(n));
        return strengths[standings.Best] == n && standings.Points[standings.Best] == rounds
            && standings.Pairings.Select(p => p.Round).Distinct().SequenceEqual(Enumerable.Range(1, rounds));
    }

    [Property(MaxTest = 200)]
    public bool Whatever_the_verdicts_all_play_each_round_and_no_pair_twice(byte count, ulong seed)
    {
        int n = count % 20 + 1;
        SwissStandings standings = Play(Enumerable.Range(1, n), Noise(seed, 2));
        IEnumerable<(int, int)> pairs = standings.Pairings.Select(p => (Math.Min(p.First, p.Second ?? p.First), Math.Max(p.First, p.Second ?? p.First)));
        return pairs.Distinct().Count() == standings.Pairings.Count
            && standings.Pairings.GroupBy(p => p.Round).All(round =>
                round.SelectMany(p => p.Second is int second ? new[] { p.First, second } : [p.First]).Order().SequenceEqual(Enumerable.Range(0, n))
                && round.Count(p => p.Second is null) == n % 2)
            && standings.Points.Sum() == standings.Pairings.Count
            && standings.Ranking.Order().SequenceEqual(Enumerable.Range(0, n));
    }

    [Fact]
    public async Task A_noisy_judge_finds_a_good_answer_more_often_than_chance_and_the_same_one_again()
    {
        int good = 0;
        for (ulong seed = 0; seed < 40; seed++)
        {
            SwissStandings standings = await PlayAsync(Enumerable.Range(1, 16), Noise(seed * 1_000_000, 10)), again = await PlayAsync(Enumerable.Range(1, 16), Noise(seed * 1_000_000, 10));
            Assert.Equal(standings.Pairings, again.Pairings);
            good += standings.Best >= 12 ? 1 : 0;
        }

        Assert.InRange(good, 30, 40);
    }

    [Fact]
    public async Task The_course_of_three_answers_is_as_documented()
    {
        SwissStandings standings = await PlayAsync([2, 3, 1], (first, second) => first.CompareTo(second));
        Assert.Equal([new(1, 0, 1, -1), new(1, 2, null, 1), new(2, 1, 2, 1), new(2, 0, null, 1)], standings.Pairings);
        Assert.Equal([1, 2, 1], standings.Points);
        Assert.Equal([1, 0, 2], standings.Ranking);
    }

    [Fact]
    public async Task Ties_and_verdicts_that_depend_on_the_position_are_half_a_point_each_and_leave_the_order_given()
    {
        foreach (Func<int, int, int> compare in new Func<int, int, int>[] { (_, _) => 0, (_, _) => 1 })
        {
            SwissStandings standings = await PlayAsync([5, 9, 7, 1], compare);
            Assert.Equal([1, 1, 1, 1], standings.Points);
            Assert.Equal([0, 1, 2, 3], standings.Ranking);
        }
    }

    [Fact]
    public async Task One_answer_wins_unasked_and_none_cannot()
    {
        SwissStandings alone = await PlayAsync([3], (_, _) => throw new InvalidOperationException("asked"));
        Assert.Equal((0, 0), (alone.Best, alone.Pairings.Count));
        await Assert.ThrowsAsync<ArgumentException>(() => PlayAsync([], (_, _) => 0));
    }

    private sealed partial class Judge(Func<int, int, int> compare) : IChatClient
    {
        public async Task<ChatResponse> GetResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
        {
            await Task.Yield();
            int[] strengths = [.. Strength().Matches(messages.Single().Text).Select(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture))];
            Assert.Equal(2, strengths.Length);
            return new ChatResponse(new ChatMessage(ChatRole.Assistant, $"Verdict: {compare(strengths[0], strengths[1]) switch { > 0 => "A", < 0 => "B", _ => "tie" }}"));
        }

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            throw new InvalidOperationException("A judge is not read as a stream.");

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }

        [GeneratedRegex(@"\banswer (\d+)")]
        private static partial Regex Strength();
    }
}
