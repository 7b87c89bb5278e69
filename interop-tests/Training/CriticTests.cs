using FsCheck;
using FsCheck.Xunit;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>PPO: the value function, the advantages that come of it, and its loss.</summary>
public sealed class CriticTests
{
    [Property(MaxTest = 100)]
    public void Advantages_are_discounted_sums_of_surprises(NonEmptyArray<short> numbers, byte g, byte l)
    {
        float[] values = [.. numbers.Get.Select(n => n / 32768f)];
        double gamma = g / 255.0, lambda = l / 255.0;
        (double[] advantages, double[] returns) = GeneralizedAdvantage.Of(values, 0.75, gamma, lambda);
        for (int t = 0; t < values.Length; t++)
        {
            double sum = 0;
            for (int i = t; i < values.Length; i++)
            {
                bool last = i == values.Length - 1;
                double surprise = (last ? 0.75 : gamma * values[i + 1]) - values[i];
                sum += Math.Pow(gamma * lambda, i - t) * surprise;
            }

            Assert.Equal(sum, advantages[t], 1e-9);
            Assert.Equal(sum + values[t], returns[t], 1e-9);
        }
    }

    [Fact]
    public void With_lambda_one_the_return_is_the_reward()
    {
        (double[] advantages, double[] returns) = GeneralizedAdvantage.Of([0.5f, -1, 0.25f], 2, 1, 1);
        Assert.Equal([1.5, 3, 1.75], advantages);
        Assert.Equal([2, 2, 2], returns);
    }

    // Moved by less than the clip; too far, away from the return and towards it.
    [Theory]
    [InlineData(0.1, 1, 0.405, -0.9)]
    [InlineData(-0.5, 1, 1.125, -1.5)]
    [InlineData(0.5, 1, 0.32, 0)]
    public void A_value_that_went_too_far_towards_its_return_has_no_gradient(double value, double target, double loss, double slope)
    {
        (double got, float[] gradient) = ValueLoss.Evaluate([(float)value], [0], [(float)target], [1], 0.2f);
        Assert.Equal(loss, got, 1e-6);
        Assert.Equal(slope, gradient[0], 1e-6);
    }

    // Routing is replayed: a step to other experts would be no slope.
    [Theory]
    [Devices]
    public async Task The_whole_loss_has_the_slope_of_its_gradient(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
        using var head = new ValueHead(model);
        head.Weight.Value.CopyFrom<float>([.. Enumerable.Range(0, 32).Select(i => 0.05f * (i % 5 - 2))]);
        using var optimizer = new AdamW([.. model.Parameters, head.Weight]);
        PolicyOptions options = s_options with { Critic = new CriticOptions { ValueClip = 100, LossWeight = 2 }, ReplayRouting = true };
        RolloutBatch batch = await new PolicyTrainer(model, optimizer, _ => "", new ShareOfSeven(), options, valueHead: head).RollOutAsync(Prompts, 1);
        FrozenRollout[] rollouts = FrozenRollout.Freeze([.. batch.Groups.SelectMany(g => g)], options, model, head: head);
        Assert.Contains(rollouts, r => r.Advantages.Distinct().Count() > 1);
        var gradient = new PolicyGradient(model, options, head);
        Slopes.Check([.. model.Parameters, head.Weight], () => gradient.Add(rollouts, new StepTotals()));
    }

    [Theory]
    [Devices(ElementType.Float32)]
    [Devices(ElementType.BFloat16)]
    public async Task Ppo_raises_the_reward_and_learns_to_expect_it(string on, ElementType type)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config() with { InitializerRange = 0.05 }, device, 1, type);
        using var head = new ValueHead(model);
        using var optimizer = new AdamW([.. model.Parameters, head.Weight]);
        var trainer = new PolicyTrainer(model, optimizer, _ => "", new ShareOfSeven(), s_options, valueHead: head);
        var rewards = new List<double>();
        for (int step = 0; step < 25; step++)
        {
            rewards.Add((await trainer.StepAsync(Prompts, step, (ulong)step)).Reward);
        }

        Assert.True(rewards.TakeLast(3).Average() > rewards.Take(3).Average() + 0.2, string.Join(' ', rewards));
        RolloutBatch batch = await trainer.RollOutAsync(Prompts, 1);
        Rollout[] all = [.. batch.Groups.SelectMany(g => g)];
        (float[] LogProbabilities, float[] Values)[] scored = Scorer.Score(model, [.. all.Select(r => r.Sequence)], head);
        double reward = all.Average(r => r.Reward.Score!.Value);
        Assert.InRange(scored.Average(s => s.Values.Average()), reward - 0.25, reward + 0.25);
    }

    [Fact]
    public async Task A_single_response_a_prompt_is_enough()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
        using var head = new ValueHead(model);
        using var optimizer = new AdamW([.. model.Parameters, head.Weight]);
        var trainer = new PolicyTrainer(model, optimizer, _ => "", new ShareOfSeven(), s_options with { GroupSize = 1 }, valueHead: head);
        PolicyStep step = await trainer.StepAsync(Prompts, 0, 1);
        Assert.Equal(4, step.Updates);
        Assert.Throws<ArgumentOutOfRangeException>(() => (s_options with { GroupSize = 1, Critic = null }).Validate());
        Assert.Throws<ArgumentException>(() => new PolicyTrainer(model, optimizer, _ => "", new ShareOfSeven(), s_options));
        Assert.Throws<ArgumentException>(
            () => new PolicyTrainer(model, optimizer, _ => "", new ShareOfSeven(), s_options with { Critic = null }, valueHead: head));
    }

    [Theory]
    [Devices]
    public async Task A_resumed_run_ends_in_the_bits_of_an_undisturbed_one(string on)
    {
        string folder = Directory.CreateTempSubdirectory("critic").FullName;
        try
        {
            string path = Path.Combine(folder, "checkpoint");
            float[] undisturbed = await Run(0, 4, null, null);
            await Run(0, 2, null, path);
            Assert.Equal(undisturbed, await Run(2, 4, path, null));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        async Task<float[]> Run(int from, int to, string? resume, string? save)
        {
            using Device device = Device.Open(on);
            using MiniMaxForCausalLM model = resume is null
                ? MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1)
                : MiniMaxForCausalLM.Load(resume, device);
            using ValueHead head = resume is null ? new ValueHead(model) : ValueHead.Load(resume, model);
            using var optimizer = new AdamW([.. model.Parameters, head.Weight]);
            if (resume is not null)
            {
                TrainingCheckpoint.LoadOptimizer(resume, optimizer);
            }

            var trainer = new PolicyTrainer(model, optimizer, _ => "", new ShareOfSeven(), s_options, valueHead: head);
            for (int step = from; step < to; step++)
            {
                await trainer.StepAsync(Prompts, step, (ulong)step);
            }

            if (save is not null)
            {
                TrainingCheckpoint.Save(save, model, optimizer, s_tokenizer, "{}", head);
            }

            return [.. model.Parameters.SelectMany(p => p.Value.ToFloats()), .. head.Weight.Value.ToFloats()];
        }
    }

    private static readonly Tokenizer s_tokenizer = BpeTrainer.Train(["a b c"], new BpeTrainerOptions { VocabularySize = 300 });

    private static readonly PolicyOptions s_options = new()
    {
        Objective = PolicyObjective.Ppo(),
        Critic = new CriticOptions(),
        GroupSize = 8,
        PromptsPerUpdate = 1,
        AuxiliaryLossWeight = 0,
        LearningRate = new LearningRateSchedule(3e-3f, 25),
        Generation = new GenerationOptions { MaxNewTokens = 6 },
    };

    private static RolloutPrompt[] Prompts(int batch) => [.. Enumerable.Range(0, 4).Select(i => new RolloutPrompt(TinyModels.Ids(i, 5)))];

    private sealed class ShareOfSeven : IRewardFunction
    {
        public string Name => "seven";

        public ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation) => new(
            [.. responses.Select(r => new RewardResult(r.Completion.Tokens.Count(t => t == 7) / (double)r.Completion.Tokens.Length))]);
    }
}
