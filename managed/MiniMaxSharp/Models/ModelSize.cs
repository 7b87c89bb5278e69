namespace MiniMaxSharp.Models;

/// <summary>What a configuration amounts to, without a model.</summary>
/// <param name="Tensors">Tensors of a checkpoint in MiniMax-M1's layout.</param>
/// <param name="Parameters">Numbers in them.</param>
/// <param name="ActiveParameters">Those that a token is multiplied by: its experts' only, and no row of the embedding.</param>
/// <param name="HeadParameters">How many of these are the LM head's; published counts of active parameters leave them out.</param>
/// <param name="Bytes">Size of the checkpoint: routers in single precision, the rest as configured, in bfloat16 by default.</param>
/// <param name="StateBytes">Lightning states of a sequence, however long.</param>
/// <param name="CacheBytesPerToken">Keys and values that softmax layers keep of each token, stored as the weights are.</param>
internal sealed record ModelSize(
    long Tensors, long Parameters, long ActiveParameters, long HeadParameters, long Bytes, long StateBytes, long CacheBytesPerToken)
{
    public static ModelSize Of(MiniMaxConfig config)
    {
        int element = config.TorchDtype == "float32" ? 4 : 2;
        long tensors = 0, parameters = 0, active = 0, bytes = 0, head = (long)config.VocabSize * config.HiddenSize;
        foreach (ParameterSpec parameter in config.Parameters())
        {
            long count = Tensor.Product([.. parameter.Shape]);
            bool router = parameter.Name.EndsWith(".block_sparse_moe.gate.weight", StringComparison.Ordinal);
            tensors++;
            parameters += count;
            bytes += count * (router ? 4 : element);
            active += parameter.Name.Contains(".experts.", StringComparison.Ordinal) || parameter.Name is "model.embed_tokens.weight" or "lm_head.weight" ? 0 : count;
        }

        int softmax = config.AttnTypeList.Sum(), lightning = config.NumHiddenLayers - softmax;
        long experts = 3L * config.NumHiddenLayers * config.NumExpertsPerTok * config.IntermediateSize * config.HiddenSize;
        return new(
            tensors,
            parameters,
            active + experts + head,
            head,
            bytes,
            4L * lightning * config.NumAttentionHeads * config.HeadDim * config.HeadDim,
            2L * softmax * config.NumKeyValueHeads * config.HeadDim * element);
    }
}

/// <summary>
/// Floating-point operations of generating a text: each token costs the same, and each pair of tokens once more in every
/// softmax layer. How much a pair costs for each feature of a head is a convention: 4 counts the two products of the
/// forward pass, 6 fits figure 1 of the MiniMax-M1 report (arXiv 2506.13585).
/// </summary>
/// <param name="PerToken">Operations of a token without softmax attention.</param>
/// <param name="SoftmaxLayers">Layers that look back at every token.</param>
/// <param name="Heads">Their query heads.</param>
/// <param name="HeadDim">Features of a head; the mean of keys and values where they differ.</param>
internal sealed record GenerationCost(double PerToken, int SoftmaxLayers, int Heads, double HeadDim)
{
    // A state is decayed, gets k vᵀ added and is multiplied by q.
    private const int StateOperations = 5;

    public static GenerationCost Of(MiniMaxConfig config)
    {
        int softmax = config.AttnTypeList.Sum();
        double states = (double)(config.NumHiddenLayers - softmax) * config.NumAttentionHeads * config.HeadDim * config.HeadDim;
        return new(2.0 * ModelSize.Of(config).ActiveParameters + StateOperations * states, softmax, config.NumAttentionHeads, config.HeadDim);
    }

    /// <summary>Operations of <paramref name="length"/> tokens, at <paramref name="perPair"/> for each pair, head and feature.</summary>
    public double Of(double length, int perPair) =>
        PerToken * length + perPair / 2.0 * SoftmaxLayers * Heads * HeadDim * length * length;
}
