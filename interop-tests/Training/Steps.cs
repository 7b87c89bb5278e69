using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Steps of reinforcement learning to look at.</summary>
internal static class Steps
{
    /// <summary>One that was really made, by a tiny model.</summary>
    public static async Task<PolicyStep> Real()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
        using var optimizer = new AdamW(model.Parameters);
        var trainer = new PolicyTrainer(model, optimizer, _ => "", new ShareOfEven(), new PolicyOptions
        {
            LearningRate = new LearningRateSchedule(1e-3f, 1),
            Generation = new GenerationOptions { MaxNewTokens = 6 },
        });
        return await trainer.StepAsync(_ => [.. Enumerable.Range(0, 4).Select(i => new RolloutPrompt(TinyModels.Ids(i, 5)))], 0, 1);
    }

    /// <summary>A rollout of so many tokens, made up.</summary>
    public static Rollout Rollout(
        int group, double reward, float[] logProbabilities, double advantage, Dictionary<string, double>? parts = null, FinishReason reason = FinishReason.Stop, object? data = null) => new(
        group,
        new Response(new RolloutPrompt([1, 2], data), "text", new Completion(new int[logProbabilities.Length], logProbabilities, reason)),
        new RewardResult(reward, parts),
        advantage);

    private sealed class ShareOfEven : IRewardFunction
    {
        public string Name => "even";

        public ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation) => new(
            [.. responses.Select(r => r.Completion.Tokens.Count(t => t % 2 == 0) / (double)r.Completion.Tokens.Length).Select(s => new RewardResult(s, new Dictionary<string, double> { ["even"] = s }))]);
    }
}
