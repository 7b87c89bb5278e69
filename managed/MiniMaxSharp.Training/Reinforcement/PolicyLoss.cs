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
        // k3 is the kernel's own; the others are added to what it gives.
        bool kernelKl = objective.KlEstimator == KlEstimator.K3;
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
            KlBeta = kernelKl ? objective.KlWeight : 0,
            ObjectiveKind = objective.ReportsClippedSurrogate ? Native.PolicyObjective.ClippedSurrogate : Native.PolicyObjective.WeightedLogp,
        };
        NativeStatus.Check(NativeMethods.PolicyLossForward(device.Handle, &p));
        double total = loss.Item();
        float[] slopes = gradient.ToArray<float>(), values = value.ToArray<float>();
        if (!kernelKl && objective.KlWeight > 0)
        {
            total += AddKl(objective, logp, referenceLogp, tokenWeight, slopes, values);
        }

        return (total, slopes, ratio.ToArray<float>(), values);
    }

    private static double AddKl(
        PolicyObjective objective, ReadOnlySpan<float> logp, ReadOnlySpan<float> referenceLogp, ReadOnlySpan<float> tokenWeight, float[] gradient, float[] value)
    {
        double loss = 0;
        for (int i = 0; i < gradient.Length; i++)
        {
            if (tokenWeight[i] != 0)
            {
                (double kl, double slope) = KlPenalty.Of(objective.KlEstimator, logp[i], referenceLogp[i]);
                gradient[i] += (float)(objective.KlWeight * slope * tokenWeight[i]);
                value[i] -= (float)(objective.KlWeight * kl);
                loss += objective.KlWeight * kl * tokenWeight[i];
            }
        }

        return loss;
    }
}
