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
/// lowest rank merges first, the leftmost among equals; a queue of pairs makes that O(n log n) in the piece's bytes.
/// Safe to use from several threads.
/// </summary>
internal sealed class BytePairModel
{
    private const int MaxCachedPieces = 1 << 16;
    private const int MaxCachedLength = 64;
    private const int MaxStackBytes = 512;
    private const int MaxStackNodes = 128;
    private const int Unknown = -1;

    private readonly MergeTable _ranks;
    private readonly int[] _idOfRank;
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
        _idOfRank = [.. vocabulary.Merges.Select(merge => ids[merge.Left + merge.Right])];
        _ranks = new MergeTable(vocabulary.Merges.Count);
        for (var rank = 0; rank < _idOfRank.Length; rank++)
        {
            _ranks[ids[vocabulary.Merges[rank].Left], ids[vocabulary.Merges[rank].Right]] = rank;
        }

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

    /// <summary>How many bytes a token of so many takes here: an unknown one has another length than its name.</summary>
    public int LengthAt(ReadOnlySpan<byte> bytes, int known)
    {
        if (_idOfByte[bytes[0]] != Unknown)
        {
            return known;
        }

        var run = 1;
        while (_fuseUnknown && run < bytes.Length && _idOfByte[bytes[run]] == Unknown)
        {
            run++;
        }

        return run;
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
        var queue = new MergeQueue(nodes.Length);
        for (var i = 0; i < nodes.Length; i++)
        {
            nodes[i].Rank = RankAt(i, nodes);
            queue.AddFirst(nodes[i].Rank, i);
        }

        queue.Sort();
        while (queue.TryTake(out var rank, out var position))
        {
            // A pair that has changed since it was queued has another rank by now, or none.
            if (nodes[position].Rank == rank)
            {
                MergeAt(position, rank, nodes, ref queue);
            }
        }

        queue.Dispose();
    }

    private void MergeAt(int position, int rank, Span<Node> nodes, ref MergeQueue queue)
    {
        ref var left = ref nodes[position];
        ref var right = ref nodes[left.Next];
        left.Symbol = _idOfRank[rank];
        left.Next = right.Next;
        right.Rank = MergeTable.NoMerge;
        if (left.Next < nodes.Length)
        {
            nodes[left.Next].Previous = position;
        }

        Queue(position, nodes, ref queue);
        if (left.Previous >= 0)
        {
            Queue(left.Previous, nodes, ref queue);
        }
    }

    private void Queue(int position, Span<Node> nodes, ref MergeQueue queue)
    {
        nodes[position].Rank = RankAt(position, nodes);
        queue.Add(nodes[position].Rank, position);
    }

    private int RankAt(int position, Span<Node> nodes)
    {
        var next = nodes[position].Next;
        return next < nodes.Length ? _ranks[nodes[position].Symbol, nodes[next].Symbol] : MergeTable.NoMerge;
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
