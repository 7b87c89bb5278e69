using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Layers;

/// <summary>
/// x' = α r + β Attention(y), y = rms(x); x″ = α r' + β FFN(y'), y' = rms(x'). The residual r is y after post-norm
/// (MiniMax-M1) and x otherwise.
/// </summary>
internal sealed class DecoderLayer
{
    private readonly MiniMaxConfig _config;
    private readonly int _index;
    private readonly Parameter _inputNorm;
    private readonly Parameter _postAttentionNorm;
    private readonly IAttentionBlock _attention;
    private readonly FeedForward _feedForward;
    private readonly (float Alpha, float Beta) _attentionScale;

    public DecoderLayer(MiniMaxConfig config, int index, ParameterFactory parameters, Device device)
    {
        _config = config;
        _index = index;
        string prefix = $"model.layers.{index}.";
        _inputNorm = parameters.Create(prefix + "input_layernorm.weight");
        bool lightning = config.AttnTypeList[index] == 0;
        _attention = lightning
            ? new LightningBlock(config, index, parameters, device)
            : new SoftmaxBlock(config, index, parameters);
        _postAttentionNorm = parameters.Create(prefix + "post_attention_layernorm.weight");
        _feedForward = new FeedForward(config, index, parameters);
        _attentionScale = lightning
            ? ((float)config.LayernormLinearAttentionAlpha, (float)config.LayernormLinearAttentionBeta)
            : ((float)config.LayernormFullAttentionAlpha, (float)config.LayernormFullAttentionBeta);
    }

    /// <summary>x [tokens, hidden] → [tokens, hidden]; adds the layer's router logits to the pass.</summary>
    public Tensor Forward(Tensor x, ForwardPass pass)
    {
        float eps = (float)_config.RmsNormEps;
        Tensor y = RmsNorm.Apply(x, _inputNorm, eps);
        Tensor attention = _attention.Forward(y, pass);
        pass.Observe?.Invoke($"attn_out.{_index}", attention);
        (Tensor sum, Tensor y2) = RmsNorm.Apply(
            _config.Postnorm ? y : x, attention, _attentionScale.Alpha, _attentionScale.Beta, _postAttentionNorm, eps);
        Tensor feedForward = _feedForward.Forward(y2, pass);
        Tensor output = ScaledSum.Apply(
            _config.Postnorm ? y2 : sum, (float)_config.LayernormMlpAlpha, feedForward, (float)_config.LayernormMlpBeta);
        pass.Observe?.Invoke($"layer_out.{_index}", output);
        return output;
    }
}

/// <summary>y [tokens, hidden] → [tokens, hidden].</summary>
internal interface IAttentionBlock
{
    Tensor Forward(Tensor y, ForwardPass pass);
}
