using System.Diagnostics;
using MiniMaxSharp.Models;

namespace MiniMaxSharp.Training;

/// <summary>
/// All that the rollouts of a step follow from, besides the weights. It may be carried out on another thread while the run goes on,
/// so nothing in it may look at state that changes (a difficulty, a target length): take what that says when the plan is made.
/// </summary>
/// <param name="Prompts">The prompts of generation batch 0, 1, … of the step.</param>
/// <param name="Source">Responds and scores.</param>
/// <param name="Seed">Of all random choices of sampling.</param>
public sealed record RolloutPlan(Func<int, IReadOnlyList<RolloutPrompt>> Prompts, IResponseSource Source, ulong Seed)
{
    /// <summary>
    /// Rolls out batches of prompts until as many groups as the first has prompts have different rewards, or
    /// <see cref="PolicyOptions.MaxGenerationBatches"/> are used up (dynamic sampling, DAPO).
    /// </summary>
    /// <param name="policy">Only read; its device is the rollouts' alone until the task ends.</param>
    /// <param name="options">Dynamic sampling and how advantages are computed.</param>
    /// <param name="cancellation">Looked at while sampling.</param>
    /// <exception cref="InvalidOperationException">The source did not answer each prompt with a group.</exception>
    public async Task<RolloutBatch> RollOutAsync(MiniMaxForCausalLM policy, PolicyOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var clock = Stopwatch.StartNew();
        var groups = new List<Rollout[]>();
        var informative = new List<Rollout[]>();
        int wanted = int.MaxValue;
        for (int batch = 0; batch < options.MaxGenerationBatches && informative.Count < wanted; batch++)
        {
            IReadOnlyList<RolloutPrompt> prompts = Prompts(batch);
            wanted = Math.Min(wanted, prompts.Count);
            IReadOnlyList<ScoredResponse[]> answers =
                await Source.RespondAsync(policy, prompts, Seed + (ulong)groups.Count, cancellation).ConfigureAwait(false);
            if (answers.Count != prompts.Count || answers.Any(a => a.Length == 0))
            {
                throw new InvalidOperationException($"{prompts.Count} prompts were answered by {answers.Count(a => a.Length > 0)} groups.");
            }

            foreach (ScoredResponse[] answer in answers)
            {
                Rollout[] group = Group(groups.Count, answer, options);
                groups.Add(group);
                if ((options.Critic is not null || group.Any(r => r.Advantage != 0)) && informative.Count < wanted)
                {
                    informative.Add(group);
                }
            }
        }

        return new RolloutBatch(groups, informative, clock.Elapsed.TotalSeconds);
    }

    private static Rollout[] Group(int number, ScoredResponse[] answer, PolicyOptions options)
    {
        double[] advantages = GroupAdvantage.Of([.. answer.Select(a => a.Reward.Score ?? 0)], options.UnbiasedDeviation);
        return [.. answer.Zip(advantages, (a, advantage) => new Rollout(number, a.Response, a.Reward, advantage))];
    }
}
