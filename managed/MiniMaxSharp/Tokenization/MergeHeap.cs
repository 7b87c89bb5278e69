using System.Buffers;

namespace MiniMaxSharp.Tokenization;

/// <summary>A binary min-heap of (rank, position) in one long each: lowest rank first, then leftmost position.</summary>
internal ref struct MergeHeap
{
    private long[] _items;
    private int _count;

    public MergeHeap(int capacity) => _items = ArrayPool<long>.Shared.Rent(Math.Max(capacity, 16));

    /// <summary>Adds without keeping the order, which <see cref="Order"/> then makes; a negative rank is left out.</summary>
    public void AddUnordered(int rank, int position)
    {
        if (rank < 0)
        {
            return;
        }

        if (_count == _items.Length)
        {
            Grow();
        }

        _items[_count++] = ((long)rank << 32) | (uint)position;
    }

    public readonly void Order()
    {
        for (var i = (_count / 2) - 1; i >= 0; i--)
        {
            SiftDown(i);
        }
    }

    public void Add(int rank, int position)
    {
        var before = _count;
        AddUnordered(rank, position);
        if (_count > before)
        {
            SiftUp(before);
        }
    }

    public bool TryTake(out int rank, out int position)
    {
        if (_count == 0)
        {
            (rank, position) = (0, 0);
            return false;
        }

        var lowest = _items[0];
        (rank, position) = ((int)(lowest >> 32), (int)lowest);
        _items[0] = _items[--_count];
        SiftDown(0);
        return true;
    }

    public void Dispose()
    {
        ArrayPool<long>.Shared.Return(_items);
        _items = [];
        _count = 0;
    }

    private readonly void SiftUp(int index)
    {
        var item = _items[index];
        for (int parent; index > 0 && item < _items[parent = (index - 1) / 2]; index = parent)
        {
            _items[index] = _items[parent];
        }

        _items[index] = item;
    }

    private readonly void SiftDown(int index)
    {
        var item = _items[index];
        for (int child; (child = (2 * index) + 1) < _count; index = child)
        {
            if (child + 1 < _count && _items[child + 1] < _items[child])
            {
                child++;
            }

            if (item <= _items[child])
            {
                break;
            }

            _items[index] = _items[child];
        }

        _items[index] = item;
    }

    private void Grow()
    {
        var larger = ArrayPool<long>.Shared.Rent(_items.Length * 2);
        _items.AsSpan(0, _count).CopyTo(larger);
        ArrayPool<long>.Shared.Return(_items);
        _items = larger;
    }
}
