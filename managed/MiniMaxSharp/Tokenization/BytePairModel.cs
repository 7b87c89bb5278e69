using System.Buffers;
using System.Collections.Concurrent;
using System.Text;

namespace MiniMaxSharp.Tokenization;

/// <summary>A byte-level BPE vocabulary: token strings are written in <see cref="ByteSymbols"/>.</summary>
internal sealed record BytePairVocabulary(
    Dictionary<string, int> Ids,
    IReadOnlyList<(string Left, string Right)> Merges)
{
    /// <summary>Stands for a byte whose symbol is not in the vocabulary; null when there is no such token.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>Whether a run of unknown bytes gives one unknown token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Whether a piece that is a token as a whole is taken as it is, without merging.</summary>
    public bool IgnoreMerges { get; init; }
}

/// <summary>
/// Byte-pair encoding of one piece of text at a time (Sennrich et al. 2016). Of all adjacent pairs the one with the
/// lowest rank merges first, the leftmost among equals; a heap of pairs makes that O(n log n) in the piece's bytes.
/// Safe to use from several threads.
/// </summary>
internal sealed class BytePairModel
{
    private const int MaxCachedPieces = 1 << 16;
    private const int MaxCachedLength = 64;
    private const int MaxStackBytes = 512;
    private const int MaxStackNodes = 128;
    private const int NoMerge = -1;
    private const int Unknown = -1;

    private readonly Dictionary<ulong, Merge> _merges;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _idOfSymbols;
    private readonly int[] _idOfByte = new int[256];
    private readonly int? _unknownId;
    private readonly bool _fuseUnknown;
    private readonly bool _ignoreMerges;
    private readonly ConcurrentDictionary<string, int[]> _cache = new();
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _cached;
    private int _cachedPieces;

    /// <summary>Whoever read the vocabulary has checked that it holds the tokens of all merges.</summary>
    public BytePairModel(BytePairVocabulary vocabulary)
    {
        var ids = vocabulary.Ids;
        _idOfSymbols = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        _merges = BuildMerges(vocabulary.Merges, ids);
        for (var value = 0; value < 256; value++)
        {
            _idOfByte[value] = ids.GetValueOrDefault(ByteSymbols.SymbolOf((byte)value).ToString(), Unknown);
        }

        _unknownId = vocabulary.UnknownToken is { } token ? ids[token] : null;
        _fuseUnknown = vocabulary.FuseUnknown;
        _ignoreMerges = vocabulary.IgnoreMerges;
    }

    /// <summary>Appends the ids of the piece. An unpaired surrogate counts as U+FFFD.</summary>
    /// <exception cref="InvalidOperationException">A byte has no symbol in the vocabulary and there is no unknown token.</exception>
    public void Encode(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (_cached.TryGetValue(piece, out var known))
        {
            ids.AddRange(known);
            return;
        }

        var first = ids.Count;
        EncodeUncached(piece, ids);
        if (piece.Length <= MaxCachedLength && _cachedPieces < MaxCachedPieces)
        {
            Interlocked.Increment(ref _cachedPieces);
            _cache.TryAdd(piece.ToString(), ids[first..].ToArray());
        }
    }

    private void EncodeUncached(ReadOnlySpan<char> piece, List<int> ids)
    {
        var size = Encoding.UTF8.GetMaxByteCount(piece.Length);
        var rented = size > MaxStackBytes ? ArrayPool<byte>.Shared.Rent(size) : null;
        var buffer = rented ?? stackalloc byte[MaxStackBytes];
        var bytes = buffer[..Encoding.UTF8.GetBytes(piece, buffer)];
        if (_ignoreMerges && TryWhole(bytes, out var whole))
        {
            ids.Add(whole);
        }
        else
        {
            MergeBytes(bytes, ids);
        }

        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private bool TryWhole(ReadOnlySpan<byte> bytes, out int id)
    {
        var symbols = bytes.Length <= MaxStackBytes ? stackalloc char[bytes.Length] : new char[bytes.Length];
        ByteSymbols.WriteSymbols(bytes, symbols);
        return _idOfSymbols.TryGetValue(symbols, out id);
    }

    private void MergeBytes(ReadOnlySpan<byte> bytes, List<int> ids)
    {
        var rented = bytes.Length > MaxStackNodes ? ArrayPool<Node>.Shared.Rent(bytes.Length) : null;
        var buffer = rented ?? stackalloc Node[MaxStackNodes];
        var nodes = buffer[..bytes.Length];
        for (var i = 0; i < nodes.Length; i++)
        {
            nodes[i] = new Node { Symbol = SymbolOf(bytes[i]), Previous = i - 1, Next = i + 1 };
        }

        MergeNodes(nodes);
        for (var i = 0; i < nodes.Length; i = nodes[i].Next)
        {
            AppendId(nodes[i].Symbol, i > 0, ids);
        }

        if (rented is not null)
        {
            ArrayPool<Node>.Shared.Return(rented);
        }
    }

    private void MergeNodes(Span<Node> nodes)
    {
        var heap = new MergeHeap(nodes.Length);
        for (var i = 0; i < nodes.Length; i++)
        {
            nodes[i].Rank = RankAt(i, nodes);
            heap.AddUnordered(nodes[i].Rank, i);
        }

        heap.Order();
        while (heap.TryTake(out var rank, out var position))
        {
            // A pair that has changed since it was queued has another rank by now, or none.
            if (nodes[position].Rank == rank)
            {
                MergeAt(position, nodes, ref heap);
            }
        }

        heap.Dispose();
    }

    private void MergeAt(int position, Span<Node> nodes, ref MergeHeap heap)
    {
        ref var left = ref nodes[position];
        ref var right = ref nodes[left.Next];
        left.Symbol = _merges[PairKey(left.Symbol, right.Symbol)].Id;
        left.Next = right.Next;
        right.Rank = NoMerge;
        if (left.Next < nodes.Length)
        {
            nodes[left.Next].Previous = position;
        }

        Queue(position, nodes, ref heap);
        if (left.Previous >= 0)
        {
            Queue(left.Previous, nodes, ref heap);
        }
    }

    private void Queue(int position, Span<Node> nodes, ref MergeHeap heap)
    {
        nodes[position].Rank = RankAt(position, nodes);
        heap.Add(nodes[position].Rank, position);
    }

    private int RankAt(int position, Span<Node> nodes)
    {
        var next = nodes[position].Next;
        return next < nodes.Length && _merges.TryGetValue(PairKey(nodes[position].Symbol, nodes[next].Symbol), out var merge)
            ? merge.Rank
            : NoMerge;
    }

    private int SymbolOf(byte value)
    {
        var id = _idOfByte[value];
        return id != Unknown || _unknownId is not null
            ? id
            : throw new InvalidOperationException(
                $"The vocabulary has neither the symbol '{ByteSymbols.SymbolOf(value)}' of byte 0x{value:X2} nor an unknown token.");
    }

    private void AppendId(int symbol, bool inside, List<int> ids)
    {
        var id = symbol == Unknown ? _unknownId!.Value : symbol;
        if (symbol != Unknown || !_fuseUnknown || !inside || ids[^1] != id)
        {
            ids.Add(id);
        }
    }

    private static Dictionary<ulong, Merge> BuildMerges(
        IReadOnlyList<(string Left, string Right)> merges, Dictionary<string, int> ids)
    {
        var result = new Dictionary<ulong, Merge>(merges.Count);
        for (var rank = 0; rank < merges.Count; rank++)
        {
            var (left, right) = merges[rank];
            result[PairKey(ids[left], ids[right])] = new Merge(rank, ids[left + right]);
        }

        return result;
    }

    /// <summary>
    /// One key a pair. The odd factor keeps keys apart and mixes the halves, which the hash code joins by exclusive or:
    /// without it, all pairs of a token with itself would share one bucket.
    /// </summary>
    private static ulong PairKey(int left, int right) => (((ulong)(uint)left << 32) | (uint)right) * 0x9E3779B97F4A7C15;

    private readonly record struct Merge(int Rank, int Id);

    /// <summary>A symbol in a linked list over positions; the last one's next is the number of positions.</summary>
    private struct Node
    {
        public int Symbol;
        public int Previous;
        public int Next;

        /// <summary>The rank of the pair that begins here.</summary>
        public int Rank;
    }
}
