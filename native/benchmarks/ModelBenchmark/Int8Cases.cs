using MiniMaxSharp;
using MiniMaxSharp.Models;

namespace ModelBenchmark;

/// <summary>What int8 experts do to a model's logits, on 512 tokens from a fixed seed.</summary>
internal static class Int8Cases
{
    public static void Run(string directory, Action<string, double, string> report)
    {
        using Device device = Device.Cpu();
        (float[] exact, int vocabulary) = Logits(device, directory, ExpertStorage.AsModel);
        (float[] rounded, _) = Logits(device, directory, ExpertStorage.Int8);
        double error = 0, norm = 0;
        for (int i = 0; i < exact.Length; i++)
        {
            error += Math.Pow((double)rounded[i] - exact[i], 2);
            norm += Math.Pow(exact[i], 2);
        }

        int same = exact.Chunk(vocabulary).Zip(rounded.Chunk(vocabulary)).Count(p => Top(p.First) == Top(p.Second));
        report("int8 experts: error of the logits, root of the mean square", 100 * Math.Sqrt(error / norm), "%");
        report("int8 experts: tokens of 512 whose most probable next token stays", same, "tokens");
    }

    private static (float[] Logits, int Vocabulary) Logits(Device device, string directory, ExpertStorage experts)
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(directory, device, experts: experts);
        using TensorScope scope = device.Scope();
        var random = new Random(1);
        int[] ids = [.. Enumerable.Range(0, 512).Select(_ => random.Next(model.Config.VocabSize))];
        return (model.Logits(model.Forward(PackedBatch.Create(device, [ids]))).ToFloats(), model.Config.VocabSize);
    }

    private static int Top(float[] logits) => Array.IndexOf(logits, logits.Max());
}
