using MiniMaxSharp.Native;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Cli.Checks;

/// <summary>x [tokens, hidden], gate [E, hidden], w1, w3 [E, ffn, hidden], w2 [E, hidden, ffn].</summary>
internal static class MoeCheck
{
    public static void Run(OperatorCase c)
    {
        using Parameter router = new(c.Input("gate"), "gate");
        using Parameter w1 = Stack(c, "w1"), w2 = Stack(c, "w2"), w3 = Stack(c, "w3");
        Tensor x = c.Input("x");
        using Tape tape = Tape.Record(c.Device);
        tape.Watch(x);
        Tensor logits = Linear.Apply(x, router, ElementType.Float32, fp32: true);
        Routing routing = MixtureOfExperts.Route(logits, (int)c.Number("top_k"));
        Tensor y = MixtureOfExperts.Experts(x, routing, w1, w2, w3);
        tape.Backward((y, c.Input("dy")));
        c.Compare("y", y);
        c.Compare("router_logits", logits);
        c.CompareExactly("topk_index", routing.Index.ToArray<int>());
        c.Compare("topk_weight", routing.Weight);
        c.Compare("dx", tape.Gradient(x)!);
        c.Compare("dgate", router.Gradient!);
        c.Compare("dw1", w1.Gradient!);
        c.Compare("dw2", w2.Gradient!);
        c.Compare("dw3", w3.Gradient!);
    }

    private static Parameter Stack(OperatorCase c, string name)
    {
        Tensor value = c.Input(name);
        return new Parameter(value, [.. Enumerable.Range(0, (int)value.Shape[0]).Select(e => $"{name}.{e}")]);
    }
}

/// <summary>router_logits [layers, rows, experts], mask [batch, seq].</summary>
internal static class AuxiliaryLossCheck
{
    public static void Run(OperatorCase c)
    {
        Tensor all = c.Input("router_logits");
        Tensor? mask = c.HasInput("mask") ? c.Input("mask") : null;
        Tensor[] layers = [.. Enumerable.Range(0, (int)all.Shape[0]).Select(i => all.Slice(i, 1).View(all.Shape[1], all.Shape[2]))];
        using Tape tape = Tape.Record(c.Device);
        Array.ForEach(layers, tape.Watch);
        Tensor loss = MixtureOfExperts.AuxiliaryLoss(layers, (int)c.Number("top_k"), mask);
        tape.Backward((loss, Tensor.From<float>(c.Device, [1f], 1)));
        c.Compare("loss", loss);
        c.Compare("dlogits", layers.SelectMany(l => tape.Gradient(l)!.ToFloats()));
    }
}

/// <summary>Base slopes by head, and those of every layer.</summary>
internal static class SlopesCheck
{
    public static void Run(OperatorCase c)
    {
        int heads = (int)c.Integers("heads")[0], layers = (int)c.Integers("n_layers")[0];
        float[] slopes = LightningAttention.BaseSlopes(heads);
        float[] all = [.. Enumerable.Range(0, layers).SelectMany(i => LightningAttention.Slopes(heads, i, layers))];
        c.Compare("base", slopes);
        c.Compare("layers", all);
        c.CompareRelatively("base", slopes, c.Golden("base"), 3e-7);
        c.CompareRelatively("layers", all, c.Golden("layers"), 3e-7);
    }
}

/// <summary>x, dy [rows, width], w [width].</summary>
internal static class RmsNormCheck
{
    public static void Run(OperatorCase c)
    {
        using Parameter weight = new(c.Input("w"), "w");
        Tensor x = c.Input("x");
        using Tape tape = Tape.Record(c.Device);
        tape.Watch(x);
        Tensor y = RmsNorm.Apply(x, weight, (float)c.Number("eps"));
        tape.Backward((y, c.Input("dy")));
        c.Compare("y", y);
        c.Compare("dx", tape.Gradient(x)!);
        c.Compare("dw", weight.Gradient!);
    }
}

/// <summary>logits [batch, seq, vocabulary], labels [batch, seq]: position t against labels[t + 1].</summary>
internal static class CrossEntropyCheck
{
    public static void Run(OperatorCase c)
    {
        long[] shape = c.Shape("logits");
        long seq = shape[1];
        long[] labels = c.Integers("labels");
        int[] targets = [.. labels.Select((_, i) => (i + 1) % seq == 0 ? NativeMethods.ExpectedIgnoreLabel : (int)labels[i + 1])];
        int counted = targets.Count(t => t != NativeMethods.ExpectedIgnoreLabel);
        var scores = new TokenScores(c.Device, c.Input("logits"), targets, shape[2]);
        c.Compare("loss", [-scores.LogProbability.Sum(x => (double)x) / counted]);
        float[] gradient = new float[targets.Length];
        Array.Fill(gradient, -1f / counted);
        c.Compare("dlogits", scores.Backward(gradient));
    }
}

/// <summary>Log-probabilities of targets from logits [rows, vocabulary], and their gradient.</summary>
internal sealed unsafe class TokenScores
{
    private readonly Device _device;
    private readonly Tensor _logits;
    private readonly Tensor _targets;
    private readonly Tensor _lse;
    private readonly long _vocabulary;

    public TokenScores(Device device, Tensor logits, int[] targets, long vocabulary)
    {
        _device = device;
        _logits = logits;
        _vocabulary = vocabulary;
        _targets = Tensor.From<int>(device, targets, targets.Length);
        _lse = Tensor.Empty(device, ElementType.Float32, targets.Length);
        Tensor logp = Tensor.Empty(device, ElementType.Float32, targets.Length);
        var p = new TokenLogprobForwardParams
        {
            StructSize = sizeof(TokenLogprobForwardParams),
            Logits = logits.Floats,
            Targets = _targets.Ints,
            Logp = logp.Floats,
            Lse = _lse.Floats,
            Rows = targets.Length,
            Vocabulary = vocabulary,
        };
        NativeStatus.Check(NativeMethods.TokenLogprobForward(device.Handle, &p));
        LogProbability = logp.ToFloats();
    }

    public float[] LogProbability { get; }

    public float[] Backward(float[] gradient)
    {
        Tensor dlogits = Tensor.Empty(_device, ElementType.Float32, _logits.Shape);
        var p = new TokenLogprobBackwardParams
        {
            StructSize = sizeof(TokenLogprobBackwardParams),
            Logits = _logits.Floats,
            Targets = _targets.Ints,
            Lse = _lse.Floats,
            Dlogp = Tensor.From<float>(_device, gradient, gradient.Length).Floats,
            Dlogits = dlogits.Floats,
            Rows = gradient.Length,
            Vocabulary = _vocabulary,
        };
        NativeStatus.Check(NativeMethods.TokenLogprobBackward(_device.Handle, &p));
        return dlogits.ToFloats();
    }
}
