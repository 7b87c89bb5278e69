using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>pass@k, avg@k and when they are taken.</summary>
public sealed class EvaluationTests
{
    [Property(MaxTest = 200)]
    public Property Pass_at_k_is_the_share_of_draws_with_a_right_answer() => Prop.ForAll(
        Gen.Choose(1, 60).SelectMany(n => Gen.Choose(0, n).SelectMany(c => Gen.Choose(1, n).Select(k => (n, c, k)))).ToArbitrary(),
        x => Math.Abs(PassAtK.Estimate(x.n, x.c, x.k) - (1 - (double)Choose(x.n - x.c, x.k) / (double)Choose(x.n, x.k))) < 1e-12);

    [Fact]
    public void Pass_at_k_by_hand()
    {
        Assert.Equal(0.25, PassAtK.Estimate(8, 2, 1), 12);
        Assert.Equal(1 - 15.0 / 28, PassAtK.Estimate(8, 2, 2), 12);
        Assert.Equal(1, PassAtK.Estimate(8, 2, 7));
        Assert.Equal(0, PassAtK.Estimate(8, 0, 8));
        Assert.InRange(PassAtK.Estimate(100_000, 1, 50_000), 0.4999, 0.5001);
        Assert.Throws<ArgumentOutOfRangeException>(() => PassAtK.Estimate(8, 2, 9));
        Assert.Throws<ArgumentOutOfRangeException>(() => PassAtK.Estimate(8, 9, 1));
    }

    [Fact]
    public async Task Marks_are_means_over_questions_in_all_and_by_task()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
        EvaluationItem[] items = [Item("sums", 4), Item("words", 0), Item("sums", 1)];
        EvaluationResult result = await new Evaluation(items, new Fixed(4), [2, 1], seed: 0).RunAsync(model);
        Assert.Equal(3, result.All.Items);
        Assert.Equal(5 / 12.0, result.All.Average, 12);
        Assert.Equal([1, 2], result.All.PassAtK.Select(p => p.K));
        Assert.Equal((1 + 0 + 0.25) / 3, result.All.PassAtK[0].Rate, 12);
        Assert.Equal((1 + 0 + 0.5) / 3, result.All.PassAtK[1].Rate, 12);
        Assert.Equal(["sums", "words"], result.ByTask.Select(t => t.Task));
        Assert.Equal(0.625, result.ByTask[0].Marks.Average, 12);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => new Evaluation(items, new Fixed(4), [5], seed: 0).RunAsync(model));
        Assert.Throws<ArgumentException>(() => new Evaluation([], new Fixed(4), [1], seed: 0));

        static EvaluationItem Item(string task, int right) => new(task, new RolloutPrompt([1], right));
    }

    [Fact]
    public void Evaluations_sample_as_the_report_does()
    {
        GenerationOptions sampling = Evaluation.Sampling(new GenerationOptions { MaxNewTokens = 9, Temperature = 0.3f, TopK = 5, MinP = 0.1f, StopTokens = [3] });
        Assert.Equal((9, 1f, 0.95f, 0, 0f), (sampling.MaxNewTokens, sampling.Temperature, sampling.TopP, sampling.TopK, sampling.MinP));
        Assert.Equal([3], sampling.StopTokens);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_run_evaluates_the_weights_after_every_n_th_step(int staleness)
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config() with { InitializerRange = 0.05 }, device, 1);
        using var optimizer = new AdamW(model.Parameters);
        var evaluation = new Evaluation([new EvaluationItem("fifths", new RolloutPrompt(TinyModels.Ids(9, 5)))], Source(Evaluation.Sampling(ReinforcementJob.Options.Generation)), [1, 4], seed: 2) { PassMark = 0.1 };
        await using var run = new ReinforcementRun(
            new PolicyTrainer(model, optimizer, ReinforcementJob.Options),
            (step, seed) => new RolloutPlan(_ => [new RolloutPrompt(TinyModels.Ids(step, 5))], Source(ReinforcementJob.Options.Generation), seed),
            new ReinforcementRunOptions { Staleness = staleness, Evaluation = evaluation, EvaluateEvery = 3 });
        for (int step = 0; step < 6; step++)
        {
            ReinforcementStep done = await run.StepAsync();
            Assert.Equal(step % 3 == 2, done.Evaluation is not null);
            if (done.Evaluation is { } result)
            {
                EvaluationResult again = await evaluation.RunAsync(model);
                Assert.Equal(Tokens(again), Tokens(result));
                Assert.Equal(4, Assert.Single(result.Responses).Length);
            }
        }

        static int[] Tokens(EvaluationResult result) => [.. result.Responses.SelectMany(r => r).SelectMany(r => r.Response.Completion.Tokens)];

        static SingleTurn Source(GenerationOptions generation) => new(_ => "", new ReinforcementJob.ShareOfFifth(0), generation, 4);
    }

    private static BigInteger Choose(int n, int k) =>
        k > n ? 0 : Enumerable.Range(1, k).Aggregate(BigInteger.One, (product, i) => product * (n - k + i) / i);

    private sealed class Fixed(int samples) : IResponseSource
    {
        public Task<IReadOnlyList<ScoredResponse[]>> RespondAsync(
            MiniMaxForCausalLM policy, IReadOnlyList<RolloutPrompt> prompts, ulong seed, CancellationToken cancellation) =>
            Task.FromResult<IReadOnlyList<ScoredResponse[]>>(
            [
                .. prompts.Select(p => Enumerable.Range(0, samples).Select(i => new ScoredResponse(
                    new Response(p, "", new Completion([1], [0], FinishReason.Stop)), new RewardResult(i < (int)p.Data! ? 1 : null))).ToArray()),
            ]);
    }
}
