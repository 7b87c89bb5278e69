using System.Text.Json;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Layers;
using MiniMaxSharp.Models;
using MiniMaxSharp.Native;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Cli.Checks;

/// <summary>
/// A whole model: config.json, model.safetensors and manifest.json with the expected tensors of a forward pass, of all
/// gradients, of cached decoding and of a left-padded batch.
/// </summary>
internal sealed class ModelCheck(string directory, Device device, GoldenReport report) : IDisposable
{
    private readonly string _name = Path.GetFileName(Path.TrimEndingDirectorySeparator(directory));
    private readonly MiniMaxForCausalLM _model = MiniMaxForCausalLM.Load(directory, device);
    private readonly JsonDocument _manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(directory, "manifest.json")));

    private bool HasSoftmax => _model.Config.AttnTypeList.Contains(1);

    public static void Run(string directory, Device device, string? filter, GoldenReport report)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(directory));
        try
        {
            using var check = new ModelCheck(directory, device, report);
            foreach (JsonProperty file in check._manifest.RootElement.GetProperty("files").EnumerateObject())
            {
                if (filter is null || $"{name}/{file.Name}".Contains(filter, StringComparison.OrdinalIgnoreCase))
                {
                    check.RunFile(file);
                }
            }
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            report.Fail(name, "model", $"could not be loaded: {error.Message}");
        }
    }

    public void Dispose()
    {
        _manifest.Dispose();
        _model.Dispose();
    }

    private void RunFile(JsonProperty entry)
    {
        try
        {
            using TensorScope scope = device.Scope();
            using var golden = new GoldenTensors(_name, Path.Combine(directory, entry.Name), entry.Value.GetProperty("tensors"), report);
            switch (entry.Name)
            {
                case "forward.safetensors":
                    Forward(golden);
                    break;
                case "grads.safetensors":
                    Gradients(golden);
                    break;
                case "decode.safetensors":
                    Decode(golden);
                    break;
                case "padded.safetensors":
                    Padded(golden);
                    break;
                default:
                    report.Fail(_name, entry.Name, "no file of that name is known here");
                    return;
            }

            golden.RequireAllCompared();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            report.Fail(_name, entry.Name, $"could not be run: {error.Message}");
        }
    }

    private void Forward(GoldenTensors golden)
    {
        int[][] rows = golden.Rows("input_ids");
        var seen = new Dictionary<string, float[]>();
        LossResult result = Loss(rows, golden.Rows("labels"), null, (name, tensor) => seen[name] =
            tensor.ElementType == ElementType.Int32 ? Array.ConvertAll(tensor.ToArray<int>(), x => (float)x) : tensor.ToFloats());
        MiniMaxConfig config = _model.Config;
        golden.Compare("slopes", Enumerable.Range(0, config.NumHiddenLayers).SelectMany(i =>
            LightningAttention.Slopes(config.NumAttentionHeads, i, config.NumHiddenLayers)));
        foreach ((string name, float[] values) in seen)
        {
            golden.Compare(name, values);
        }

        golden.Compare("logits", result.Logits);
        golden.Compare("loss", [(float)result.Loss]);
        golden.Compare("aux_loss", [(float)result.Auxiliary]);
        golden.Compare("loss_with_aux", [(float)(result.Loss + config.RouterAuxLossCoef * result.Auxiliary)]);
        using (var cache = new CachedRows(_model, rows.Length, rows.Sum(r => r.Length)))
        {
            cache.Feed(rows);
            cache.Compare(golden, "cache.");
        }

        if (golden.Has("long.input_ids"))
        {
            int[][] longRows = golden.Rows("long.input_ids");
            golden.Compare("long.logits", Logits(longRows));
            using var cache = new CachedRows(_model, longRows.Length, longRows.Sum(r => r.Length));
            cache.Feed(longRows);
            cache.Compare(golden, "long.cache.");
        }
    }

    // The gradients are those of the forward file's batch.
    private void Gradients(GoldenTensors golden)
    {
        using SafetensorsFile forward = SafetensorsFile.Open(Path.Combine(directory, "forward.safetensors"));
        int[][] ids = GoldenTensors.Rows(forward, "input_ids"), labels = GoldenTensors.Rows(forward, "labels");
        Compare(0, "grad.");
        Compare((float)_model.Config.RouterAuxLossCoef, "grad_with_aux.");

        void Compare(float auxiliaryWeight, string prefix)
        {
            Loss(ids, labels, auxiliaryWeight, null);
            foreach (Parameter parameter in _model.Parameters)
            {
                foreach ((string name, Tensor value) in parameter.Gradients())
                {
                    golden.Compare(prefix + name, value.ToFloats());
                }

                parameter.ClearGradient();
            }
        }
    }

    private void Decode(GoldenTensors golden)
    {
        int[][] prompts = golden.Rows("prompt_ids"), expected = golden.Rows("new_ids");
        int steps = expected[0].Length;
        var logits = new List<float>();
        using (var cache = new CachedRows(_model, prompts.Length, prompts.Sum(p => (long)p.Length) + prompts.Length * (long)steps))
        {
            float[][] last = cache.Feed(prompts);
            cache.Compare(golden, "prefill_cache.");
            var rows = Enumerable.Range(0, prompts.Length).Select(_ => new List<float>()).ToArray();
            var ids = Enumerable.Range(0, prompts.Length).Select(_ => new List<int>()).ToArray();
            for (int step = 0; step < steps; step++)
            {
                if (step > 0)
                {
                    last = cache.Feed([.. ids.Select(i => new[] { i[^1] })]);
                }

                for (int r = 0; r < rows.Length; r++)
                {
                    rows[r].AddRange(last[r]);
                    ids[r].Add(Array.IndexOf(last[r], last[r].Max()));
                }
            }

            cache.Compare(golden, "end_cache.");
            golden.Compare("logits", rows.SelectMany(r => r));
            golden.CompareExactly("new_ids", ids.SelectMany(i => i));
        }

        int vocabulary = _model.Config.VocabSize;
        var uncached = new List<float>();
        for (int r = 0; r < prompts.Length; r++)
        {
            float[] all = Logits([[.. prompts[r], .. expected[r]]]);
            uncached.AddRange(all.Skip((prompts[r].Length - 1) * vocabulary).Take(steps * vocabulary));
        }

        golden.Compare("logits_without_cache", uncached);
        if (golden.Has("chunk_logits"))
        {
            int chunk = (int)golden.Shape("chunk_logits")[1];
            using var cache = new CachedRows(_model, prompts.Length, prompts.Sum(p => (long)p.Length) + prompts.Length * (long)chunk);
            cache.Feed(prompts);
            golden.Compare("chunk_logits", cache.FeedAll([.. expected.Select(e => e[..chunk])]));
        }
    }

    private void Padded(GoldenTensors golden)
    {
        int[][] ids = golden.Rows("input_ids"), mask = golden.Rows("attention_mask"), labels = golden.Rows("labels");
        int[][] alone = [.. ids.Select((row, r) => row.Where((_, t) => mask[r][t] != 0).ToArray())];
        for (int r = 0; r < ids.Length; r++)
        {
            golden.Compare($"unpadded_logits.{r}", Logits([alone[r]]));
        }

        if (HasSoftmax)
        {
            golden.SkipRest("as published, where a softmax layer attends to padding");
            return;
        }

        // The published loss also scores the last position of padding, against the first real label.
        LossResult result = Loss(ids, labels, null, null, mask);
        golden.Compare("logits", result.Logits);
        golden.Compare("loss", [(float)result.Loss]);
        golden.Compare("aux_loss", [(float)result.Auxiliary]);
        int[][] steps = golden.Has("decode_logits") ? golden.Rows("decode_ids") : [];
        using var cache = new CachedRows(_model, ids.Length, alone.Sum(a => (long)a.Length) + steps.Sum(s => (long)s.Length));
        cache.Feed(alone);
        cache.Compare(golden, "cache.");
        if (steps.Length > 0)
        {
            golden.Compare("decode_logits", cache.FeedAll(steps));
        }
    }

    private float[] Logits(int[][] rows)
    {
        using TensorScope scope = device.Scope();
        return _model.Logits(_model.Forward(PackedBatch.Create(device, [.. rows.Select(r => (ReadOnlyMemory<int>)r)]))).ToFloats();
    }

    // Gradients of loss + auxiliaryWeight · aux_loss are left with the parameters unless the weight is null.
    private LossResult Loss(int[][] ids, int[][] labels, float? auxiliaryWeight, Action<string, Tensor>? observe, int[][]? mask = null)
    {
        int[] real = [.. (mask ?? []).SelectMany(row => row)];
        int[] padding = [.. Enumerable.Range(0, real.Length).Where(i => real[i] == 0)];
        using TensorScope scope = device.Scope();
        using Tape? tape = auxiliaryWeight is null ? null : Tape.Record(device);
        PackedBatch batch = PackedBatch.Create(device, [.. ids.Select(r => (ReadOnlyMemory<int>)r)]);
        ForwardPass pass = _model.Pass(batch) with { Observe = observe, LeftPadding = padding };
        Tensor hidden = _model.Forward(pass);
        int[] targets = [.. labels.SelectMany(row => row.Skip(1).Append(NativeMethods.ExpectedIgnoreLabel))];
        int counted = targets.Count(t => t != NativeMethods.ExpectedIgnoreLabel);
        (Tensor logp, _) = _model.LogProbabilities(hidden, Tensor.From<int>(device, targets, targets.Length));
        Tensor auxiliary = MixtureOfExperts.AuxiliaryLoss(
            pass.RouterLogits, _model.Config.NumExpertsPerTok, mask is null ? null : Tensor.From<int>(device, real, real.Length));
        double loss = -logp.ToFloats().Sum(x => (double)x) / counted;
        float[] logits = tape is null ? _model.Logits(hidden).ToFloats() : [];
        var gradient = new float[targets.Length];
        Array.Fill(gradient, -1f / counted);
        tape?.Backward(
            (logp, Tensor.From<float>(device, gradient, gradient.Length)),
            (auxiliary, Tensor.From<float>(device, [auxiliaryWeight!.Value], 1)));
        return new LossResult(loss, auxiliary.Item(), logits);
    }

    private readonly record struct LossResult(double Loss, double Auxiliary, float[] Logits);
}
