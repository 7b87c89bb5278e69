namespace MiniMaxSharp.Generation;

/// <summary>How to continue a prompt. Checked by <see cref="Validate"/> before anything runs.</summary>
public sealed record GenerationOptions
{
    /// <summary>Tokens to generate at most, for each sequence.</summary>
    public int MaxNewTokens { get; init; } = 256;

    /// <summary>Divides the logits; 0 always takes the most probable token.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Smallest set of tokens whose probability reaches this; 1: all.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Number of most probable tokens to choose from; 0: all.</summary>
    public int TopK { get; init; }

    /// <summary>Tokens less probable than this share of the most probable one are left out; 0: none.</summary>
    public float MinP { get; init; }

    /// <summary>Tokens that end a sequence; they are part of it.</summary>
    public IReadOnlyList<int> StopTokens { get; init; } = [];

    /// <summary>
    /// A sequence ends when so many consecutive tokens each had a probability above <see cref="RepetitionProbability"/>: a
    /// model that repeats itself is sure of it (MiniMax-M1 report, section 3.2).
    /// </summary>
    public int RepetitionTokens { get; init; } = 3000;

    /// <summary>See <see cref="RepetitionTokens"/>.</summary>
    public float RepetitionProbability { get; init; } = 0.99f;

    /// <summary>Sequences that are generated at the same time. No text depends on it.</summary>
    public int MaxBatch { get; init; } = 512;

    /// <summary>Throws on a value that makes no sense, naming it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(MaxNewTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(Temperature);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(TopP);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(TopP, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(TopK);
        ArgumentOutOfRangeException.ThrowIfNegative(MinP);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MinP, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(RepetitionTokens);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MaxBatch);
    }
}

/// <summary>A prompt to continue one or several times. The same seed gives the same texts, whatever else is in the batch.</summary>
/// <param name="Prompt">Token ids; at least one.</param>
/// <param name="Seed">Of the random choices; sample j uses a number of its own derived from it.</param>
/// <param name="Samples">How many continuations; the prompt is computed once for all of them.</param>
public sealed record GenerationRequest(ReadOnlyMemory<int> Prompt, ulong Seed = 0, int Samples = 1);

/// <summary>Why a sequence ended.</summary>
public enum FinishReason
{
    /// <summary>A stop token.</summary>
    Stop,

    /// <summary><see cref="GenerationOptions.MaxNewTokens"/>.</summary>
    Length,

    /// <summary><see cref="GenerationOptions.RepetitionTokens"/>.</summary>
    Repetition,
}

/// <summary>One continuation of a prompt.</summary>
/// <param name="Tokens">The new tokens, the stop token included.</param>
/// <param name="LogProbabilities">Of each under the untempered, uncut distribution.</param>
/// <param name="Reason">Why it ended.</param>
public sealed record Completion(int[] Tokens, float[] LogProbabilities, FinishReason Reason);
