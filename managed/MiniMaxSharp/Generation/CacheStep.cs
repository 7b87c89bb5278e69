using System.Runtime.InteropServices;
using MiniMaxSharp.Generation;

namespace MiniMaxSharp;

/// <summary>
/// Where the new tokens of one forward pass go in the cache. Slots int32 [sequences] in the pools of lightning states; token
/// slots int64 [tokens] in the paged keys and values. Decoding: every sequence goes on by one token.
/// </summary>
internal sealed record CacheStep(ModelCache Cache, Tensor Slots, Tensor TokenSlots, PagedSequences Pages, bool Decoding);

/// <summary>
/// Paged sequences after the new tokens: lengths int32 [sequences], pages of each int32 [sequences, maxPages], and the
/// greatest length.
/// </summary>
internal sealed record PagedSequences(Tensor Lengths, Tensor Table, int MaxLength);

/// <summary>Where new tokens go, on the host: slots and lengths after them by sequence, token slots by token.</summary>
internal sealed record Placement(IReadOnlyList<CachedSequence> Sequences, int[] Slots, long[] TokenSlots, int[] Lengths)
{
    /// <summary>Pages of the sequence that has most; 0 in a model without softmax layers.</summary>
    public int MostPages => Sequences.Max(s => s.Pages.Count);

    /// <summary>The pages of each sequence, a row of <paramref name="width"/> numbers.</summary>
    public void WriteTable(Span<int> table, int width)
    {
        for (int i = 0; i < Sequences.Count; i++)
        {
            CollectionsMarshal.AsSpan(Sequences[i].Pages).CopyTo(table.Slice(i * width, width));
        }
    }
}
