using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Optimiser, schedules, losses and trainers.</summary>
public sealed class TrainerTests
{
    private static readonly Tokenizer s_tokenizer = BpeTrainer.Train(["a b c"], new BpeTrainerOptions { VocabularySize = 300 });

    [Fact]
    public void A_schedule_warms_up_stays_and_falls()
    {
        var schedule = new LearningRateSchedule(1, 100) { WarmupSteps = 10, DecayStart = 0.5f, FinalShare = 0.1f };
        Assert.Equal(0.1f, schedule.At(0), 6);
        Assert.Equal(1, schedule.At(10));
        Assert.Equal(1, schedule.At(49));
        Assert.Equal(0.55f, schedule.At(75), 3);
        Assert.Equal(0.1f, schedule.At(100), 6);
        Assert.Equal(1, new LearningRateSchedule(1, 10).At(9));
    }

    [Theory]
    [Devices]
    public void AdamW_follows_its_formula(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
        Parameter weight = model.Parameters[0];
        foreach (Parameter other in model.Parameters.Skip(1))
        {
            other.IsTrainable = false;
        }

        using var optimizer = new AdamW(model.Parameters, new AdamWOptions { WeightDecay = 0.1f, MaxGradientNorm = 0 });
        double[] value = [.. weight.Value.ToFloats().Select(x => (double)x)], m = new double[value.Length], v = new double[value.Length];
        for (int step = 1; step <= 3; step++)
        {
            TinyModels.Loss(model, [TinyModels.Ids(step, 20)], gradients: true);
            float[] gradient = weight.Gradient!.ToFloats();
            optimizer.Step(0.01f);
            for (int i = 0; i < value.Length; i++)
            {
                m[i] = 0.9 * m[i] + 0.1 * gradient[i];
                v[i] = 0.95 * v[i] + 0.05 * gradient[i] * gradient[i];
                double update = m[i] / (1 - Math.Pow(0.9, step)) / (Math.Sqrt(v[i] / (1 - Math.Pow(0.95, step))) + 1e-15);
                value[i] -= 0.01 * (update + 0.1 * value[i]);
            }
        }

        Assert.InRange(weight.Value.ToFloats().Zip(value).Max(p => Math.Abs(p.First - p.Second)), 0, 1e-5);
        Assert.Null(weight.Gradient);
    }

    [Theory]
    [Devices]
    public void A_gradient_that_is_not_finite_is_refused_and_changes_nothing(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
        using var optimizer = new AdamW(model.Parameters);
        TinyModels.Loss(model, [TinyModels.Ids(1, 20)], gradients: true);
        float[] before = model.Parameters[0].Value.ToFloats();
        model.Parameters[^1].Gradient!.CopyFrom<float>([.. Enumerable.Repeat(float.NaN, (int)model.Parameters[^1].Value.Count)]);
        Assert.Throws<ArithmeticException>(() => optimizer.Step(0.1f));
        Assert.Equal(before, model.Parameters[0].Value.ToFloats());
        Assert.Equal(0, optimizer.Steps);
    }

    [Theory]
    [Devices(ElementType.Float32)]
    [Devices(ElementType.BFloat16)]
    public void Supervision_learns_a_batch_by_heart(string on, ElementType type)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config() with { InitializerRange = 0.05 }, device, 1, type);
        using var optimizer = new AdamW(model.Parameters);
        var trainer = new SupervisedTrainer(model, optimizer, new SupervisedOptions { LearningRate = new LearningRateSchedule(5e-3f, 60) });
        TrainingSequence[] batch = [.. Enumerable.Range(0, 6).Select(i => new TrainingSequence(TinyModels.Ids(i, 12), 4))];
        double first = trainer.Evaluate(batch);
        for (int step = 0; step < 60; step++)
        {
            trainer.Step(batch, step);
        }

        Assert.InRange(trainer.Evaluate(batch), 0, first / 4);
    }

    [Theory]
    [Devices]
    public void Accumulated_passes_give_the_step_of_one_pass(string on)
    {
        float[] whole = Trained(on, 8192), pieces = Trained(on, 20);
        Assert.InRange(TinyModels.Difference(whole, pieces), 0, 2e-3);

        static float[] Trained(string on, int tokensPerPass)
        {
            using Device device = Device.Open(on);
            using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
            using var optimizer = new AdamW(model.Parameters, new AdamWOptions { Epsilon = 1e-3f });
            var trainer = new SupervisedTrainer(
                model, optimizer, new SupervisedOptions { LearningRate = new LearningRateSchedule(1e-3f, 1), AuxiliaryLossWeight = 0, TokensPerPass = tokensPerPass });
            trainer.Step([.. Enumerable.Range(0, 6).Select(i => new TrainingSequence(TinyModels.Ids(i, 9 + i), 4))], 0);
            return [.. model.Parameters.SelectMany(p => p.Value.ToFloats())];
        }
    }

    [Property(MaxTest = 100)]
    public bool Token_weights_sum_to_one(int kind, PositiveInt[] lengths)
    {
        if (lengths.Length == 0)
        {
            return true;
        }

        (int, int)[] responses = [.. lengths.Select((l, i) => (i / 3, l.Get))];
        float[] weights = Aggregation.TokenWeights((LossAggregation)(Math.Abs(kind % 3)), responses);
        return Math.Abs(weights.Sum(w => (double)w) - 1) < 1e-4 && weights.Length == lengths.Sum(l => l.Get);
    }

    [Fact]
    public void Advantages_are_standard_scores_and_zero_in_a_uniform_group()
    {
        Assert.Equal([0, 0, 0], GroupAdvantage.Of([1, 1, 1]));
        double[] scores = GroupAdvantage.Of([1, 0, 0, 0]);
        Assert.Equal(0, scores.Sum(), 9);
        Assert.Equal(Math.Sqrt(3), scores[0], 1e-5);
        Assert.Equal(1.5, GroupAdvantage.Of([1, 0, 0, 0], unbiased: true)[0], 4);
    }

    [Fact]
    public void A_cap_below_one_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => PolicyObjective.Cispo(0.2f).Validate());
        PolicyObjective.Cispo().Validate();
        PolicyObjective.Dapo().Validate();
    }

    // Reward: the share of token 7. The policy has to find it among fifty.
    [Theory]
    [Devices(ElementType.Float32)]
    [Devices(ElementType.BFloat16)]
    public async Task Cispo_raises_the_reward_without_a_token_losing_its_gradient(string on, ElementType type)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config() with { InitializerRange = 0.05 }, device, 1, type);
        using var optimizer = new AdamW(model.Parameters);
        var trainer = new PolicyTrainer(model, optimizer, _ => "", new ShareOfSeven(), Options(PolicyObjective.Cispo()));
        var rewards = new List<double>();
        for (int step = 0; step < 25; step++)
        {
            PolicyStep done = await trainer.StepAsync(_ => [.. Enumerable.Range(0, 4).Select(i => new RolloutPrompt(TinyModels.Ids(i, 5)))], step, (ulong)step);
            rewards.Add(done.Reward);
            Assert.Equal(0, done.ZeroGradientTokens);
            Assert.True(done.Updates == 0 || done.RolloutTrainerPearson >= 0.9999, $"correlation {done.RolloutTrainerPearson}");
        }

        Assert.True(rewards.TakeLast(3).Average() > rewards.Take(3).Average() + 0.2, string.Join(' ', rewards));
    }

    [Fact]
    public async Task A_clipped_surrogate_does_take_gradients_away()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config() with { InitializerRange = 0.05 }, device, 1);
        using var optimizer = new AdamW(model.Parameters);
        var trainer = new PolicyTrainer(model, optimizer, _ => "", new ShareOfSeven(), Options(PolicyObjective.Grpo(0.01f)));
        long lost = 0;
        for (int step = 0; step < 8; step++)
        {
            lost += (await trainer.StepAsync(_ => [.. Enumerable.Range(0, 4).Select(i => new RolloutPrompt(TinyModels.Ids(i, 5)))], step, (ulong)step)).ZeroGradientTokens;
        }

        Assert.True(lost > 0);
    }

    [Theory]
    [Devices]
    public async Task Cispo_without_a_cap_is_reinforce(string on)
    {
        Assert.Equal(
            await Trained(on, PolicyObjective.Reinforce() with { Aggregation = LossAggregation.BatchToken }),
            await Trained(on, PolicyObjective.Cispo(float.PositiveInfinity) with { Aggregation = LossAggregation.BatchToken }));

        static async Task<float[]> Trained(string on, PolicyObjective objective)
        {
            using Device device = Device.Open(on);
            using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
            using var optimizer = new AdamW(model.Parameters);
            var trainer = new PolicyTrainer(model, optimizer, _ => "", new ShareOfSeven(), Options(objective));
            await trainer.StepAsync(_ => [.. Enumerable.Range(0, 4).Select(i => new RolloutPrompt(TinyModels.Ids(i, 5)))], 0, 1);
            return [.. model.Parameters.SelectMany(p => p.Value.ToFloats())];
        }
    }

    [Fact]
    public async Task Dynamic_sampling_goes_on_until_enough_groups_differ()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
        using var optimizer = new AdamW(model.Parameters);
        var asked = new List<int>();
        var trainer = new PolicyTrainer(
            model, optimizer, _ => "", new Constant(), Options(PolicyObjective.Cispo()) with { MaxGenerationBatches = 3 });
        PolicyStep step = await trainer.StepAsync(
            batch =>
            {
                asked.Add(batch);
                return [new RolloutPrompt(TinyModels.Ids(batch, 5))];
            },
            0,
            1);
        Assert.Equal([0, 1, 2], asked);
        Assert.Equal(0, step.Updates);
        Assert.Equal(1, step.UniformGroups);
    }

    [Theory]
    [Devices(ElementType.Float32)]
    [Devices(ElementType.BFloat16)]
    public void A_resumed_run_ends_in_the_bits_of_an_undisturbed_one(string on, ElementType type)
    {
        string folder = Directory.CreateTempSubdirectory("resume").FullName;
        try
        {
            string path = Path.Combine(folder, "checkpoint");
            float[] undisturbed = Run(0, 6, null, null);
            Run(0, 3, null, path);
            Assert.Equal(undisturbed, Run(3, 6, path, null));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        float[] Run(int from, int to, string? resume, string? save)
        {
            using Device device = Device.Open(on);
            using MiniMaxForCausalLM model = resume is null
                ? MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1, type)
                : MiniMaxForCausalLM.Load(resume, device);
            Assert.Equal(type, model.ElementType);
            using var optimizer = new AdamW(model.Parameters);
            if (resume is not null)
            {
                Assert.Equal("{\"step\":3}", TrainingCheckpoint.ReadState(resume));
                TrainingCheckpoint.LoadOptimizer(resume, optimizer);
            }

            var trainer = new SupervisedTrainer(model, optimizer, new SupervisedOptions { LearningRate = new LearningRateSchedule(1e-3f, 6) });
            for (int step = from; step < to; step++)
            {
                trainer.Step([.. Enumerable.Range(0, 4).Select(i => new TrainingSequence(TinyModels.Ids(10 * step + i, 12), 4))], step);
            }

            if (save is not null)
            {
                TrainingCheckpoint.Save(save, model, optimizer, s_tokenizer, $"{{\"step\":{to}}}");
            }

            return [.. model.Parameters.SelectMany(p => p.Value.ToFloats()), .. optimizer.State().SelectMany(s => s.Value.ToFloats())];
        }
    }

    private static PolicyOptions Options(PolicyObjective objective) => new()
    {
        Objective = objective,
        GroupSize = 8,
        PromptsPerUpdate = 1,
        LearningRate = new LearningRateSchedule(3e-3f, 25),
        Generation = new GenerationOptions { MaxNewTokens = 6 },
    };

    private sealed class ShareOfSeven : IRewardFunction
    {
        public string Name => "seven";

        public ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation) => new(
            [.. responses.Select(r => new RewardResult(r.Completion.Tokens.Count(t => t == 7) / (double)r.Completion.Tokens.Length))]);
    }

    private sealed class Constant : IRewardFunction
    {
        public string Name => "constant";

        public ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation) =>
            new([.. responses.Select(_ => new RewardResult(1))]);
    }
}
