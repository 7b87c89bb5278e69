using System.Runtime.InteropServices;
using MiniMaxSharp.Models;
using MiniMaxSharp.Native;

namespace MiniMaxSharp.Cli;

/// <summary>minimax doctor: what is here, and whether it works.</summary>
internal static class DoctorCommand
{
    public static unsafe int Run(TextWriter output)
    {
        MiniMaxNative.Initialize();
        output.WriteLine($"library: {MiniMaxNative.LoadedFrom}, version {Marshal.PtrToStringUTF8((nint)NativeMethods.Version())}, ABI {NativeMethods.AbiVersion()}");
        output.WriteLine($"platform: {RuntimeInformation.RuntimeIdentifier}, {RuntimeInformation.FrameworkDescription}, {Environment.ProcessorCount} processors, {Device.CpuThreads} threads");
        foreach (CpuInstructionSet set in Enum.GetValues<CpuInstructionSet>().Where(s => s != CpuInstructionSet.Automatic))
        {
            output.WriteLine($"{set}: {(NativeMethods.IsaSupported((Isa)set) == 1 ? "yes" : "no")}");
        }

        using Device device = Device.Cpu();
        output.WriteLine($"in use: {device.InstructionSet}");
        bool works = Test(device, output);
        int gpus = Device.CudaDevices(out string reason);
        if (gpus == 0)
        {
            output.WriteLine($"cuda: none ({reason})");
        }

        for (int i = 0; i < gpus; i++)
        {
            try
            {
                using Device gpu = Device.Cuda(i);
                output.WriteLine($"cuda:{i}: {gpu.Description}");
                works &= Test(gpu, output);
            }
            catch (NativeException error)
            {
                output.WriteLine($"cuda:{i}: FAILED ({error.Message})");
                works = false;
            }
        }

        return works ? 0 : 1;
    }

    private static bool Test(Device device, TextWriter output)
    {
        double difference = SelfTest(device);
        bool works = difference < 2e-2;
        output.WriteLine($"self-test (gradient of a tiny model against differences): {(works ? "passed" : "FAILED")}, relative difference {difference:E1}");
        return works;
    }

    // The derivative along the gradient's own direction is its norm.
    private static double SelfTest(Device device)
    {
        var config = new MiniMaxConfig
        {
            HiddenSize = 16,
            NumHiddenLayers = 2,
            AttnTypeList = [0, 1],
            NumAttentionHeads = 2,
            NumKeyValueHeads = 1,
            HeadDim = 8,
            RotaryDim = 4,
            IntermediateSize = 16,
            NumLocalExperts = 4,
            NumExpertsPerTok = 2,
            VocabSize = 32,
            Postnorm = true,
            InitializerRange = 0.3,
        };
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(config, device, seed: 1);
        Parameter weight = model.Parameters[^1];
        Loss(model, gradients: true);
        float[] gradient = weight.Gradient!.ToFloats();
        double norm = Math.Sqrt(gradient.Sum(g => (double)g * g));
        const double Step = 1e-2;
        float[] value = weight.Value.ToFloats();
        double up = Moved(+Step), down = Moved(-Step);
        return Math.Abs((up - down) / (2 * Step) - norm) / norm;

        double Moved(double step)
        {
            weight.Value.CopyFrom<float>([.. value.Select((v, i) => (float)(v + step * gradient[i] / norm))]);
            return Loss(model, gradients: false);
        }
    }

    private static double Loss(MiniMaxForCausalLM model, bool gradients)
    {
        Device device = model.Device;
        using TensorScope scope = device.Scope();
        using Tape? tape = gradients ? Tape.Record(device) : null;
        int[] ids = [.. Enumerable.Range(0, 24).Select(i => i * 7 % 32)];
        Tensor hidden = model.Forward(PackedBatch.Create(device, [ids]));
        (Tensor logp, _) = model.LogProbabilities(hidden, Tensor.From<int>(device, [.. ids.Skip(1), -100], ids.Length));
        var seed = new float[ids.Length];
        Array.Fill(seed, -1f);
        tape?.Backward((logp, Tensor.From<float>(device, seed, seed.Length)));
        return -logp.ToFloats().Sum(x => (double)x);
    }
}
