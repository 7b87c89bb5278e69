using FsCheck;
using FsCheck.Xunit;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>The methods as settings of one loss: which gradients are equal, and which tokens lose theirs.</summary>
public sealed class PolicyObjectiveTests
{
    [Property(MaxTest = 50)]
    public void Cispo_without_a_cap_has_the_gradient_of_reinforce(int seed)
    {
        Tokens tokens = Tokens.Random(seed);
        (double loss, float[] gradient) = tokens.Evaluate(PolicyObjective.Cispo(float.PositiveInfinity));
        (double other, float[] same) = tokens.Evaluate(PolicyObjective.Reinforce());
        Assert.Equal(other, loss);
        Assert.Equal(same, gradient);
    }

    [Property(MaxTest = 50)]
    public void No_token_loses_its_gradient_in_cispo(int seed)
    {
        float[] gradient = Tokens.Random(seed).Evaluate(PolicyObjective.Cispo(1.1f)).Gradient;
        Assert.All(gradient, g => Assert.NotEqual(0, g));
    }

    [Property(MaxTest = 50)]
    public void In_grpo_and_dapo_those_lose_it_that_went_far_enough(int seed)
    {
        Tokens tokens = Tokens.Random(seed);
        Assert.Equal(tokens.Beyond(0.2f, 0.2f), Lost(PolicyObjective.Grpo()));
        Assert.Equal(tokens.Beyond(0.2f, 0.28f), Lost(PolicyObjective.Dapo()));
        Assert.Equal(tokens.Beyond(0.2f, 0.2f), Lost(PolicyObjective.Ppo()));
        // The first token is far off by construction.
        Assert.True(Lost(PolicyObjective.Grpo())[0]);

        bool[] Lost(PolicyObjective objective) => [.. tokens.Evaluate(objective).Gradient.Select(g => g == 0)];
    }

    [Theory]
    [InlineData(KlEstimator.K1)]
    [InlineData(KlEstimator.K2)]
    [InlineData(KlEstimator.K3)]
    public void An_estimate_has_the_slope_of_its_value(KlEstimator estimator)
    {
        foreach (float logp in new[] { -3f, -1f, -0.5f })
        {
            double slope = (KlPenalty.Of(estimator, logp + 0.0625f, -1).Value - KlPenalty.Of(estimator, logp - 0.0625f, -1).Value) / 0.125;
            Assert.Equal(slope, KlPenalty.Of(estimator, logp, -1).Slope, 0.02);
        }
    }

    [Fact]
    public void K1_and_k3_are_the_divergence_on_average_and_so_is_the_slope_of_k2()
    {
        // p is softmax(θ) of two tokens: KL and its derivative by θ are known.
        double p = 0.3, q = 0.6;
        double kl = p * Math.Log(p / q) + (1 - p) * Math.Log((1 - p) / (1 - q));
        Assert.Equal(kl, Mean(KlEstimator.K1, (v, _, _) => v), 1e-6);
        Assert.Equal(kl, Mean(KlEstimator.K3, (v, _, _) => v), 1e-6);
        double slope = p * (1 - p) * (Math.Log(p / q) - Math.Log((1 - p) / (1 - q)));
        Assert.Equal(slope, Mean(KlEstimator.K2, (_, s, dlogp) => s * dlogp), 1e-6);
        Assert.Equal(0, Mean(KlEstimator.K1, (_, s, dlogp) => s * dlogp), 1e-6);

        double Mean(KlEstimator estimator, Func<double, double, double, double> of)
        {
            (double v, double s) = KlPenalty.Of(estimator, (float)Math.Log(p), (float)Math.Log(q));
            (double w, double t) = KlPenalty.Of(estimator, (float)Math.Log(1 - p), (float)Math.Log(1 - q));
            return p * of(v, s, 1 - p) + (1 - p) * of(w, t, -p);
        }
    }

    [Theory]
    [InlineData(RolloutCorrection.None, 4, 1)]
    [InlineData(RolloutCorrection.Truncated, 1.5, 1.5)]
    [InlineData(RolloutCorrection.Truncated, 4, 2)]
    [InlineData(RolloutCorrection.Truncated, 0.25, 0.25)]
    [InlineData(RolloutCorrection.Masked, 1.5, 1.5)]
    [InlineData(RolloutCorrection.Masked, 0.6, 0.6)]
    [InlineData(RolloutCorrection.Masked, 4, 0)]
    [InlineData(RolloutCorrection.Masked, 0.25, 0)]
    public void A_correction_bounds_the_ratio(RolloutCorrection correction, double ratio, double factor) =>
        Assert.Equal(factor, CorrectionFactor.Of(correction, -1, (float)(-1 - Math.Log(ratio)), 2), 1e-5);

    [Property(MaxTest = 100)]
    public void Combined_is_the_share_of_each(PositiveInt[] lengths, byte share)
    {
        if (lengths.Length == 0)
        {
            return;
        }

        float token = share / 255f;
        (int, int)[] responses = [.. lengths.Select((l, i) => (i / 3, l.Get))];
        float[] combined = Aggregation.TokenWeights(LossAggregation.Combined, responses, token);
        float[] tokens = Aggregation.TokenWeights(LossAggregation.BatchToken, responses);
        float[] samples = Aggregation.TokenWeights(LossAggregation.Sample, responses);
        Assert.All(combined, (w, i) => Assert.Equal(token * tokens[i] + (1 - token) * samples[i], w, 1e-6f));
    }

    [Fact]
    public void Settings_that_make_no_sense_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => (PolicyObjective.Cispo() with { EntropyWeight = -1 }).Validate());
        Assert.Throws<ArgumentOutOfRangeException>(() => (PolicyObjective.Cispo() with { TokenShare = 1.5f }).Validate());
        Assert.Throws<ArgumentOutOfRangeException>(() => PolicyObjective.Ppo(-0.1f).Validate());
    }

    /// <summary>Tokens with ratios of 1/e to e, none near a bound of a clip.</summary>
    private sealed record Tokens(float[] Now, float[] Old, float[] Advantage)
    {
        public static Tokens Random(int seed)
        {
            var random = new SplitMix64((ulong)seed);
            float[] now = [.. Enumerable.Range(0, 40).Select(_ => -0.1f - random.Below(100) * 0.03f)];
            float[] ratios = [2.7f, .. Enumerable.Range(1, 39).Select(_ => 0.37f + random.Below(20) * 0.11f)];
            float[] advantage = [1, .. Enumerable.Range(1, 39).Select(_ => (random.Below(2) == 0 ? -1 : 1) * (0.25f + random.Below(8)))];
            return new Tokens(now, [.. now.Zip(ratios, (l, r) => l - MathF.Log(r))], advantage);
        }

        public (double Loss, float[] Gradient) Evaluate(PolicyObjective objective)
        {
            using Device device = Device.Cpu();
            float[] weights = Aggregation.TokenWeights(LossAggregation.BatchToken, [(0, Now.Length)]);
            (double loss, float[] gradient, _, _) = PolicyLoss.Evaluate(device, objective, Now, Old, Advantage, weights);
            return (loss, gradient);
        }

        public bool[] Beyond(float low, float high) =>
            [.. Now.Select((l, i) => MathF.Exp(l - Old[i]) is var r && (Advantage[i] > 0 ? r > 1 + high : r < 1 - low))];
    }
}
