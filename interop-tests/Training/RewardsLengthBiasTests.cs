using FsCheck.Xunit;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>A reward that pays for length itself is noticed; one that pays for what length brings is not.</summary>
public sealed class RewardsLengthBiasTests
{
    private static readonly LengthBiasOptions s_options = new() { Window = 400, MinSamples = 100 };

    private static IEnumerable<LengthObservation> Observations(ulong seed, int count, Func<int, bool, double, double> reward)
    {
        // Longer responses are right more often, so that length and reward go together even for an honest judge.
        var random = new SplitMix64(seed);
        for (int i = 0; i < count; i++)
        {
            int length = 100 + random.Below(900);
            bool correct = random.NextDouble() * 1000 < length;
            yield return new LengthObservation(length, reward(length, correct, random.NextDouble()), correct);
        }
    }

    private static double Honest(int length, bool correct, double noise) => (correct ? 1 : 0) + 0.2 * noise;

    private static double Biased(int length, bool correct, double noise) => (correct ? 1 : 0) + 0.2 * noise + length / 500.0;

    [Property(MaxTest = 20)]
    public bool Only_a_biased_reward_raises_the_event(ulong seed)
    {
        (LengthBiasReading honest, int quiet) = Watch(Honest);
        (LengthBiasReading biased, int raised) = Watch(Biased);
        return quiet == 0 && raised == 1 && Math.Abs(honest.Correlation) < 0.2 && biased.Correlation > 0.8 && biased.ExcessSlope > honest.ExcessSlope;

        (LengthBiasReading, int) Watch(Func<int, bool, double, double> reward)
        {
            var monitor = new LengthBiasMonitor(s_options);
            int events = 0;
            monitor.BiasDetected += (_, _) => events++;
            return (monitor.Observe(Observations(seed, 400, reward)), events);
        }
    }

    [Fact]
    public void The_event_comes_again_only_after_the_bias_has_gone()
    {
        var monitor = new LengthBiasMonitor(s_options);
        var raised = new List<LengthBiasReading>();
        monitor.BiasDetected += (_, reading) => raised.Add(reading);
        monitor.Observe(Observations(1, 99, Biased));
        Assert.Empty(raised);
        monitor.Observe(Observations(2, 1, Biased));
        monitor.Observe(Observations(3, 100, Biased));
        Assert.Equal(100, Assert.Single(raised).Samples);
        monitor.Observe(Observations(4, 400, Honest));
        monitor.Observe(Observations(5, 400, Biased));
        Assert.Equal([100, 400], raised.Select(r => r.Samples));
    }

    [Fact]
    public void Without_known_correctness_the_correlation_is_plain()
    {
        var monitor = new LengthBiasMonitor(s_options);
        LengthBiasReading reading = monitor.Observe(Enumerable.Range(0, 200).Select(i => new LengthObservation(i, 3 * i)));
        Assert.Equal((1, 0), (Math.Round(reading.Correlation, 9), reading.ExcessSlope));
        Assert.Equal(0, new LengthBiasMonitor(s_options).Observe([new LengthObservation(5, 1)]).Correlation);
    }

    [Fact]
    public void A_resumed_monitor_reads_the_same_and_does_not_raise_again()
    {
        var first = new LengthBiasMonitor(s_options);
        first.Observe(Observations(1, 300, Biased));
        var resumed = new LengthBiasMonitor(s_options, first.ToJson());
        resumed.BiasDetected += (_, _) => Assert.Fail("raised twice");
        Assert.Equal(first.Observe(Observations(2, 200, Biased)), resumed.Observe(Observations(2, 200, Biased)));
        Assert.Equal(first.ToJson(), resumed.ToJson());
    }

    [Fact]
    public void Nonsense_is_refused()
    {
        Assert.Throws<ArgumentException>(() => new LengthBiasMonitor(s_options).Observe([new LengthObservation(1, double.NaN)]));
        Assert.Throws<InvalidDataException>(() => new LengthBiasMonitor(s_options, "{"));
        Assert.Throws<InvalidDataException>(() => new LengthBiasMonitor(
            new LengthBiasOptions { Window = 3, MinSamples = 3 }, """{"Window":[{"Length":1,"Reward":1},{"Length":1,"Reward":1},{"Length":1,"Reward":1},{"Length":1,"Reward":1}]}"""));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LengthBiasMonitor(new LengthBiasOptions { Window = 10, MinSamples = 20 }));
    }
}
