using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Layers;
using MiniMaxSharp.Models;
using MiniMaxSharp.Native;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Cli;

/// <summary>
/// minimax forward. Every row is run as if alone: tokens whose mask is 0 are left out (their logits are 0). Labels are shifted
/// inside: position t is scored against labels[t + 1]; the loss counts the load balance where the configuration says so.
/// </summary>
internal static class ForwardCommand
{
    public static int Run(string directory, Device device, string input, string output, bool gradients)
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(directory, device);
        using TensorScope scope = device.Scope();
        Batch batch = Batch.Read(input, model.Config.VocabSize);
        if (gradients && batch.Labels is null)
        {
            throw new ArgumentException($"--gradients needs labels in {input}.");
        }

        using Tape? tape = gradients ? Tape.Record(device) : null;
        ForwardPass pass = model.Pass(PackedBatch.Create(device, [.. batch.Rows().Select(r => (ReadOnlyMemory<int>)r.Ids)]));
        Tensor hidden = model.Forward(pass);
        var results = new List<(string Name, Tensor Value)>();
        if (batch.Labels is not null)
        {
            results.Add(("loss", Loss(model, pass, hidden, batch, tape)));
        }

        tape?.Dispose();
        results.Add(("logits", Tensor.From<float>(device, batch.Spread(model.Logits(hidden).ToFloats(), model.Config.VocabSize), batch.Count, batch.Length, model.Config.VocabSize)));
        foreach (Parameter parameter in model.Parameters)
        {
            results.AddRange(parameter.Gradients().Select(g => ($"grad.{g.Name}", g.Value.Clone())));
        }

        SafetensorsWriter.Write(output, results);
        return 0;
    }

    private static Tensor Loss(MiniMaxForCausalLM model, ForwardPass pass, Tensor hidden, Batch batch, Tape? tape)
    {
        Device device = model.Device;
        int[] targets = [.. batch.Rows().Where(r => r.Ids.Length > 0).SelectMany(r => r.Labels!.Skip(1).Append(NativeMethods.ExpectedIgnoreLabel))];
        int counted = targets.Count(t => t != NativeMethods.ExpectedIgnoreLabel);
        (Tensor logp, _) = model.LogProbabilities(hidden, Tensor.From<int>(device, targets, targets.Length));
        // Over no label at all the mean is NaN, as published.
        double loss = -logp.ToFloats().Sum(x => (double)x) / counted;
        float coefficient = model.Config.OutputRouterLogits ? (float)model.Config.RouterAuxLossCoef : 0;
        Tensor auxiliary = MixtureOfExperts.AuxiliaryLoss(pass.RouterLogits, model.Config.NumExpertsPerTok);
        var gradient = new float[targets.Length];
        Array.Fill(gradient, counted == 0 ? 0 : -1f / counted);
        tape?.Backward(
            (logp, Tensor.From<float>(device, gradient, gradient.Length)), (auxiliary, Tensor.From<float>(device, [coefficient], 1)));
        return Tensor.From<float>(device, [(float)(loss + coefficient * auxiliary.Item())], 1);
    }

    private sealed record Batch(int Count, int Length, int[] Ids, bool[] Mask, int[]? Labels)
    {
        public static Batch Read(string path, int vocabulary)
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            if (!file.Tensors.TryGetValue("input_ids", out TensorInfo? ids) || ids.Shape.Length != 2 || ids.Shape[0] * ids.Shape[1] == 0)
            {
                throw new CheckpointFormatException($"{path}: input_ids [batch, tokens] is missing, empty or of another shape.");
            }

            long[] values = file.ReadAsInt64("input_ids");
            int bad = Array.FindIndex(values, id => (ulong)id >= (ulong)vocabulary);
            if (bad >= 0)
            {
                throw new CheckpointFormatException($"{path}: input_ids holds {values[bad]} at {bad}; the vocabulary has {vocabulary}.");
            }

            bool[]? mask = Optional("attention_mask", name => file.Tensors[name].DType is "F32" or "F64"
                ? Array.ConvertAll(file.ReadAsDouble(name), m => m != 0)
                : Array.ConvertAll(file.ReadAsInt64(name), m => m != 0));
            if (mask is not null && !mask.Contains(true))
            {
                throw new CheckpointFormatException($"{path}: attention_mask leaves no token.");
            }

            long[]? labels = Optional("labels", file.ReadAsInt64);
            int wrong = labels is null ? -1 : Array.FindIndex(labels, l => l != NativeMethods.ExpectedIgnoreLabel && (ulong)l >= (ulong)vocabulary);
            return wrong >= 0
                ? throw new CheckpointFormatException($"{path}: labels holds {labels![wrong]} at {wrong}; the vocabulary has {vocabulary}.")
                : new Batch(
                    (int)ids.Shape[0],
                    (int)ids.Shape[1],
                    Array.ConvertAll(values, id => (int)id),
                    mask ?? [.. values.Select(_ => true)],
                    labels is null ? null : Array.ConvertAll(labels, l => (int)l));

            T[]? Optional<T>(string name, Func<string, T[]> read)
            {
                if (!file.Tensors.TryGetValue(name, out TensorInfo? info))
                {
                    return null;
                }

                return info.Shape.SequenceEqual(ids.Shape)
                    ? read(name)
                    : throw new CheckpointFormatException($"{path}: {name} is {Tensor.Describe(info.Shape)}, input_ids {Tensor.Describe(ids.Shape)}.");
            }
        }

        /// <summary>The real tokens of each row, and their labels.</summary>
        public IEnumerable<(int[] Ids, int[]? Labels)> Rows()
        {
            for (int r = 0; r < Count; r++)
            {
                int start = r * Length;
                yield return (Real(Ids, start), Labels is null ? null : Real(Labels, start));
            }
        }

        /// <summary>Blocks of `width` values of the real tokens, spread over all; 0 elsewhere.</summary>
        public float[] Spread(float[] packed, int width)
        {
            var all = new float[checked((long)Mask.Length * width)];
            int from = 0;
            for (long i = 0; i < Mask.Length; i++)
            {
                if (Mask[i])
                {
                    Array.Copy(packed, from, all, i * width, width);
                    from += width;
                }
            }

            return all;
        }

        private int[] Real(int[] values, int start) => [.. Enumerable.Range(start, Length).Where(i => Mask[i]).Select(i => values[i])];
    }
}
