using System.Buffers;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// Pairs to merge, (rank, position) in one long each: lowest rank first, then leftmost position. Those that a piece
/// begins with are sorted once; a heap, which stays small so, holds what merging adds.
/// </summary>
internal ref struct MergeQueue(int capacity)
{
    private long[] _first = ArrayPool<long>.Shared.Rent(capacity);
    private int _firstCount;
    private int _taken;
    private long[] _heap = ArrayPool<long>.Shared.Rent(16);
    private int _count;

    /// <summary>Adds one of the pairs, at most as many as the capacity, that are there before merging; a negative rank is left out.</summary>
    public void AddFirst(int rank, int position)
    {
        if (rank >= 0)
        {
            _first[_firstCount++] = Item(rank, position);
        }
    }

    /// <summary>To be called after the last of the first pairs.</summary>
    public readonly void Sort() => _first.AsSpan(0, _firstCount).Sort();

    /// <summary>Adds a pair made by merging; a negative rank is left out.</summary>
    public void Add(int rank, int position)
    {
        if (rank < 0)
        {
            return;
        }

        if (_count == _heap.Length)
        {
            Grow();
        }

        _heap[_count] = Item(rank, position);
        SiftUp(_count++);
    }

    public bool TryTake(out int rank, out int position)
    {
        long lowest = 0;
        var any = _taken < _firstCount || _count > 0;
        if (_taken < _firstCount && (_count == 0 || _first[_taken] <= _heap[0]))
        {
            lowest = _first[_taken++];
        }
        else if (any)
        {
            lowest = _heap[0];
            _heap[0] = _heap[--_count];
            SiftDown();
        }

        (rank, position) = ((int)(lowest >> 32), (int)lowest);
        return any;
    }

    public void Dispose()
    {
        ArrayPool<long>.Shared.Return(_first);
        ArrayPool<long>.Shared.Return(_heap);
        (_first, _heap, _firstCount, _count) = ([], [], 0, 0);
    }

    private static long Item(int rank, int position) => ((long)rank << 32) | (uint)position;

    private readonly void SiftUp(int index)
    {
        var item = _heap[index];
        for (int parent; index > 0 && item < _heap[parent = (index - 1) / 2]; index = parent)
        {
            _heap[index] = _heap[parent];
        }

        _heap[index] = item;
    }

    private readonly void SiftDown()
    {
        var index = 0;
        var item = _heap[0];
        for (int child; (child = (2 * index) + 1) < _count; index = child)
        {
            if (child + 1 < _count && _heap[child + 1] < _heap[child])
            {
                child++;
            }

            if (item <= _heap[child])
            {
                break;
            }

            _heap[index] = _heap[child];
        }

        _heap[index] = item;
    }

    private void Grow()
    {
        var larger = ArrayPool<long>.Shared.Rent(_heap.Length * 2);
        _heap.AsSpan(0, _count).CopyTo(larger);
        ArrayPool<long>.Shared.Return(_heap);
        _heap = larger;
    }
}
