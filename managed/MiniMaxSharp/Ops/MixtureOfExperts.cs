using MiniMaxSharp.Native;

namespace MiniMaxSharp.Ops;

/// <summary>
/// Which experts each token goes to. Index and weight [tokens, topK] (descending by probability); the sorted
/// rows of the tokens' slots, by expert: offsets [experts + 1], row → slot and slot → row [tokens · topK].
/// </summary>
internal sealed record Routing(Tensor Index, Tensor Weight, Tensor Offsets, Tensor RowSlot, Tensor SlotRow);

/// <summary>Routing, grouped SwiGLU experts without capacity limit, and the load-balancing loss.</summary>
internal static unsafe class MixtureOfExperts
{
    /// <summary>
    /// softmax over all experts, the topK largest or those to be replayed, renormalised. logits [tokens, experts] single precision;
    /// replay int32 [tokens, topK].
    /// </summary>
    public static Routing Route(Tensor logits, int topK, Tensor? replay = null)
    {
        long tokens = logits.Shape[0], experts = logits.Shape[1];
        Device device = logits.Device;
        var routing = new Routing(
            replay?.Require(nameof(replay), tokens, topK) ?? Tensor.Empty(device, ElementType.Int32, tokens, topK),
            Tensor.Empty(device, ElementType.Float32, tokens, topK),
            Tensor.Empty(device, ElementType.Int32, experts + 1),
            Tensor.Empty(device, ElementType.Int32, tokens * topK),
            Tensor.Empty(device, ElementType.Int32, tokens * topK));
        var p = new MoeRouteForwardParams
        {
            StructSize = sizeof(MoeRouteForwardParams),
            Logits = logits.Floats,
            ExpertIndex = routing.Index.Ints,
            ExpertWeight = routing.Weight.Floats,
            ExpertOffsets = routing.Offsets.Ints,
            RowSlot = routing.RowSlot.Ints,
            SlotRow = routing.SlotRow.Ints,
            Tokens = tokens,
            Experts = experts,
            TopK = topK,
            Replay = replay is null ? 0 : 1,
        };
        NativeStatus.Check(NativeMethods.MoeRouteForward(device.Handle, &p));
        Tape.Record([logits], [], [routing.Weight], tape => RouteBackward(tape, logits, routing));
        return routing;
    }

    /// <summary>y = Σ weight · W2 (silu(W1 x) ⊙ W3 x) over the picked experts; x, y [tokens, width]. Int8 experts have no gradient.</summary>
    public static Tensor Experts(Tensor x, Routing routing, Parameter w1, Parameter w2, Parameter w3)
    {
        long tokens = x.Shape[0], width = x.Shape[1], experts = routing.Offsets.Count - 1, topK = routing.Index.Shape[1];
        long ffn = w1.Value.Shape[1];
        bool recording = x.Device.CurrentTape is not null;
        Tensor? gate = recording ? Tensor.Empty(x.Device, x.ElementType, tokens * topK, ffn) : null;
        Tensor? up = recording ? Tensor.Empty(x.Device, x.ElementType, tokens * topK, ffn) : null;
        Tensor y = Tensor.Empty(x.Device, x.ElementType, tokens, width);
        var p = new MoeExpertsForwardParams
        {
            StructSize = sizeof(MoeExpertsForwardParams),
            X = x.Data,
            W1 = w1.Value.Data,
            W2 = w2.Value.Data,
            W3 = w3.Value.Data,
            ExpertIndex = routing.Index.Ints,
            ExpertWeight = routing.Weight.Floats,
            ExpertOffsets = routing.Offsets.Ints,
            RowSlot = routing.RowSlot.Ints,
            SlotRow = routing.SlotRow.Ints,
            Gate = gate is null ? null : gate.Data,
            Up = up is null ? null : up.Data,
            Y = y.Data,
            Tokens = tokens,
            Experts = experts,
            TopK = topK,
            Width = width,
            Ffn = ffn,
            Dtype = x.DType,
            WeightDtype = w1.Value.DType,
            W1Scale = w1.Scale is null ? null : w1.Scale.Floats,
            W2Scale = w2.Scale is null ? null : w2.Scale.Floats,
            W3Scale = w3.Scale is null ? null : w3.Scale.Floats,
        };
        NativeStatus.Check(NativeMethods.MoeExpertsForward(x.Device.Handle, &p));
        Tape.Record([x, routing.Weight], [w1, w2, w3], [y], tape => ExpertsBackward(tape, x, routing, w1, w2, w3, gate!, up!, y));
        return y;
    }

    /// <summary>
    /// experts · Σ_e f_e P_e over the rows of all layers at once, [1]; topK at perfect balance. Rows whose mask
    /// (int32 [tokens]) is 0 are left out.
    /// </summary>
    public static Tensor AuxiliaryLoss(IReadOnlyList<Tensor> logits, int topK, Tensor? mask = null)
    {
        Device device = logits[0].Device;
        long tokens = logits[0].Shape[0], experts = logits[0].Shape[1];
        Tensor loss = Tensor.Empty(device, ElementType.Float32, 1);
        Tensor fraction = Tensor.Empty(device, ElementType.Float32, experts);
        Tensor probability = Tensor.Empty(device, ElementType.Float32, experts);
        float** pointers = stackalloc float*[logits.Count];
        Pointers(logits, pointers);
        var p = new MoeAuxLossForwardParams
        {
            StructSize = sizeof(MoeAuxLossForwardParams),
            Logits = pointers,
            TokenMask = mask is null ? null : mask.Ints,
            Loss = loss.Floats,
            Fraction = fraction.Floats,
            Probability = probability.Floats,
            Layers = logits.Count,
            Tokens = tokens,
            Experts = experts,
            TopK = topK,
        };
        NativeStatus.Check(NativeMethods.MoeAuxLossForward(device.Handle, &p));
        Tape.Record([.. logits], [], [loss], tape => AuxiliaryLossBackward(tape, logits, mask, fraction, loss));
        return loss;
    }

    private static void RouteBackward(Tape tape, Tensor logits, Routing routing)
    {
        Tensor dlogits = Tensor.Empty(logits.Device, ElementType.Float32, logits.Shape);
        var p = new MoeRouteBackwardParams
        {
            StructSize = sizeof(MoeRouteBackwardParams),
            Logits = logits.Floats,
            ExpertIndex = routing.Index.Ints,
            Dweight = tape.GradientOf(routing.Weight).Floats,
            Dlogits = dlogits.Floats,
            Tokens = logits.Shape[0],
            Experts = logits.Shape[1],
            TopK = routing.Index.Shape[1],
        };
        NativeStatus.Check(NativeMethods.MoeRouteBackward(logits.Device.Handle, &p));
        tape.AddGradient(logits, dlogits);
    }

    private static void ExpertsBackward(
        Tape tape, Tensor x, Routing routing, Parameter w1, Parameter w2, Parameter w3, Tensor gate, Tensor up, Tensor y)
    {
        bool trainable = w1.IsTrainable && w2.IsTrainable && w3.IsTrainable;
        Tensor dx = Tensor.Empty(x.Device, x.ElementType, x.Shape);
        Tensor dweight = Tensor.Empty(x.Device, ElementType.Float32, routing.Weight.Shape);
        var p = new MoeExpertsBackwardParams
        {
            StructSize = sizeof(MoeExpertsBackwardParams),
            X = x.Data,
            W1 = w1.Value.Data,
            W2 = w2.Value.Data,
            W3 = w3.Value.Data,
            ExpertIndex = routing.Index.Ints,
            ExpertWeight = routing.Weight.Floats,
            ExpertOffsets = routing.Offsets.Ints,
            RowSlot = routing.RowSlot.Ints,
            SlotRow = routing.SlotRow.Ints,
            Gate = gate.Data,
            Up = up.Data,
            Dy = tape.GradientOf(y).Data,
            Dx = dx.Data,
            Dw1 = trainable ? w1.GradientSum().Data : null,
            Dw2 = trainable ? w2.GradientSum().Data : null,
            Dw3 = trainable ? w3.GradientSum().Data : null,
            Dweight = dweight.Floats,
            Tokens = x.Shape[0],
            Experts = routing.Offsets.Count - 1,
            TopK = routing.Index.Shape[1],
            Width = x.Shape[1],
            Ffn = w1.Value.Shape[1],
            Dtype = x.DType,
            DwDtype = DType.F32,
        };
        NativeStatus.Check(NativeMethods.MoeExpertsBackward(x.Device.Handle, &p));
        tape.AddGradient(x, dx);
        tape.AddGradient(routing.Weight, dweight);
    }

    private static void AuxiliaryLossBackward(Tape tape, IReadOnlyList<Tensor> logits, Tensor? mask, Tensor fraction, Tensor loss)
    {
        Device device = loss.Device;
        Tensor[] dlogits = [.. logits.Select(l => Tensor.Empty(device, ElementType.Float32, l.Shape))];
        float** inputs = stackalloc float*[logits.Count];
        float** outputs = stackalloc float*[logits.Count];
        Pointers(logits, inputs);
        Pointers(dlogits, outputs);
        var p = new MoeAuxLossBackwardParams
        {
            StructSize = sizeof(MoeAuxLossBackwardParams),
            Logits = inputs,
            TokenMask = mask is null ? null : mask.Ints,
            Fraction = fraction.Floats,
            Dlogits = outputs,
            Layers = logits.Count,
            Tokens = logits[0].Shape[0],
            Experts = logits[0].Shape[1],
            Dloss = tape.GradientOf(loss).Item(),
        };
        NativeStatus.Check(NativeMethods.MoeAuxLossBackward(device.Handle, &p));
        for (int i = 0; i < dlogits.Length; i++)
        {
            tape.AddGradient(logits[i], dlogits[i]);
        }
    }

    private static void Pointers(IReadOnlyList<Tensor> tensors, float** pointers)
    {
        for (int i = 0; i < tensors.Count; i++)
        {
            pointers[i] = tensors[i].Floats;
        }
    }
}
