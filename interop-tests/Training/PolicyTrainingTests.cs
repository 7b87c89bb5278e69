using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>What the settings of the policy trainer do to an update, on rollouts whose rewards are made up.</summary>
public sealed class PolicyTrainingTests
{
    // π_old / π_sampler is the ratio that the sampler's log-probabilities are shifted by.
    [Theory]
    [Devices(RolloutCorrection.Truncated, 1.5, 1.5)]
    [Devices(RolloutCorrection.Truncated, 4.0, 2.0)]
    [Devices(RolloutCorrection.Masked, 1.5, 1.5)]
    [Devices(RolloutCorrection.Masked, 4.0, 0.0)]
    public async Task A_correction_multiplies_the_gradient_by_its_factor(string on, RolloutCorrection correction, double ratio, double factor)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device);
        RolloutBatch batch = await RollOut(model, s_options);
        RolloutBatch shifted = Each(batch, r => WithCompletion(r, r.Response.Completion with
        {
            LogProbabilities = [.. r.Response.Completion.LogProbabilities.Select(l => l - (float)Math.Log(ratio))],
        }));
        double plain = Norm(batch, s_options), corrected = Norm(shifted, s_options with { Correction = correction });
        Assert.Equal(factor * plain, corrected, 1e-3 * plain);

        double Norm(RolloutBatch rollouts, PolicyOptions options)
        {
            using MiniMaxForCausalLM copy = Model(device);
            return Train(copy, rollouts, options).GradientNorm;
        }
    }

    [Theory]
    [Devices]
    public async Task Responses_cut_by_their_length_are_as_if_they_were_not_there(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device);
        // None of them ended by itself; every third is made to have been cut.
        int number = 0;
        RolloutBatch batch = Each(await RollOut(model, s_options), r =>
            WithCompletion(r, r.Response.Completion with { Reason = number++ % 3 == 0 ? FinishReason.Length : FinishReason.Stop }));
        var without = new RolloutBatch(
            batch.Groups, [.. batch.Informative.Select(g => g.Where(r => r.Response.Completion.Reason != FinishReason.Length).ToArray())], 0);
        PolicyOptions masked = s_options with { MaskTruncated = true };
        Assert.Equal(Trained(without, s_options), Trained(batch, masked));
        Assert.NotEqual(Trained(batch, s_options), Trained(batch, masked));

        RolloutBatch cut = Each(batch, r => WithCompletion(r, r.Response.Completion with { Reason = FinishReason.Length }));
        Assert.Equal(0, Train(model, cut, masked).Updates);

        float[] Trained(RolloutBatch rollouts, PolicyOptions options)
        {
            using MiniMaxForCausalLM copy = Model(device);
            Train(copy, rollouts, options);
            return Weights(copy);
        }
    }

    [Theory]
    [Devices(KlEstimator.K2)]
    [Devices(KlEstimator.K3)]
    public async Task A_penalty_draws_the_policy_to_its_reference(string on, KlEstimator estimator)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device), reference = Model(device, seed: 2), twin = Model(device);
        PolicyOptions options = s_options with { Objective = s_options.Objective with { KlWeight = 1, KlEstimator = estimator } };
        // Without advantages the penalty is all there is.
        RolloutBatch batch = Each(await RollOut(model, s_options), r => r with { Advantage = 0 });
        PolicyStep still = Train(model, batch, options, twin);
        Assert.Equal(0, still.Kl, 1e-6);
        Assert.Equal(0, still.GradientNorm, 1e-4);

        using MiniMaxForCausalLM moved = Model(device);
        using var optimizer = new AdamW(moved.Parameters);
        var trainer = new PolicyTrainer(moved, optimizer, _ => "", new MadeUp(), options, reference);
        double[] divergence = [.. Enumerable.Range(0, 10).Select(step => trainer.Train(batch, 0, 1).Kl)];
        Assert.True(divergence[^1] < 0.8 * divergence[0], string.Join(' ', divergence));
    }

    [Fact]
    public void A_penalty_without_a_reference_is_refused()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        using var optimizer = new AdamW(model.Parameters);
        Assert.Throws<ArgumentException>(() => new PolicyTrainer(
            model, optimizer, _ => "", new MadeUp(), s_options with { Objective = PolicyObjective.Grpo(klWeight: 0.1f) }));
    }

    [Theory]
    [Devices]
    public async Task An_entropy_bonus_raises_the_entropy(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device);
        RolloutBatch batch = Each(await RollOut(model, s_options), r => r with { Advantage = 0 });
        using var optimizer = new AdamW(model.Parameters);
        var trainer = new PolicyTrainer(
            model, optimizer, _ => "", new MadeUp(), s_options with { Objective = s_options.Objective with { EntropyWeight = 1 } });
        double[] entropy = [.. Enumerable.Range(0, 5).Select(step => trainer.Train(batch, 0, 1).Entropy)];
        Assert.True(entropy[^1] > entropy[0] + 0.05, string.Join(' ', entropy));
    }

    // The clipped surrogate is differentiated as it is, no ratio near a bound; replayed, because a step to other experts would be no slope.
    [Theory]
    [Devices(KlEstimator.K1)]
    [Devices(KlEstimator.K2)]
    [Devices(KlEstimator.K3)]
    public async Task The_whole_loss_has_the_slope_of_its_gradient(string on, KlEstimator estimator)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device), reference = Model(device, seed: 2);
        PolicyOptions options = s_options with
        {
            Objective = PolicyObjective.Grpo(0.5f, klWeight: 0.5f) with { KlEstimator = estimator, EntropyWeight = 0.25f, Aggregation = LossAggregation.Combined },
            ReplayRouting = true,
        };
        RolloutBatch batch = await RollOut(model, options);
        FrozenRollout[] rollouts = FrozenRollout.Freeze([.. batch.Groups.SelectMany(g => g)], options, model, reference);
        var gradient = new PolicyGradient(model, options);
        Slopes.Check(model.Parameters, () => gradient.Add(rollouts, new StepTotals()));
    }

    private static readonly PolicyOptions s_options = new()
    {
        Objective = PolicyObjective.Reinforce(),
        GroupSize = 4,
        PromptsPerUpdate = 4,
        AuxiliaryLossWeight = 0,
        LearningRate = new LearningRateSchedule(3e-3f, 10),
        Generation = new GenerationOptions { MaxNewTokens = 6 },
    };

    private static MiniMaxForCausalLM Model(Device device, ulong seed = 1) => MiniMaxForCausalLM.Create(TinyModels.Config(), device, seed);

    private static async Task<RolloutBatch> RollOut(MiniMaxForCausalLM model, PolicyOptions options)
    {
        using var optimizer = new AdamW(model.Parameters);
        var trainer = new PolicyTrainer(model, optimizer, _ => "", new MadeUp(), options with { Objective = PolicyObjective.Reinforce() });
        return await trainer.RollOutAsync(_ => [.. Enumerable.Range(0, 4).Select(i => new RolloutPrompt(TinyModels.Ids(i, 5)))], 1);
    }

    private static PolicyStep Train(MiniMaxForCausalLM model, RolloutBatch batch, PolicyOptions options, MiniMaxForCausalLM? reference = null)
    {
        using var optimizer = new AdamW(model.Parameters);
        return new PolicyTrainer(model, optimizer, _ => "", new MadeUp(), options, reference).Train(batch, 0, 1);
    }

    private static float[] Weights(MiniMaxForCausalLM model) => [.. model.Parameters.SelectMany(p => p.Value.ToFloats())];

    private static RolloutBatch Each(RolloutBatch batch, Func<Rollout, Rollout> change)
    {
        Rollout[][] groups = [.. batch.Groups.Select(g => g.Select(change).ToArray())];
        return new RolloutBatch(groups, groups, 0);
    }

    private static Rollout WithCompletion(Rollout rollout, Completion completion) =>
        new(rollout.Group, rollout.Response with { Completion = completion }, rollout.Reward, rollout.Advantage);

    /// <summary>Rewards that differ within every group.</summary>
    private sealed class MadeUp : IRewardFunction
    {
        public string Name => "made up";

        public ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation) =>
            new([.. responses.Select((_, i) => new RewardResult(i % 4 * 0.5))]);
    }
}
