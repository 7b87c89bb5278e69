using MiniMaxSharp.Models;

namespace MiniMaxSharp.Training;

/// <summary>A rollout with all that stays as it is during the updates of a step; arrays by scored token.</summary>
/// <param name="Rollout">Tokens and reward.</param>
/// <param name="OldLogProbabilities">log π_old.</param>
/// <param name="Advantages">What each token's gradient is multiplied by, the correction of the rollout included.</param>
/// <param name="ReferenceLogProbabilities">log π_ref; empty without a reference.</param>
internal sealed record FrozenRollout(Rollout Rollout, float[] OldLogProbabilities, float[] Advantages, float[] ReferenceLogProbabilities)
{
    public static FrozenRollout[] Freeze(
        IReadOnlyList<Rollout> rollouts, PolicyOptions options, MiniMaxForCausalLM model, MiniMaxForCausalLM? reference)
    {
        TrainingSequence[] sequences = [.. rollouts.Select(r => r.Sequence)];
        float[][]? trainer = options.Correction == RolloutCorrection.None ? null : Scorer.LogProbabilities(model, sequences);
        float[][]? referred = reference is null ? null : Scorer.LogProbabilities(reference, [.. sequences.Select(s => s with { Experts = null })]);
        return [.. rollouts.Select((rollout, i) =>
        {
            float[] sampler = [.. rollout.OldLogProbabilities];
            float[] old = trainer?[i] ?? sampler;
            float[] advantages = [.. old.Zip(sampler, (t, s) => (float)rollout.Advantage * CorrectionFactor.Of(options.Correction, t, s, options.MaxCorrection))];
            return new FrozenRollout(rollout, old, advantages, referred?[i] ?? []);
        })];
    }
}
