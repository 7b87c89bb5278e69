using FsCheck;
using FsCheck.Xunit;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

public sealed class RngTests
{
    [Fact]
    public void Mix_is_the_finaliser_of_splitmix64()
    {
        // The first outputs of splitmix64 from seed 0, as its authors publish them.
        const ulong Golden = 0x9E3779B97F4A7C15;
        Assert.Equal(0xE220A8397B1DCDAFUL, Rng.Mix(Golden));
        Assert.Equal(0x6E789E6AA1B965F4UL, Rng.Mix(unchecked(Golden * 2)));
        Assert.Equal(0x06C45D188009454FUL, Rng.Mix(unchecked(Golden * 3)));
    }

    [Fact]
    public void A_seed_gives_its_bits_for_ever()
    {
        var rng = new Rng(42);
        Assert.Equal("15780b2e0c2ec716 6104d9866d113a7e ae17533239e499a1", $"{rng.NextBits():x16} {rng.NextBits():x16} {rng.NextBits():x16}");
        Assert.Equal("1f1efd2e3be3e8fc", $"{Rng.Derive(7, "sudoku 3"):x16}");
    }

    [Property]
    public bool Numbers_stay_in_range(ulong seed, PositiveInt bound, short low, byte width)
    {
        var rng = new Rng(seed);
        var between = rng.Between(low, low + width);
        return rng.Below(bound.Get) is var below && below >= 0 && below < bound.Get && between >= low && between <= low + width;
    }

    [Property]
    public bool A_shuffle_keeps_what_is_there_and_a_sample_has_no_doubles(ulong seed, byte count)
    {
        var rng = new Rng(seed);
        var items = Enumerable.Range(0, count + 1).ToArray();
        rng.Shuffle(items.AsSpan());
        var sample = rng.Sample(items, (count / 2) + 1);
        return items.Order().SequenceEqual(Enumerable.Range(0, count + 1)) && sample.Distinct().Count() == (count / 2) + 1;
    }

    [Fact]
    public void Small_numbers_are_uniform()
    {
        var (rng, counts) = (new Rng(1), new int[6]);
        for (var i = 0; i < 60_000; i++)
            counts[rng.Below(6)]++;
        // Chi-square with 5 degrees of freedom; 20.5 has probability 0.001, and the seed is fixed.
        Assert.InRange(counts.Sum(count => Math.Pow(count - 10_000, 2) / 10_000), 0, 20.5);
    }
}
