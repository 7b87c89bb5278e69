namespace MiniMaxSharp;

/// <summary>
/// Sequences laid end to end without padding. Positions count from each sequence's start (or from where the cache
/// leaves off); nothing attends across a boundary.
/// </summary>
public sealed class PackedBatch : IDisposable
{
    internal PackedBatch(Tensor tokens, Tensor offsets, Tensor positions, int sequences, int maxLength)
    {
        Tokens = tokens;
        Offsets = offsets;
        Positions = positions;
        Sequences = sequences;
        MaxLength = maxLength;
    }

    /// <summary>Token ids, int32 [tokens].</summary>
    public Tensor Tokens { get; }

    /// <summary>Where sequences start and the last one ends, int32 [sequences + 1].</summary>
    public Tensor Offsets { get; }

    /// <summary>Position of each token in its sequence, int32 [tokens].</summary>
    public Tensor Positions { get; }

    /// <summary>Number of sequences.</summary>
    public int Sequences { get; }

    /// <summary>Length of the longest sequence, in tokens.</summary>
    public int MaxLength { get; }

    /// <summary>Number of tokens of all sequences.</summary>
    public long TokenCount => Tokens.Count;

    /// <summary>Packs the sequences in order; with <paramref name="past"/>, sequence i starts at position past[i].</summary>
    /// <exception cref="ArgumentException">There are no tokens.</exception>
    public static PackedBatch Create(Device device, IReadOnlyList<ReadOnlyMemory<int>> sequences, IReadOnlyList<int>? past = null)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        int total = sequences.Sum(s => s.Length);
        if (total == 0)
        {
            throw new ArgumentException("A batch needs at least one token.", nameof(sequences));
        }

        var tokens = new int[total];
        var positions = new int[total];
        var offsets = new int[sequences.Count + 1];
        for (int i = 0; i < sequences.Count; i++)
        {
            ReadOnlySpan<int> sequence = sequences[i].Span;
            int start = offsets[i], first = past?[i] ?? 0;
            sequence.CopyTo(tokens.AsSpan(start));
            for (int t = 0; t < sequence.Length; t++)
            {
                positions[start + t] = first + t;
            }

            offsets[i + 1] = start + sequence.Length;
        }

        return new PackedBatch(
            Tensor.From<int>(device, tokens, total),
            Tensor.From<int>(device, offsets, offsets.Length),
            Tensor.From<int>(device, positions, total),
            sequences.Count,
            sequences.Max(s => s.Length));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Tokens.Dispose();
        Offsets.Dispose();
        Positions.Dispose();
    }
}
