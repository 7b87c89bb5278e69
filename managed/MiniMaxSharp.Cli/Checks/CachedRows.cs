using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;

namespace MiniMaxSharp.Cli.Checks;

/// <summary>Rows of a batch that grow on a cache.</summary>
internal sealed class CachedRows : IDisposable
{
    private readonly MiniMaxForCausalLM _model;
    private readonly ModelCache _cache;
    private readonly CachedSequence[] _sequences;

    public CachedRows(MiniMaxForCausalLM model, int rows, long tokens)
    {
        _model = model;
        _cache = new ModelCache(model, rows, tokens);
        _sequences = [.. Enumerable.Range(0, rows).Select(_ => _cache.Add())];
    }

    /// <summary>Feeds new tokens of each row; logits of each row's last one.</summary>
    public float[][] Feed(int[][] rows)
    {
        int vocabulary = _model.Config.VocabSize;
        float[] all = FeedAll(rows);
        int end = 0;
        return
        [
            .. rows.Select(row =>
            {
                end += row.Length;
                return all.AsSpan((end - 1) * vocabulary, vocabulary).ToArray();
            }),
        ];
    }

    /// <summary>Feeds new tokens of each row; logits of all of them.</summary>
    public float[] FeedAll(int[][] rows)
    {
        using TensorScope scope = _model.Device.Scope();
        return _model.Logits(_model.Forward(_cache, _sequences, [.. rows.Select(r => (ReadOnlyMemory<int>)r)])).ToFloats();
    }

    /// <summary>Compares states, and keys and values in their order, where the golden has them.</summary>
    public void Compare(GoldenTensors golden, string prefix)
    {
        for (int layer = 0; layer < _model.Config.NumHiddenLayers; layer++)
        {
            if (_model.Config.AttnTypeList[layer] == 0)
            {
                golden.Compare($"{prefix}kv_state.{layer}", _sequences.SelectMany(s => _cache.ReadState(layer, s)));
            }
            else
            {
                golden.Compare($"{prefix}k.{layer}", _sequences.SelectMany(s => _cache.ReadPages(layer, s).Keys));
                golden.Compare($"{prefix}v.{layer}", _sequences.SelectMany(s => _cache.ReadPages(layer, s).Values));
            }
        }
    }

    public void Dispose() => _cache.Dispose();
}
