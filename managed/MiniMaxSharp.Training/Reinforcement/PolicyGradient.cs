using MiniMaxSharp.Layers;
using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Training;

/// <summary>The loss of an update: one pass forward and one backward over its rollouts.</summary>
internal sealed class PolicyGradient(MiniMaxForCausalLM model, PolicyOptions options, ValueHead? head = null)
{
    /// <summary>Adds the gradient to the model's parameters, and what is to be reported to the totals. Returns the whole loss.</summary>
    public double Add(IReadOnlyList<FrozenRollout> rollouts, StepTotals totals)
    {
        Device device = model.Device;
        PolicyObjective objective = options.Objective;
        using TensorScope scope = device.Scope();
        using Tape tape = Tape.Record(device);
        using ScoringBatch batch = ScoringBatch.Create(device, [.. rollouts.Select(r => r.Rollout.Sequence)]);
        ForwardPass pass = batch.Pass(model);
        Tensor hidden = model.Forward(pass);
        (Tensor logp, Tensor entropy) = model.LogProbabilities(hidden, batch.Targets);
        Tensor auxiliary = MixtureOfExperts.AuxiliaryLoss(pass.RouterLogits, model.Config.NumExpertsPerTok);

        float[] newLogp = batch.Gather(logp), entropies = batch.Gather(entropy);
        float[] advantage = [.. rollouts.SelectMany(r => r.Advantages)];
        float[] reference = [.. rollouts.SelectMany(r => r.ReferenceLogProbabilities)];
        float[] weight = Aggregation.TokenWeights(
            objective.Aggregation, [.. rollouts.Select(r => (r.Rollout.Group, r.Rollout.Sequence.ScoredTokens))], objective.TokenShare);
        (double loss, float[] gradient, float[] ratio, _) = PolicyLoss.Evaluate(
            device, objective, newLogp, [.. rollouts.SelectMany(r => r.OldLogProbabilities)], advantage, weight, reference);
        var seeds = new List<(Tensor, Tensor)>
        {
            (logp, batch.Spread(device, gradient)),
            (auxiliary, Tensor.From<float>(device, [options.AuxiliaryLossWeight], 1)),
        };
        if (objective.EntropyWeight > 0)
        {
            loss -= objective.EntropyWeight * weight.Zip(entropies, (w, h) => (double)w * h).Sum();
            seeds.Add((entropy, batch.Spread(device, [.. weight.Select(w => -objective.EntropyWeight * w)])));
        }

        double valueLoss = 0;
        if (head is not null)
        {
            Tensor values = head.Values(hidden);
            (valueLoss, float[] slopes) = ValueLoss.Evaluate(
                batch.Gather(values), [.. rollouts.SelectMany(r => r.OldValues)], [.. rollouts.SelectMany(r => r.Returns)], weight, options.Critic!.ValueClip);
            seeds.Add((values, batch.Spread(device, [.. slopes.Select(s => options.Critic.LossWeight * s)])));
        }

        tape.Backward([.. seeds]);
        if (totals.Updates == 0)
        {
            totals.Pearson = Statistics.Pearson(
                [.. newLogp.Select(x => Math.Exp(x))], [.. rollouts.SelectMany(r => r.Rollout.OldLogProbabilities).Select(x => Math.Exp(x))]);
        }

        totals.Updates++;
        totals.Loss += loss;
        totals.ValueLoss += valueLoss;
        totals.Auxiliary += auxiliary.Item();
        totals.Entropy += entropies.Sum(x => (double)x);
        totals.Kl += reference.Length == 0 ? double.NaN : newLogp.Zip(reference, (p, q) => KlPenalty.Of(objective.KlEstimator, p, q).Value).Sum();
        totals.Tokens += rollouts.Sum(r => r.Rollout.Sequence.Tokens.Length);
        totals.ResponseTokens += newLogp.Length;
        totals.Clipped += ratio.Count(r => r > objective.MaxWeight || r < objective.MinWeight);
        totals.ZeroGradient += advantage.Zip(gradient).Count(x => x.First != 0 && x.Second == 0);
        return loss + (options.Critic?.LossWeight ?? 0) * valueLoss + options.AuxiliaryLossWeight * auxiliary.Item();
    }
}
