using MiniMaxSharp.Models;
using MiniMaxSharp.Native;
using MiniMaxSharp.Ops;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Snapshots;

/// <summary>
/// Kernel outputs to four significant digits. Inputs come from splitmix64, so that a snapshot holds outputs only and any language can
/// repeat it: value i is (next() >> 40) · 2⁻²³ − 1. Every instruction set must give the same text.
/// </summary>
public sealed class KernelSnapshots
{
    private const int Shown = 12;

    public static TheoryData<string> Kernels => [.. s_kernels.Keys];

    private static readonly Dictionary<string, Func<Device, string>> s_kernels = new()
    {
        ["linear"] = d => Differentiated(d, 1, x => Linear.Apply(x, Weight(d, 2, 9, 16)), 5, 16),
        ["silu"] = d => Differentiated(d, 3, Silu.Apply, 3, 16),
        ["rms_norm"] = d => Differentiated(d, 4, x => RmsNorm.Apply(x, Weight(d, 5, 16), 1e-5f), 4, 16),
        ["gated_rms_norm"] = d => Differentiated(d, 6, x => GatedRmsNorm.Apply(x, Values(d, 7, 4, 16), Weight(d, 8, 16), 1e-6f), 4, 16),
        ["lightning_attention"] = d => Differentiated(
            d, 9, x => LightningAttention.Apply(x, Tensor.From<float>(d, LightningAttention.BaseSlopes(2), 2), Batch(d, 70, 5)), 75, 2 * 3 * 8),
        ["attention"] = d => Differentiated(d, 10, x => Attention.Apply(x, Values(d, 11, 75, 8), Values(d, 12, 75, 8), Batch(d, 70, 5), 8, 0), 75, 16),
        ["rope"] = d => Differentiated(
            d, 13, x => Rope.Apply(x, Batch(d, 4).Positions, Tensor.From<float>(d, Rope.InverseFrequencies(8, 10000), 4), 8), 4, 16),
        ["experts"] = d => Differentiated(d, 14, x => Experts(d, x), 6, 8),
        ["lm_head"] = d => Differentiated(
            d, 15, x => LmHead.Apply(x, Weight(d, 16, 20, 8), Tensor.From<int>(d, [3, 19, -100, 0], 4)).LogProbability, 4, 8),
    };

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Output_of(string kernel)
    {
        MiniMaxNative.Initialize();
        string? first = null;
        foreach (CpuInstructionSet set in Enum.GetValues<CpuInstructionSet>())
        {
            if (NativeMethods.IsaSupported((Isa)set) != 1)
            {
                continue;
            }

            using Device device = Device.Cpu(set);
            using TensorScope scope = device.Scope();
            string text = s_kernels[kernel](device);
            first ??= text;
            Assert.Equal(first, text);
        }

        Snapshot.Verify(first!, $"kernel={kernel}");
    }

    private static Tensor Experts(Device d, Tensor x)
    {
        Tensor logits = Linear.Apply(x, Weight(d, 17, 4, 8), ElementType.Float32, fp32: true);
        return MixtureOfExperts.Experts(x, MixtureOfExperts.Route(logits, 2), Stack(d, 18, 10, 8), Stack(d, 19, 8, 10), Stack(d, 20, 10, 8));
    }

    // The first values of the output, and of the input's gradient for a gradient of the output from splitmix64.
    private static string Differentiated(Device device, ulong seed, Func<Tensor, Tensor> operation, params long[] shape)
    {
        Tensor x = Values(device, seed, shape);
        using Tape tape = Tape.Record(device);
        tape.Watch(x);
        Tensor y = operation(x);
        string output = Snapshot.Format("output", y.ToFloats().AsSpan(0, Math.Min(Shown, (int)y.Count)));
        tape.Backward((y, Values(device, seed + 100, y.Shape.ToArray())));
        return output + Snapshot.Format("gradient", tape.Gradient(x)!.ToFloats().AsSpan(0, Shown));
    }

    private static Tensor Values(Device device, ulong seed, params long[] shape)
    {
        var random = new SplitMix64(seed);
        return Tensor.From<float>(device, [.. Enumerable.Range(0, (int)Tensor.Product(shape)).Select(_ => (random.Next() >> 40) * (1f / (1 << 23)) - 1)], shape);
    }

    private static Parameter Weight(Device device, ulong seed, params long[] shape) => new(Values(device, seed, shape), "weight") { IsTrainable = false };

    private static Parameter Stack(Device device, ulong seed, long rows, long columns) =>
        new(Values(device, seed, 4, rows, columns), ["0", "1", "2", "3"]) { IsTrainable = false };

    private static PackedBatch Batch(Device device, params int[] lengths) =>
        PackedBatch.Create(device, [.. lengths.Select(n => (ReadOnlyMemory<int>)new int[n])]);
}
