using MiniMaxSharp.Models;

namespace MiniMaxSharp.Generation;

/// <summary>
/// What a model remembers of sequences: for each lightning layer one state [heads, d, d] a sequence, in single precision
/// and of constant size; for each softmax layer the keys and values in pages of 16 tokens.
/// </summary>
public sealed class ModelCache : IDisposable
{
    /// <summary>Tokens a page holds.</summary>
    public const int PageSize = 16;

    private readonly Device _device;
    private readonly Tensor?[] _states;
    private readonly (Tensor Keys, Tensor Values)?[] _pages;
    private readonly Stack<int> _freeSlots = [];
    private readonly Stack<int> _freePages = [];
    private readonly int _maxSequences;
    private readonly int[] _pageOwners;
    private readonly bool _paged;

    /// <summary>Reserves memory for so many sequences and, over all of them, so many tokens.</summary>
    /// <param name="model">Whose layers decide what is kept.</param>
    /// <param name="maxSequences">Sequences at a time.</param>
    /// <param name="maxTokens">Tokens of all sequences together; rounded up to whole pages for each.</param>
    public ModelCache(MiniMaxForCausalLM model, int maxSequences, long maxTokens)
        : this(model, maxSequences, maxTokens, spareSlots: 0)
    {
    }

    /// <summary>As above; with slots to spare, and a page, for rows of a step that stand for no sequence.</summary>
    internal ModelCache(MiniMaxForCausalLM model, int maxSequences, long maxTokens, int spareSlots)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSequences, 1);
        MiniMaxConfig config = model.Config;
        _device = model.Device;
        _maxSequences = maxSequences;
        _paged = config.AttnTypeList.Contains(1);
        int pages = _paged ? checked((int)((maxTokens + PageSize - 1) / PageSize + maxSequences)) : 0;
        _pageOwners = new int[pages];
        _states = new Tensor?[config.NumHiddenLayers];
        _pages = new (Tensor, Tensor)?[config.NumHiddenLayers];
        int sparePages = spareSlots > 0 ? 1 : 0;
        for (int layer = 0; layer < config.NumHiddenLayers; layer++)
        {
            if (config.AttnTypeList[layer] == 0)
            {
                _states[layer] = Tensor.Empty(_device, ElementType.Float32, maxSequences + spareSlots, config.NumAttentionHeads, config.HeadDim, config.HeadDim);
            }
            else
            {
                long[] shape = [pages + sparePages, PageSize, config.NumKeyValueHeads, config.HeadDim];
                _pages[layer] = (Tensor.Empty(_device, model.ElementType, shape), Tensor.Empty(_device, model.ElementType, shape));
            }
        }

        foreach (Tensor? states in _states)
        {
            ClearBehind(states, maxSequences);
        }

        foreach ((Tensor Keys, Tensor Values)? layer in _pages)
        {
            ClearBehind(layer?.Keys, pages);
            ClearBehind(layer?.Values, pages);
        }

        for (int i = maxSequences - 1; i >= 0; i--)
        {
            _freeSlots.Push(i);
        }

        for (int i = pages - 1; i >= 0; i--)
        {
            _freePages.Push(i);
        }
    }

    /// <summary>Sequences that can still be added.</summary>
    public int FreeSequences => _freeSlots.Count;

    /// <summary>Starts an empty sequence.</summary>
    /// <exception cref="InvalidOperationException">The cache holds as many sequences as it was made for.</exception>
    public CachedSequence Add()
    {
        CachedSequence sequence = Take();
        foreach (Tensor? states in _states)
        {
            if (states is not null)
            {
                using Tensor state = states.Slice(sequence.Slot, 1);
                state.Zero();
            }
        }

        return sequence;
    }

    /// <summary>
    /// Starts a sequence that continues another one: full pages are shared, the states and the last page, if it is not full,
    /// are copied.
    /// </summary>
    /// <exception cref="InvalidOperationException">There is no place for a sequence, or no page for the copy.</exception>
    public CachedSequence Fork(CachedSequence source)
    {
        ArgumentNullException.ThrowIfNull(source);
        int shared = _paged ? source.Length / PageSize : 0;
        if (_paged && source.Length % PageSize > 0 && _freePages.Count == 0)
        {
            throw NoPage(source.Length);
        }

        CachedSequence fork = Take();
        foreach (Tensor? states in _states)
        {
            if (states is not null)
            {
                using Tensor from = states.Slice(source.Slot, 1);
                using Tensor to = states.Slice(fork.Slot, 1);
                to.CopyFrom(from);
            }
        }

        foreach (int page in source.Pages.Take(shared))
        {
            _pageOwners[page]++;
            fork.Pages.Add(page);
        }

        Extend(fork, source.Length);
        if (fork.Pages.Count > shared)
        {
            CopyPage(source.Pages[shared], fork.Pages[shared]);
        }

        fork.Length = source.Length;
        fork.Experts = source.Experts is null ? null : [.. source.Experts];
        return fork;
    }

    /// <summary>Gives a sequence's memory back.</summary>
    public void Remove(CachedSequence sequence)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        _freeSlots.Push(sequence.Slot);
        foreach (int page in sequence.Pages)
        {
            if (--_pageOwners[page] == 0)
            {
                _freePages.Push(page);
            }
        }

        sequence.Pages.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor? states in _states)
        {
            states?.Dispose();
        }

        foreach ((Tensor Keys, Tensor Values)? pages in _pages)
        {
            pages?.Keys.Dispose();
            pages?.Values.Dispose();
        }
    }

    /// <summary>Writes to all of the memory once: until then the system has only promised it.</summary>
    internal void Commit()
    {
        foreach (Tensor? states in _states)
        {
            states?.Zero();
        }

        foreach ((Tensor Keys, Tensor Values)? pages in _pages)
        {
            pages?.Keys.Zero();
            pages?.Values.Zero();
        }
    }

    /// <summary>Pages that no sequence holds.</summary>
    internal int FreePages => _freePages.Count;

    /// <summary>Pages in all; 0 in a model without softmax layers.</summary>
    internal int TotalPages => _pageOwners.Length;

    /// <summary>The first of the slots to spare, which no sequence ever has.</summary>
    internal int FirstSpareSlot => _maxSequences;

    /// <summary>The page to spare, which no sequence ever has.</summary>
    internal int SparePage => TotalPages;

    /// <summary>Bytes of the states that a model keeps of one sequence, whatever its length.</summary>
    internal static long StateBytes(MiniMaxConfig config) =>
        4L * config.AttnTypeList.Count(kind => kind == 0) * config.NumAttentionHeads * config.HeadDim * config.HeadDim;

    /// <summary>Pages that a sequence of so many tokens takes.</summary>
    internal int PagesFor(long tokens) => _paged ? checked((int)((tokens + PageSize - 1) / PageSize)) : 0;

    /// <summary>
    /// Makes room for new tokens of the sequences and says where they go; lengths count them from then on. One token more of a
    /// sequence is a step of decoding, which rounds otherwise than a piece of a prompt does.
    /// </summary>
    internal CacheStep Step(IReadOnlyList<CachedSequence> sequences, IReadOnlyList<int> newTokens, bool decoding)
    {
        Placement place = Place(sequences, newTokens);
        int width = Math.Max(place.MostPages, 1);
        var table = new int[sequences.Count * width];
        place.WriteTable(table, width);
        return new CacheStep(
            this,
            Tensor.From<int>(_device, place.Slots, place.Slots.Length),
            Tensor.From<long>(_device, place.TokenSlots, place.TokenSlots.Length),
            new PagedSequences(
                Tensor.From<int>(_device, place.Lengths, place.Lengths.Length),
                Tensor.From<int>(_device, table, sequences.Count, width),
                place.Lengths.Max()),
            decoding);
    }

    /// <summary>The same on the host.</summary>
    internal Placement Place(IReadOnlyList<CachedSequence> sequences, IReadOnlyList<int> newTokens)
    {
        for (int i = 0; i < sequences.Count; i++)
        {
            Extend(sequences[i], sequences[i].Length + newTokens[i]);
        }

        var lengths = new int[sequences.Count];
        var tokenSlots = new long[newTokens.Sum()];
        int token = 0;
        for (int i = 0; i < sequences.Count; i++)
        {
            CachedSequence sequence = sequences[i];
            for (int t = 0; t < newTokens[i]; t++, sequence.Length++)
            {
                tokenSlots[token++] = _paged ? (long)sequence.Pages[sequence.Length / PageSize] * PageSize + sequence.Length % PageSize : 0;
            }

            lengths[i] = sequence.Length;
        }

        return new Placement(sequences, [.. sequences.Select(s => s.Slot)], tokenSlots, lengths);
    }

    internal Tensor LightningStates(int layer) => _states[layer]!;

    internal (Tensor Keys, Tensor Values) Pages(int layer) => _pages[layer]!.Value;

    /// <summary>A sequence's state of a lightning layer, [heads, d, d].</summary>
    internal float[] ReadState(int layer, CachedSequence sequence)
    {
        using Tensor state = _states[layer]!.Slice(sequence.Slot, 1);
        return state.ToFloats();
    }

    /// <summary>A sequence's rotated keys, and values, of a softmax layer, [length, kvHeads, d].</summary>
    internal (float[] Keys, float[] Values) ReadPages(int layer, CachedSequence sequence)
    {
        (Tensor keys, Tensor values) = Pages(layer);
        return (Gather(keys), Gather(values));

        float[] Gather(Tensor tensor)
        {
            var rows = new List<float>();
            foreach (int page in sequence.Pages)
            {
                using Tensor slice = tensor.Slice(page, 1);
                rows.AddRange(slice.ToFloats());
            }

            long width = tensor.Shape[2] * tensor.Shape[3];
            return [.. rows.Take((int)(sequence.Length * width))];
        }
    }

    // Whatever is to spare goes through the layers: it should be numbers.
    private static void ClearBehind(Tensor? tensor, int used)
    {
        if (tensor is not null)
        {
            using Tensor spare = tensor.Slice(used, tensor.Shape[0] - used);
            spare.Zero();
        }
    }

    private void Extend(CachedSequence sequence, int length)
    {
        for (int needed = PagesFor(length); sequence.Pages.Count < needed;)
        {
            if (!_freePages.TryPop(out int page))
            {
                throw NoPage(length);
            }

            _pageOwners[page] = 1;
            sequence.Pages.Add(page);
        }
    }

    private CachedSequence Take() => _freeSlots.TryPop(out int slot)
        ? new CachedSequence(slot)
        : throw new InvalidOperationException($"The cache holds {_maxSequences} sequences already; it was made for no more.");

    private static InvalidOperationException NoPage(int length) =>
        new($"The cache has no page left for a sequence of {length} tokens; make it with room for more tokens.");

    private void CopyPage(int from, int to)
    {
        foreach ((Tensor Keys, Tensor Values)? pages in _pages)
        {
            if (pages is { } p)
            {
                CopyRow(p.Keys, from, to);
                CopyRow(p.Values, from, to);
            }
        }
    }

    private static void CopyRow(Tensor tensor, int from, int to)
    {
        using Tensor source = tensor.Slice(from, 1);
        using Tensor destination = tensor.Slice(to, 1);
        destination.CopyFrom(source);
    }
}

/// <summary>A sequence in a <see cref="ModelCache"/>.</summary>
public sealed class CachedSequence
{
    internal CachedSequence(int slot) => Slot = slot;

    /// <summary>Tokens that the cache holds of it.</summary>
    public int Length { get; internal set; }

    internal int Slot { get; }

    internal List<int> Pages { get; } = [];

    /// <summary>Experts that its tokens went to, [tokens, layers, experts per token], where they are recorded.</summary>
    internal List<ushort>? Experts { get; set; }
}
