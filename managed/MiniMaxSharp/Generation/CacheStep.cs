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
