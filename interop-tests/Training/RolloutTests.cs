using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Which weights a rollout is sampled from, and that no thread's pace matters.</summary>
public sealed class RolloutTests
{
    [Theory]
    [InlineData("cpu", 0)]
    [InlineData("cpu", 1)]
    [Devices(2)]
    [InlineData("cpu", 3)]
    public async Task Rollout_k_uses_the_weights_of_step_k_minus_s(string on, int staleness)
    {
        const int Steps = 6;
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device);
        using var optimizer = new AdamW(model.Parameters);
        var trainer = new PolicyTrainer(model, optimizer, ReinforcementJob.Options);
        var used = new List<float[]>();
        var planned = new List<(int Step, int Done)>();
        ReinforcementRun? run = null;
        RolloutPlan Plan(int step, ulong seed)
        {
            planned.Add((step, run!.Step));
            return new RolloutPlan(_ => [new RolloutPrompt(TinyModels.Ids(step, 5))], new Spy(Source(), p => used.Add(Weights(p))), seed);
        }

        var before = new List<float[]>();
        await using (run = new ReinforcementRun(trainer, Plan, new ReinforcementRunOptions { Staleness = staleness }))
        {
            for (int step = 0; step < Steps; step++)
            {
                before.Add(Weights(model));
                await run.StepAsync();
            }
        }

        Assert.NotEqual(before[0], before[^1]);
        for (int k = 0; k < Steps; k++)
        {
            Assert.Equal(before[Math.Max(k - staleness, 0)], used[k]);
            Assert.Equal((k, Math.Max(k - staleness, 0)), planned[k]);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task The_bits_do_not_depend_on_who_is_slow(int staleness)
    {
        float[] even = await RunAsync(_ => 0, _ => 0);
        Assert.Equal(even, await RunAsync(step => step % 3 * 20, _ => 0));
        Assert.Equal(even, await RunAsync(_ => 0, step => step % 2 * 40));

        async Task<float[]> RunAsync(Func<int, int> samplerWaits, Func<int, int> trainerWaits)
        {
            string folder = Directory.CreateTempSubdirectory("rollouts").FullName;
            try
            {
                await using var job = new ReinforcementJob(folder, staleness, samplerWaits);
                await job.RunAsync(7, step => Thread.Sleep(trainerWaits(step.Number)));
                return job.Weights();
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    [Fact]
    public async Task Without_staleness_a_run_is_the_trainer_step_by_step()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM one = Model(device), other = Model(device);
        using AdamW ofOne = new(one.Parameters), ofOther = new(other.Parameters);
        var trainer = new PolicyTrainer(one, ofOne, _ => "", new ReinforcementJob.ShareOfFifth(0), ReinforcementJob.Options);
        await using var run = new ReinforcementRun(
            new PolicyTrainer(other, ofOther, ReinforcementJob.Options),
            (_, seed) => new RolloutPlan(Prompts, Source(), seed),
            new ReinforcementRunOptions { Seed = 3 });
        for (int step = 0; step < 3; step++)
        {
            await trainer.StepAsync(Prompts, step, SplitMix64.Mix(3 + (ulong)step));
            await run.StepAsync();
        }

        Assert.Equal(Weights(one), Weights(other));

        static RolloutPrompt[] Prompts(int batch) => [new(TinyModels.Ids(1, 5)), new(TinyModels.Ids(2, 4))];
    }

    [Theory]
    [Devices(ElementType.Float32)]
    [Devices(ElementType.BFloat16)]
    public void A_copy_on_another_context_gives_the_same_bits_and_follows_only_when_told(string on, ElementType type)
    {
        using Device device = Device.Open(on), another = device.Another();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1, type);
        using MiniMaxForCausalLM copy = model.CopyTo(another);
        float[] first = TinyModels.Logits(model, TinyModels.Ids(1, 9));
        Assert.Equal(first, TinyModels.Logits(copy, TinyModels.Ids(1, 9)));
        model.Parameters[^1].Value.Accumulate(model.Parameters[^1].Value, 0.5f);
        float[] changed = TinyModels.Logits(model, TinyModels.Ids(1, 9));
        Assert.NotEqual(first, changed);
        Assert.Equal(first, TinyModels.Logits(copy, TinyModels.Ids(1, 9)));
        copy.CopyFrom(model);
        Assert.Equal(changed, TinyModels.Logits(copy, TinyModels.Ids(1, 9)));
        using MiniMaxForCausalLM other = MiniMaxForCausalLM.Create(TinyModels.Config(attention: [0, 1]), device, 1, type);
        Assert.Throws<ArgumentException>(() => copy.CopyFrom(other));
    }

    [Fact]
    public async Task What_a_reward_throws_reaches_the_step_that_needs_it()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        using var optimizer = new AdamW(model.Parameters);
        await using var run = new ReinforcementRun(
            new PolicyTrainer(model, optimizer, ReinforcementJob.Options),
            (step, seed) => new RolloutPlan(
                _ => [new RolloutPrompt(TinyModels.Ids(step, 5))],
                new Spy(Source(), _ => { if (step == 2) { throw new TimeoutException("the judge"); } }),
                seed),
            new ReinforcementRunOptions { Staleness = 1 });
        await run.StepAsync();
        await run.StepAsync();
        Assert.Equal("the judge", (await Assert.ThrowsAsync<TimeoutException>(() => run.StepAsync())).Message);
        Assert.Equal(2, run.Step);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task A_cancelled_step_may_be_tried_again(int staleness)
    {
        Assert.Equal(await RunAsync(cancel: false), await RunAsync(cancel: true));

        async Task<float[]> RunAsync(bool cancel)
        {
            using Device device = Device.Cpu();
            using MiniMaxForCausalLM model = Model(device);
            using var optimizer = new AdamW(model.Parameters);
            await using var run = new ReinforcementRun(
                new PolicyTrainer(model, optimizer, ReinforcementJob.Options),
                (step, seed) => new RolloutPlan(_ => [new RolloutPrompt(TinyModels.Ids(step, 5))], Source(), seed),
                new ReinforcementRunOptions { Staleness = staleness });
            for (int step = 0; step < 4; step++)
            {
                if (cancel)
                {
                    await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run.StepAsync(new CancellationToken(canceled: true)));
                }

                await run.StepAsync();
            }

            return Weights(model);
        }
    }

    private static MiniMaxForCausalLM Model(Device device) =>
        MiniMaxForCausalLM.Create(TinyModels.Config() with { InitializerRange = 0.05 }, device, 1);

    private static float[] Weights(MiniMaxForCausalLM model) => [.. model.Parameters.SelectMany(p => p.Value.ToFloats())];

    private static SingleTurn Source() => new(_ => "", new ReinforcementJob.ShareOfFifth(0), ReinforcementJob.Options.Generation, ReinforcementJob.Options.GroupSize);

    private sealed class Spy(IResponseSource source, Action<MiniMaxForCausalLM> look) : IResponseSource
    {
        public Task<IReadOnlyList<ScoredResponse[]>> RespondAsync(
            MiniMaxForCausalLM policy, IReadOnlyList<RolloutPrompt> prompts, ulong seed, CancellationToken cancellation)
        {
            look(policy);
            return source.RespondAsync(policy, prompts, seed, cancellation);
        }
    }
}
