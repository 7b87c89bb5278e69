using MiniMaxSharp.Native;

namespace MiniMaxSharp.Ops;

/// <summary>
/// Log-probability of each target, and entropy, from hidden states through the LM head in single precision, in
/// chunks of the vocabulary: logits never exist as a whole. hidden [rows, width], weight [vocabulary, width],
/// targets int32 [rows]; logp and entropy [rows].
/// </summary>
internal static unsafe class LmHead
{
    public static (Tensor LogProbability, Tensor Entropy) Apply(Tensor hidden, Parameter weight, Tensor targets)
    {
        long rows = hidden.Shape[0];
        using var adapted = new AdaptedWeight(weight);
        Device device = hidden.Device;
        Tensor logp = Tensor.Empty(device, ElementType.Float32, rows);
        Tensor lse = Tensor.Empty(device, ElementType.Float32, rows);
        Tensor entropy = Tensor.Empty(device, ElementType.Float32, rows);
        var p = new LmHeadForwardParams
        {
            StructSize = sizeof(LmHeadForwardParams),
            Hidden = hidden.Data,
            W = adapted.Value.Data,
            Targets = targets.Ints,
            Logp = logp.Floats,
            Lse = lse.Floats,
            Entropy = entropy.Floats,
            Rows = rows,
            Width = hidden.Shape[1],
            Vocabulary = weight.Value.Shape[0],
            HiddenDtype = hidden.DType,
            WDtype = weight.Value.DType,
        };
        NativeStatus.Check(NativeMethods.LmHeadForward(device.Handle, &p));
        Tape.Record([hidden], [weight], [logp, entropy], tape => Backward(tape, hidden, weight, targets, logp, lse, entropy));
        return (logp, entropy);
    }

    private static void Backward(Tape tape, Tensor hidden, Parameter weight, Tensor targets, Tensor logp, Tensor lse, Tensor entropy)
    {
        using var adapted = new AdaptedWeight(weight);
        Tensor dhidden = Tensor.Empty(hidden.Device, hidden.ElementType, hidden.Shape);
        var p = new LmHeadBackwardParams
        {
            StructSize = sizeof(LmHeadBackwardParams),
            Hidden = hidden.Data,
            W = adapted.Value.Data,
            Targets = targets.Ints,
            Lse = lse.Floats,
            Entropy = entropy.Floats,
            Dlogp = tape.GradientOf(logp).Floats,
            Dentropy = tape.HasGradient(entropy) ? tape.GradientOf(entropy).Floats : null,
            Dhidden = dhidden.Data,
            Dw = adapted.NeedsGradient ? adapted.Gradient().Data : null,
            Rows = hidden.Shape[0],
            Width = hidden.Shape[1],
            Vocabulary = weight.Value.Shape[0],
            HiddenDtype = hidden.DType,
            WDtype = weight.Value.DType,
            DwDtype = DType.F32,
        };
        NativeStatus.Check(NativeMethods.LmHeadBackward(hidden.Device.Handle, &p));
        adapted.HandOn();
        tape.AddGradient(hidden, dhidden);
    }
}
