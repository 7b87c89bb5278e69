using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Layers;

/// <summary>Sparse mixture of experts, and the shared MLP beside it where the configuration has one.</summary>
internal sealed class FeedForward
{
    private readonly MiniMaxConfig _config;
    private readonly int _index;
    private readonly Parameter _router;
    private readonly Parameter _w1;
    private readonly Parameter _w2;
    private readonly Parameter _w3;
    private readonly SharedMlp? _shared;

    public FeedForward(MiniMaxConfig config, int index, ParameterFactory parameters)
    {
        _config = config;
        _index = index;
        string prefix = $"model.layers.{index}.block_sparse_moe.";
        _router = parameters.Create(prefix + "gate.weight", ElementType.Float32);
        _w1 = parameters.CreateExperts(config.NumLocalExperts, e => $"{prefix}experts.{e}.w1.weight");
        _w2 = parameters.CreateExperts(config.NumLocalExperts, e => $"{prefix}experts.{e}.w2.weight");
        _w3 = parameters.CreateExperts(config.NumLocalExperts, e => $"{prefix}experts.{e}.w3.weight");
        _shared = config.SharedIntermediateSize > 0 ? new SharedMlp(index, parameters) : null;
    }

    /// <summary>y [tokens, hidden] → [tokens, hidden].</summary>
    public Tensor Forward(Tensor y, ForwardPass pass)
    {
        Tensor logits = Linear.Apply(y, _router, ElementType.Float32, fp32: true);
        pass.RouterLogits.Add(logits);
        Routing routing = MixtureOfExperts.Route(logits, _config.NumExpertsPerTok, pass.Replay?[_index]);
        pass.ExpertChoices?.Add(routing.Index);
        Tensor sparse = MixtureOfExperts.Experts(y, routing, _w1, _w2, _w3);
        pass.Observe?.Invoke($"router_logits.{_index}", logits);
        pass.Observe?.Invoke($"router_topk.{_index}", routing.Index);
        pass.Observe?.Invoke($"moe_out.{_index}", sparse);
        return _shared is null ? sparse : SharedMlpCombine.Apply(sparse, _shared.Forward(y), _shared.Coefficient(y));
    }

    /// <summary>W_down (silu(W_gate y) ⊙ W_up y), mixed in by σ(w_coefficient · y).</summary>
    private sealed class SharedMlp(int index, ParameterFactory parameters)
    {
        private readonly Parameter _gate = parameters.Create($"model.layers.{index}.shared_mlp.gate_proj.weight");
        private readonly Parameter _up = parameters.Create($"model.layers.{index}.shared_mlp.up_proj.weight");
        private readonly Parameter _down = parameters.Create($"model.layers.{index}.shared_mlp.down_proj.weight");
        private readonly Parameter _coefficient = parameters.Create($"model.layers.{index}.coefficient.weight");

        public Tensor Forward(Tensor y) =>
            Linear.Apply(SwiGlu.Apply(Linear.Apply(y, _gate), Linear.Apply(y, _up)), _down);

        public Tensor Coefficient(Tensor y) => Linear.Apply(y, _coefficient, ElementType.Float32, fp32: true);
    }
}
