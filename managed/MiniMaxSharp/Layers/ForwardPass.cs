namespace MiniMaxSharp.Layers;

/// <summary>
/// What all layers of one forward pass share. Without a cache every sequence is complete in the batch; with one, the
/// batch brings new tokens of sequences that the cache holds.
/// </summary>
internal sealed record ForwardPass(PackedBatch Batch, Tensor InverseFrequencies)
{
    /// <summary>Cached sequences of the batch, in its order.</summary>
    public CacheStep? Cache { get; init; }

    /// <summary>Router logits [tokens, experts] by layer, for the auxiliary loss.</summary>
    public List<Tensor> RouterLogits { get; init; } = [];

    /// <summary>Collects the experts that tokens go to, int32 [tokens, topK] by layer, where a list is given.</summary>
    public List<Tensor>? ExpertChoices { get; init; }

    /// <summary>Experts to go to in place of the routers' choices, int32 [tokens, topK] by layer; weighed by this model's routers.</summary>
    public IReadOnlyList<Tensor>? Replay { get; init; }

    /// <summary>
    /// Tokens of left padding, which lightning attention passes over: zero q, k and v give what the published code's zero v gives.
    /// For comparison with the reference.
    /// </summary>
    public IReadOnlyList<int> LeftPadding { get; init; } = [];

    /// <summary>Sees intermediate results by name ("attn_out.3"); for comparison with the reference.</summary>
    public Action<string, Tensor>? Observe { get; init; }
}
