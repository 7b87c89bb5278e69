using MiniMaxSharp.Models;

namespace MiniMaxSharp.Training;

/// <summary>What a model says of the scored tokens of sequences, without learning from them.</summary>
internal static class Scorer
{
    // As SupervisedOptions has it.
    private const int TokensPerPass = 8192;

    /// <summary>The log-probability of each scored token, by sequence, and the value before it where there is a head.</summary>
    public static (float[] LogProbabilities, float[] Values)[] Score(
        MiniMaxForCausalLM model, IReadOnlyList<TrainingSequence> sequences, ValueHead? head = null)
    {
        Device device = model.Device;
        var result = new List<(float[], float[])>();
        foreach (TrainingSequence[] part in Batches.Split(sequences, TokensPerPass))
        {
            using TensorScope scope = device.Scope();
            using ScoringBatch batch = ScoringBatch.Create(device, part);
            Tensor hidden = model.Forward(batch.Pass(model));
            IEnumerable<float[]> logp = batch.BySequence(batch.Gather(model.LogProbabilities(hidden, batch.Targets).LogProbability));
            result.AddRange(head is null
                ? logp.Select(l => (l, Array.Empty<float>()))
                : logp.Zip(batch.BySequence(batch.Gather(head.Values(hidden)))));
        }

        return [.. result];
    }
}
