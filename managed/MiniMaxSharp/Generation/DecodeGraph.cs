using System.Runtime.InteropServices;
using MiniMaxSharp.Models;
using MiniMaxSharp.Native;

namespace MiniMaxSharp.Generation;

/// <summary>
/// A step of decoding of a fixed shape on a GPU, recorded once and replayed: one launch in place of hundreds. All that differs
/// from step to step is in one tensor of the device. Rows that stand for no sequence write to the cache's spare slots and page;
/// those of sequences are the same to the bit as in a step of another shape.
/// </summary>
internal sealed class DecodeGraph : IDisposable
{
    private readonly MiniMaxForCausalLM _model;
    private readonly ModelCache _cache;
    private readonly int _rows;
    private readonly int _pages;
    private readonly TensorScope _inputScope;
    private readonly int[] _values;
    private readonly Tensor _inputs;
    private readonly PackedBatch _batch;
    private readonly CacheStep _step;
    private readonly List<Tensor>? _expertChoices;
    private bool _warm;
    private TensorScope? _scope;
    private Tensor? _logits;
    private GraphHandle? _graph;

    /// <summary>Nothing is recorded yet.</summary>
    /// <param name="model">The model.</param>
    /// <param name="cache">Made with a slot to spare for each row that may stand for no sequence.</param>
    /// <param name="rows">Sequences at most.</param>
    /// <param name="pages">Pages of a sequence at most.</param>
    /// <param name="recordExperts">Whether <see cref="ExpertChoices"/> are wanted.</param>
    public DecodeGraph(MiniMaxForCausalLM model, ModelCache cache, int rows, int pages, bool recordExperts = false)
    {
        _expertChoices = recordExperts ? [] : null;
        _model = model;
        _cache = cache;
        _rows = rows;
        _pages = pages;
        _values = new int[rows * (6 + pages)];
        _inputScope = model.Device.Scope();
        try
        {
            // Token slots, two int32 each, are first because they need the alignment.
            _inputs = Tensor.Empty(model.Device, ElementType.Int32, _values.Length);
            Tensor offsets = Tensor.From<int>(model.Device, [.. Enumerable.Range(0, rows + 1)], rows + 1);
            _batch = new PackedBatch(Part(2), offsets, Part(3), rows, maxLength: 1);
            Tensor table = _inputs.Slice(6 * rows, rows * pages).View(rows, pages);
            _step = new CacheStep(
                cache,
                Part(4),
                _inputs.Slice(0, 2 * rows).Reinterpret(ElementType.Int64, rows),
                new PagedSequences(Part(5), table, pages * ModelCache.PageSize),
                Decoding: true);
        }
        finally
        {
            _inputScope.Leave();
        }

        Tensor Part(int index) => _inputs.Slice(index * rows, rows);
    }

    /// <summary>Experts of the last step's rows, int32 [rows, topK] by layer; valid as long as its logits are.</summary>
    public IReadOnlyList<Tensor> ExpertChoices => _expertChoices ?? [];

    /// <summary>Logits [rows, vocabulary] after one more token of each sequence; the rows behind those of sequences mean nothing.</summary>
    public Tensor Run(ReadOnlySpan<int> tokens, Placement place)
    {
        Fill(tokens, place);
        _inputs.CopyFrom<int>(_values);
        if (!_warm)
        {
            // What is loaded or set up at a kernel's first use cannot be recorded.
            _warm = true;
            return Compute();
        }

        if (_graph is null)
        {
            Record();
        }

        _graph!.Launch();
        return _logits!;
    }

    public void Dispose()
    {
        // In this order: the memory belongs to the graph.
        _scope?.Dispose();
        _graph?.Dispose();
        _inputScope.Dispose();
    }

    private void Fill(ReadOnlySpan<int> tokens, Placement place)
    {
        int count = tokens.Length;
        Span<long> tokenSlots = MemoryMarshal.Cast<int, long>(_values.AsSpan(0, 2 * _rows));
        Span<int> table = _values.AsSpan(6 * _rows);
        Part(2)[count..].Clear();
        Part(3)[count..].Clear();
        Part(5)[count..].Fill(1);
        table[(count * _pages)..].Fill(_cache.SparePage);
        for (int i = count; i < _rows; i++)
        {
            // No two rows may write to one place.
            tokenSlots[i] = (long)_cache.SparePage * ModelCache.PageSize + (i - count);
            Part(4)[i] = _cache.FirstSpareSlot + (i - count);
        }

        place.TokenSlots.CopyTo(tokenSlots);
        tokens.CopyTo(Part(2));
        for (int i = 0; i < count; i++)
        {
            Part(3)[i] = place.Lengths[i] - 1;
        }

        place.Slots.CopyTo(Part(4));
        place.Lengths.CopyTo(Part(5));
        place.WriteTable(table, _pages);

        Span<int> Part(int index) => _values.AsSpan(index * _rows, _rows);
    }

    private Tensor Compute()
    {
        _expertChoices?.Clear();
        return _model.Logits(_model.Forward(_model.Pass(_batch) with { Cache = _step, ExpertChoices = _expertChoices }));
    }

    private void Record()
    {
        TensorScope scope = _model.Device.Scope();
        try
        {
            _graph = GraphHandle.Record(_model.Device.Handle, () => _logits = Compute());
        }
        finally
        {
            // What was made while recording is the graph's, and lives as long as it does.
            scope.Leave();
            if (_graph is null)
            {
                scope.Dispose();
            }
        }

        _scope = scope;
    }
}

/// <summary>The recorded steps of a batch whose size and lengths change: sizes and pages are rounded up, so that a few do.</summary>
internal sealed class DecodeGraphs(MiniMaxForCausalLM model, ModelCache cache, bool recordExperts = false) : IDisposable
{
    // Each holds the activations of a step.
    private const int Most = 16;
    private const int FewestPages = 16;
    private const int RowsStep = 8;
    private readonly List<((int Rows, int Pages) Shape, DecodeGraph Graph)> _graphs = [];

    /// <summary>
    /// Logits [sequences, vocabulary] after one more token of each sequence, and the experts they went to, int32 by layer, with rows to
    /// spare; valid until the next step.
    /// </summary>
    public Tensor Logits(IReadOnlyList<CachedSequence> sequences, ReadOnlySpan<int> tokens, List<Tensor>? expertChoices = null)
    {
        Placement place = cache.Place(sequences, [.. sequences.Select(_ => 1)]);
        (int, int) shape = (Rows(sequences.Count), cache.TotalPages == 0 ? 1 : RoundUp(Math.Max(place.MostPages, FewestPages)));
        DecodeGraph graph = Graph(shape);
        Tensor logits = graph.Run(tokens, place).Slice(0, sequences.Count);
        expertChoices?.AddRange(graph.ExpertChoices);
        return logits;
    }

    /// <summary>Rows beyond those of sequences that a step may have, with so many sequences at most.</summary>
    public static int MostPadding(int sequences) => Enumerable.Range(1, sequences).Max(n => Rows(n) - n);

    public void Dispose() => _graphs.ForEach(g => g.Graph.Dispose());

    // The one used last is last.
    private DecodeGraph Graph((int Rows, int Pages) shape)
    {
        int index = _graphs.FindIndex(g => g.Shape == shape);
        if (index < 0 && _graphs.Count == Most)
        {
            _graphs[0].Graph.Dispose();
            _graphs.RemoveAt(0);
        }

        DecodeGraph graph = index < 0 ? new DecodeGraph(model, cache, shape.Rows, shape.Pages, recordExperts) : _graphs[index].Graph;
        if (index >= 0)
        {
            _graphs.RemoveAt(index);
        }

        _graphs.Add((shape, graph));
        return graph;
    }

    // Finer than powers of two: what stands for no sequence has the weights of its experts read, too.
    private static int Rows(int sequences) =>
        sequences <= RowsStep ? RoundUp(sequences) : (sequences + RowsStep - 1) / RowsStep * RowsStep;

    private static int RoundUp(int value) => checked((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)value));
}
