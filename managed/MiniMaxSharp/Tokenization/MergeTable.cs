using System.Numerics;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// The ranks of pairs of ids. Open addressing with most places empty, so that a look-up, of which a text takes many,
/// waits for memory once.
/// </summary>
internal sealed class MergeTable
{
    /// <summary>Not the rank of any pair.</summary>
    public const int NoMerge = -1;

    private readonly Entry[] _entries;
    private readonly int _shift;

    public MergeTable(int pairs)
    {
        var size = Math.Max(4, BitOperations.RoundUpToPowerOf2((uint)pairs * 2));
        _entries = new Entry[size];
        Array.Fill(_entries, new Entry(0, NoMerge));
        _shift = 64 - BitOperations.Log2(size);
    }

    /// <summary>The rank of a pair, or <see cref="NoMerge"/>; of a pair set twice the later one.</summary>
    public int this[int left, int right]
    {
        get => EntryOf(left, right).Rank;
        set => EntryOf(left, right) = new Entry(Key(left, right), value);
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    /// <summary>The pair's entry, or the empty one that it would take.</summary>
    private ref Entry EntryOf(int left, int right)
    {
        var key = Key(left, right);
        var at = (int)((key * 0x9E3779B97F4A7C15) >> _shift);
        while (_entries[at].Rank != NoMerge && _entries[at].Key != key)
        {
            at = (at + 1) & (_entries.Length - 1);
        }

        return ref _entries[at];
    }

    private readonly record struct Entry(ulong Key, int Rank);
}
