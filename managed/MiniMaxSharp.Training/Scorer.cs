using MiniMaxSharp.Models;

namespace MiniMaxSharp.Training;

/// <summary>What a model says of the scored tokens of sequences, without learning from them.</summary>
internal static class Scorer
{
    // As SupervisedOptions has it.
    private const int TokensPerPass = 8192;

    /// <summary>The log-probability of each scored token, by sequence.</summary>
    public static float[][] LogProbabilities(MiniMaxForCausalLM model, IReadOnlyList<TrainingSequence> sequences)
    {
        Device device = model.Device;
        var result = new List<float[]>();
        foreach (TrainingSequence[] part in Batches.Split(sequences, TokensPerPass))
        {
            using TensorScope scope = device.Scope();
            using ScoringBatch batch = ScoringBatch.Create(device, part);
            Tensor hidden = model.Forward(batch.Pass(model));
            result.AddRange(batch.BySequence(batch.Gather(model.LogProbabilities(hidden, batch.Targets).LogProbability)));
        }

        return [.. result];
    }
}
