namespace MiniMaxSharp.Generation;

/// <summary>What a <see cref="GenerationEngine"/> may use. All memory but the weights and one step's activations is reserved when it starts.</summary>
public sealed record EngineOptions
{
    /// <summary>Sequences at a time; others wait.</summary>
    public int MaxSequences { get; init; } = 64;

    /// <summary>
    /// Tokens of all sequences together for which softmax layers keep keys and values. A request takes its prompt and the new
    /// tokens it may ask for from here before it starts, so that none fails half-way.
    /// </summary>
    public long CacheTokens { get; init; } = 131072;

    /// <summary>Prompt tokens computed between two steps of decoding: more is faster in all, fewer delay the running texts less.</summary>
    public int PrefillTokens { get; init; } = 512;

    /// <summary>
    /// Memory for lightning states of prompts' beginnings, which later prompts that begin alike go on from; 0 remembers nothing.
    /// Their keys and values are within <see cref="CacheTokens"/>.
    /// </summary>
    public long SnapshotBytes { get; init; } = 256L << 20;

    /// <summary>
    /// Whether completions say which experts their tokens went to (see <see cref="Completion.Experts"/>). It costs a copy to the host
    /// for each layer and step.
    /// </summary>
    public bool RecordExperts { get; init; }

    /// <summary>Throws on a value that makes no sense, naming it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxSequences, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(CacheTokens, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(PrefillTokens, PrefixCache.Grain);
        ArgumentOutOfRangeException.ThrowIfNegative(SnapshotBytes);
    }
}
