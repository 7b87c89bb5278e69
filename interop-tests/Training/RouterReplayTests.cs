using MiniMaxSharp.Generation;
using MiniMaxSharp.Layers;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>The experts that sampled tokens went to: recorded, and gone to again in training.</summary>
public sealed class RouterReplayTests
{
    private static readonly GenerationRequest[] s_requests =
        [new(TinyModels.Ids(1, 9), 1, 3), new(TinyModels.Ids(2, 150), 2, 2), new(TinyModels.Ids(3, 1), 3, 1)];

    [Theory]
    [Devices]
    public void Recorded_are_the_choices_of_a_pass_over_the_whole_sequence(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device);
        var options = new GenerationOptions { MaxNewTokens = 7 };
        IReadOnlyList<Completion[]> recorded = new TextGenerator(model) { RecordExperts = true }.Generate(s_requests, options);
        IReadOnlyList<Completion[]> plain = new TextGenerator(model).Generate(s_requests, options);
        for (int i = 0; i < s_requests.Length; i++)
        {
            for (int j = 0; j < recorded[i].Length; j++)
            {
                Assert.Equal(plain[i][j].Tokens, recorded[i][j].Tokens);
                Assert.Null(plain[i][j].Experts);
                Assert.Equal(Choices(model, [.. s_requests[i].Prompt.Span, .. recorded[i][j].Tokens[..^1]]), recorded[i][j].Experts);
            }
        }
    }

    [Theory]
    [Devices]
    public async Task A_remembered_beginning_brings_its_choices_along(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device);
        await using var engine = new GenerationEngine(model, new EngineOptions { MaxSequences = 4, CacheTokens = 4096, RecordExperts = true });
        var options = new GenerationOptions { MaxNewTokens = 5 };
        Completion[] first = await engine.CompleteAsync(s_requests[1], options);
        Completion[] second = await engine.CompleteAsync(s_requests[1], options);
        Assert.True(engine.Status.ReusedTokens > 0);
        Assert.Equal(first.Select(c => c.Experts), second.Select(c => c.Experts));
    }

    [Theory]
    [Devices(false)]
    [Devices(true)]
    public async Task Training_goes_to_the_recorded_experts(string on, bool recompute)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device);
        RolloutBatch batch = await RollOut(model);
        Assert.All(batch.Informative.SelectMany(g => g), r => Assert.NotNull(r.Sequence.Experts));
        float[] replayed = Trained(batch);

        // At the same weights the routers choose the same; other experts give another model.
        Assert.Equal(Trained(Each(batch, experts => null)), replayed);
        Assert.NotEqual(Trained(Each(batch, experts => [.. experts.Select(e => (ushort)(e ^ 1))])), replayed);
        Assert.Throws<ArgumentException>(() => Trained(Each(batch, experts => experts[1..])));

        float[] Trained(RolloutBatch rollouts)
        {
            using MiniMaxForCausalLM copy = Model(device);
            copy.RecomputeLayers = recompute;
            using var optimizer = new AdamW(copy.Parameters);
            new PolicyTrainer(copy, optimizer, _ => "", new MadeUp(), s_options).Train(rollouts, 0, 1);
            return [.. copy.Parameters.SelectMany(p => p.Value.ToFloats())];
        }
    }

    [Fact]
    public async Task A_batch_of_which_only_some_name_their_experts_is_refused()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        int number = 0;
        RolloutBatch batch = Each(await RollOut(model), experts => number++ == 0 ? null : experts);
        using var optimizer = new AdamW(model.Parameters);
        Assert.Throws<ArgumentException>(() => new PolicyTrainer(model, optimizer, _ => "", new MadeUp(), s_options).Train(batch, 0, 1));
    }

    private static readonly PolicyOptions s_options = new()
    {
        GroupSize = 4,
        PromptsPerUpdate = 2,
        MaxUpdates = 1,
        ReplayRouting = true,
        LearningRate = new LearningRateSchedule(3e-3f, 10),
        Generation = new GenerationOptions { MaxNewTokens = 6 },
    };

    private static MiniMaxForCausalLM Model(Device device) => MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);

    private static async Task<RolloutBatch> RollOut(MiniMaxForCausalLM model)
    {
        using var optimizer = new AdamW(model.Parameters);
        return await new PolicyTrainer(model, optimizer, _ => "", new MadeUp(), s_options)
            .RollOutAsync(_ => [.. Enumerable.Range(0, 2).Select(i => new RolloutPrompt(TinyModels.Ids(i, 5)))], 1);
    }

    private static RolloutBatch Each(RolloutBatch batch, Func<ushort[], ushort[]?> change)
    {
        Rollout[][] groups =
        [
            .. batch.Groups.Select(g => g.Select(r => new Rollout(
                r.Group, r.Response with { Completion = r.Response.Completion with { Experts = change(r.Response.Completion.Experts!) } }, r.Reward, r.Advantage)).ToArray()),
        ];
        return new RolloutBatch(groups, groups, 0);
    }

    private static ushort[] Choices(MiniMaxForCausalLM model, int[] tokens)
    {
        using TensorScope scope = model.Device.Scope();
        ForwardPass pass = model.Pass(PackedBatch.Create(model.Device, [tokens])) with { ExpertChoices = [] };
        model.Forward(pass);
        int[][] layers = [.. pass.ExpertChoices.Select(c => c.ToArray<int>())];
        int topK = model.Config.NumExpertsPerTok;
        return [.. tokens.SelectMany((_, t) => layers.SelectMany(l => l.Skip(t * topK).Take(topK))).Select(e => (ushort)e)];
    }

    private sealed class MadeUp : IRewardFunction
    {
        public string Name => "made up";

        public ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation) =>
            new([.. responses.Select((_, i) => new RewardResult(i % 4 * 0.5))]);
    }
}
