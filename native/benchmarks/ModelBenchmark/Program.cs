using System.Diagnostics;
using System.Globalization;
using MiniMaxSharp;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using ModelBenchmark;

// Times a model on a sequence: ModelBenchmark DIRECTORY [threads [generation]], or serves it to 64 clients for two minutes:
// ModelBenchmark soak DIRECTORY TOOL, where TOOL is minimax.dll; or says what int8 experts do to its logits:
// ModelBenchmark int8 DIRECTORY. The directory holds config.json, model.safetensors and
// input.safetensors (input_ids), as the peer writes them. One JSON line a case.
if (args is ["soak", var served, var tool])
{
    await Soak.RunAsync(served, tool, 64, TimeSpan.FromMinutes(2), Line);
    return;
}

if (args is ["int8", var rounded])
{
    Int8Cases.Run(rounded, Line);
    return;
}

string directory = args[0];
if (args.Length > 1)
{
    Device.CpuThreads = int.Parse(args[1], CultureInfo.InvariantCulture);
}

using Device device = Device.Cpu();
using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(directory, device);
using SafetensorsFile input = SafetensorsFile.Open(Path.Combine(directory, "input.safetensors"));
int[] ids = Array.ConvertAll(input.ReadAsInt64("input_ids"), id => (int)id);

if (args.Length > 2)
{
    await GenerationCases.RunAsync(model, ids, Line);
    return;
}

Report("prefill", ids.Length, Best(5, () =>
{
    using TensorScope scope = device.Scope();
    model.Logits(model.Forward(PackedBatch.Create(device, [ids])));
}));

int[] targets = [.. ids.Skip(1), -100];
float[] seed = new float[ids.Length];
Array.Fill(seed, -1f / (ids.Length - 1));
Report("forward+backward", ids.Length, Best(3, () =>
{
    using TensorScope scope = device.Scope();
    using Tape tape = Tape.Record(device);
    Tensor hidden = model.Forward(PackedBatch.Create(device, [ids]));
    (Tensor logp, _) = model.LogProbabilities(hidden, Tensor.From<int>(device, targets, targets.Length));
    tape.Backward((logp, Tensor.From<float>(device, seed, seed.Length)));
}));

const int Steps = 32;
using (var cache = new ModelCache(model, 1, ids.Length + 8 * Steps))
{
    CachedSequence sequence = cache.Add();
    int token = Next(ids);
    Report("decode", Steps, Best(4, () =>
    {
        for (int i = 0; i < Steps; i++)
        {
            token = Next([token]);
        }
    }));

    int Next(int[] tokens)
    {
        using TensorScope scope = device.Scope();
        Tensor hidden = model.Forward(cache, [sequence], [tokens]);
        float[] logits = model.Logits(hidden.Slice(hidden.Shape[0] - 1, 1)).ToFloats();
        return Array.IndexOf(logits, logits.Max());
    }
}

// Without softmax layers a step costs the same after any number of tokens.
MiniMaxConfig lightning = model.Config with { NumHiddenLayers = 4, AttnTypeList = [0, 0, 0, 0], VocabSize = 1024, BosTokenId = null, EosTokenIds = [] };
using MiniMaxForCausalLM allLightning = MiniMaxForCausalLM.Create(lightning, device, seed: 1);
foreach (int length in new[] { 512, 32768 })
{
    using var cache = new ModelCache(allLightning, 1, length + 1024);
    CachedSequence sequence = cache.Add();
    for (int start = 0; start < length; start += 512)
    {
        Step([.. Enumerable.Range(start, 512).Select(i => i % lightning.VocabSize)]);
    }

    Report($"decode after {length} tokens, lightning layers only", Steps, Best(8, () =>
    {
        for (int i = 0; i < Steps; i++)
        {
            Step([i]);
        }
    }));

    void Step(int[] tokens)
    {
        using TensorScope scope = device.Scope();
        Tensor hidden = allLightning.Forward(cache, [sequence], [tokens]);
        allLightning.Logits(hidden.Slice(hidden.Shape[0] - 1, 1));
    }
}

static double Best(int runs, Action action)
{
    action();
    double best = double.PositiveInfinity;
    for (int i = 0; i < runs; i++)
    {
        var clock = Stopwatch.StartNew();
        action();
        best = Math.Min(best, clock.Elapsed.TotalSeconds);
    }

    return best;
}

static void Report(string name, int tokens, double seconds) => Line(name, tokens / seconds, "tokens/s");

static void Line(string name, double value, string unit) => Console.WriteLine(
    string.Create(CultureInfo.InvariantCulture, $"{{\"case\": \"{name}\", \"value\": {value:F3}, \"unit\": \"{unit}\"}}"));
