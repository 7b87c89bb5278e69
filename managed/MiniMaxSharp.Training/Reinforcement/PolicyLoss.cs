using MiniMaxSharp.Native;

namespace MiniMaxSharp.Training;

/// <summary>The policy loss of response tokens; all arrays [tokens].</summary>
internal static unsafe class PolicyLoss
{
    /// <summary>The loss (to be minimised), its gradient by each log-probability, and the importance ratios.</summary>
    public static (double Loss, float[] Gradient, float[] Ratio, float[] TokenObjective) Evaluate(
        Device device,
        PolicyObjective objective,
        ReadOnlySpan<float> logp,
        ReadOnlySpan<float> oldLogp,
        ReadOnlySpan<float> advantage,
        ReadOnlySpan<float> tokenWeight,
        ReadOnlySpan<float> referenceLogp = default)
    {
        long n = logp.Length;
        using TensorScope scope = device.Scope();
        Tensor loss = Tensor.Empty(device, ElementType.Float32, 1);
        Tensor gradient = Tensor.Empty(device, ElementType.Float32, n);
        Tensor ratio = Tensor.Empty(device, ElementType.Float32, n);
        Tensor value = Tensor.Empty(device, ElementType.Float32, n);
        var p = new PolicyLossForwardParams
        {
            StructSize = sizeof(PolicyLossForwardParams),
            Logp = Tensor.From(device, logp, n).Floats,
            OldLogp = Tensor.From(device, oldLogp, n).Floats,
            RefLogp = referenceLogp.IsEmpty ? null : Tensor.From(device, referenceLogp, n).Floats,
            Advantage = Tensor.From(device, advantage, n).Floats,
            TokenWeight = Tensor.From(device, tokenWeight, n).Floats,
            Loss = loss.Floats,
            Dlogp = gradient.Floats,
            Ratio = ratio.Floats,
            Objective = value.Floats,
            Tokens = n,
            WeightMin = objective.MinWeight,
            WeightMax = objective.MaxWeight,
            MaskLow = objective.MaskLow,
            MaskHigh = objective.MaskHigh,
            KlBeta = objective.KlWeight,
            ObjectiveKind = objective.ReportsClippedSurrogate ? Native.PolicyObjective.ClippedSurrogate : Native.PolicyObjective.WeightedLogp,
        };
        NativeStatus.Check(NativeMethods.PolicyLossForward(device.Handle, &p));
        return (loss.Item(), gradient.ToArray<float>(), ratio.ToArray<float>(), value.ToArray<float>());
    }
}
