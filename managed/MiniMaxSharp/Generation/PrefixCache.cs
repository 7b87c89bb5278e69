namespace MiniMaxSharp.Generation;

/// <summary>
/// Snapshots of prompts' beginnings: full pages by reference, states by copy, the least recently used out first. They are
/// taken at multiples of <see cref="Grain"/> tokens and while a prompt is computed only, where going on gives the same bits as
/// computing from the start: no text depends on what is remembered.
/// </summary>
internal sealed class PrefixCache(ModelCache cache, int capacity)
{
    /// <summary>Tokens of a chunk of the lightning scan, which cuts count in; a multiple of a page.</summary>
    public const int Grain = 64;

    private readonly LinkedList<Snapshot> _snapshots = [];

    /// <summary>Snapshots held at most.</summary>
    public int Capacity => capacity;

    /// <summary>Snapshots held.</summary>
    public int Count => _snapshots.Count;

    /// <summary>The longest snapshot that begins the prompt and leaves a token of it to compute.</summary>
    public CachedSequence? Find(ReadOnlySpan<int> prompt)
    {
        LinkedListNode<Snapshot>? best = null;
        for (LinkedListNode<Snapshot>? node = _snapshots.First; node is not null; node = node.Next)
        {
            int length = node.Value.Tokens.Length;
            if (length < prompt.Length && length > (best?.Value.Tokens.Length ?? 0) && prompt.StartsWith(node.Value.Tokens))
            {
                best = node;
            }
        }

        if (best is null)
        {
            return null;
        }

        _snapshots.Remove(best);
        _snapshots.AddFirst(best);
        return best.Value.Sequence;
    }

    /// <summary>Where a prompt parts from what is remembered, at the grain: worth a snapshot. 0 if nowhere.</summary>
    public int Branch(ReadOnlySpan<int> prompt)
    {
        int branch = 0;
        foreach (Snapshot snapshot in _snapshots)
        {
            branch = Math.Max(branch, Align(prompt.CommonPrefixLength(snapshot.Tokens)));
        }

        return branch;
    }

    /// <summary>Remembers a sequence that holds exactly these tokens.</summary>
    public void Add(ReadOnlySpan<int> tokens, CachedSequence sequence)
    {
        foreach (Snapshot known in _snapshots)
        {
            if (tokens.SequenceEqual(known.Tokens))
            {
                return;
            }
        }

        if (capacity == 0)
        {
            return;
        }

        if (_snapshots.Count == capacity)
        {
            Evict();
        }

        _snapshots.AddFirst(new Snapshot(tokens.ToArray(), cache.Fork(sequence)));
    }

    /// <summary>Forgets the least recently used; false if there is none.</summary>
    public bool Evict()
    {
        if (_snapshots.Last is not { } last)
        {
            return false;
        }

        cache.Remove(last.Value.Sequence);
        _snapshots.RemoveLast();
        return true;
    }

    /// <summary>The last cut at or before a length.</summary>
    public static int Align(int length) => length / Grain * Grain;

    private sealed record Snapshot(int[] Tokens, CachedSequence Sequence);
}
