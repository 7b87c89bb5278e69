using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Layers;

/// <summary>W_out (σ(W_gate y) ⊙ rms(lightning(silu(W_qkv y)))); rows of W_qkv are q, k, v of head 0, of head 1, …</summary>
internal sealed class LightningBlock : IAttentionBlock
{
    // The inner norm keeps its class's default in the published code: rms_norm_eps does not reach it.
    private const float NormEps = 1e-6f;
    private readonly int _index;
    private readonly Parameter _qkv;
    private readonly Parameter _gate;
    private readonly Parameter _norm;
    private readonly Parameter _out;
    private readonly Tensor _slopes;

    public LightningBlock(MiniMaxConfig config, int index, ParameterFactory parameters, Device device)
    {
        _index = index;
        string prefix = $"model.layers.{index}.self_attn.";
        _qkv = parameters.Create(prefix + "qkv_proj.weight");
        _gate = parameters.Create(prefix + "output_gate.weight");
        _norm = parameters.Create(prefix + "norm.weight");
        _out = parameters.Create(prefix + "out_proj.weight");
        float[] slopes = config.Slopes(index);
        _slopes = parameters.Constant(Tensor.From<float>(device, slopes, slopes.Length));
    }

    public Tensor Forward(Tensor y, ForwardPass pass)
    {
        Tensor qkv = Silu.Apply(Linear.Apply(y, _qkv));
        foreach (int token in pass.LeftPadding)
        {
            using Tensor row = qkv.Slice(token, 1);
            row.Zero();
        }

        Tensor o = Attend(qkv, pass);
        return Linear.Apply(GatedRmsNorm.Apply(o, Linear.Apply(y, _gate), _norm, NormEps), _out);
    }

    private Tensor Attend(Tensor qkv, ForwardPass pass)
    {
        if (pass.Cache is not { } cache)
        {
            return LightningAttention.Apply(qkv, _slopes, pass.Batch);
        }

        Tensor states = cache.Cache.LightningStates(_index);
        return cache.Decoding
            ? LightningAttention.Decode(qkv, _slopes, states, cache.Slots)
            : LightningAttention.Apply(qkv, _slopes, pass.Batch, states, cache.Slots);
    }
}
