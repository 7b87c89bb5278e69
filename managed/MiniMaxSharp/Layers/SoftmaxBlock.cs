using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Layers;

/// <summary>Causal softmax attention with grouped key/value heads and rotary positions; no output gate, no inner norm.</summary>
internal sealed class SoftmaxBlock : IAttentionBlock
{
    private readonly MiniMaxConfig _config;
    private readonly int _index;
    private readonly Parameter _q;
    private readonly Parameter _k;
    private readonly Parameter _v;
    private readonly Parameter _out;

    public SoftmaxBlock(MiniMaxConfig config, int index, ParameterFactory parameters)
    {
        _config = config;
        _index = index;
        string prefix = $"model.layers.{index}.self_attn.";
        _q = parameters.Create(prefix + "q_proj.weight");
        _k = parameters.Create(prefix + "k_proj.weight");
        _v = parameters.Create(prefix + "v_proj.weight");
        _out = parameters.Create(prefix + "o_proj.weight");
    }

    public Tensor Forward(Tensor y, ForwardPass pass)
    {
        long d = _config.HeadDim, window = _config.Window;
        Tensor q = Rope.Apply(Linear.Apply(y, _q), pass.Batch.Positions, pass.InverseFrequencies, d);
        Tensor k = Rope.Apply(Linear.Apply(y, _k), pass.Batch.Positions, pass.InverseFrequencies, d);
        Tensor v = Linear.Apply(y, _v);
        Tensor o = pass.Cache is { } cache
            ? AttendCached(q, k, v, pass, cache, d, window)
            : Attention.Apply(q, k, v, pass.Batch, d, window);
        return Linear.Apply(o, _out);
    }

    private Tensor AttendCached(Tensor q, Tensor k, Tensor v, ForwardPass pass, CacheStep cache, long d, long window)
    {
        (Tensor keys, Tensor values) = cache.Cache.Pages(_index);
        Attention.WriteCache(k, v, keys, values, cache.TokenSlots);
        return Attention.Paged(q, keys, values, pass.Batch, cache.Pages, d, window);
    }
}
