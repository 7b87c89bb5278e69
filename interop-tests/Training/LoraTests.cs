using System.Text.Json.Nodes;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Checkpoints;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Low-rank adapters: gradients, merging, files.</summary>
public sealed class LoraTests
{
    private static readonly string[] s_all = [.. LoraOptions.Attention, .. LoraOptions.Experts, .. LoraOptions.Head];
    private static readonly int[][] s_rows = [TinyModels.Ids(1, 9), TinyModels.Ids(2, 14)];

    [Theory]
    [Devices]
    public void A_new_adapter_changes_nothing_and_freezes_the_base(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device);
        float[] before = TinyModels.Logits(model, s_rows);
        using (LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { TargetModules = s_all }))
        {
            Assert.Equal(before, TinyModels.Logits(model, s_rows));
            Assert.All(model.Parameters, p => Assert.False(p.IsTrainable));
            Assert.Throws<InvalidOperationException>(() => LoraAdapter.Attach(model, new LoraOptions()));
            TinyModels.Loss(model, s_rows, gradients: true);
            Assert.All(model.Parameters, p => Assert.Null(p.Gradient));
            Assert.All(adapter.Parameters, p => Assert.NotNull(p.Gradient));
        }

        Assert.All(model.Parameters, p => Assert.True(p.IsTrainable));
    }

    [Theory]
    [Devices(false)]
    [Devices(true)]
    public void Gradients_of_all_additions_are_finite_differences(string on, bool recompute)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device);
        model.RecomputeLayers = recompute;
        using LoraAdapter adapter = LoraAdapter.Attach(model, Noise(model, s_all));
        TinyModels.Loss(model, s_rows, gradients: true);
        Parameter[] parameters = [.. adapter.Parameters];
        float[][] gradients = [.. parameters.Select(p => p.Gradient!.ToFloats())];
        double largest = gradients.Max(g => g.Max(x => Math.Abs((double)x)));
        for (int i = 0; i < parameters.Length; i++)
        {
            Assert.Contains(gradients[i], g => g != 0);
            int steepest = Array.FindIndex(gradients[i], g => Math.Abs(g) == gradients[i].Max(Math.Abs));
            const float step = 1f / 256;
            double difference = (Moved(parameters[i], steepest, step) - Moved(parameters[i], steepest, -step)) / (2 * step);
            double tolerance = 0.02 * Math.Abs(gradients[i][steepest]) + 1e-4 * largest;
            Assert.True(Math.Abs(difference - gradients[i][steepest]) <= tolerance, $"{parameters[i].Name}[{steepest}]: {gradients[i][steepest]}, difference {difference}");
        }

        double Moved(Parameter parameter, int index, float by)
        {
            float[] values = parameter.Value.ToFloats();
            values[index] += by;
            parameter.Value.CopyFrom<float>(values);
            double loss = TinyModels.Loss(model, s_rows, gradients: false);
            values[index] -= by;
            parameter.Value.CopyFrom<float>(values);
            return loss;
        }
    }

    [Theory]
    [Devices(ElementType.Float32, 2e-4)]
    [Devices(ElementType.BFloat16, 0.2)]
    public void A_merged_model_computes_what_the_adapted_one_did(string on, ElementType type, double tolerance)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device, type);
        float[] before = TinyModels.Logits(model, s_rows);
        LoraAdapter adapter = LoraAdapter.Attach(model, Noise(model, s_all));
        float[] adapted = TinyModels.Logits(model, s_rows);
        adapter.Enabled = false;
        Assert.Equal(before, TinyModels.Logits(model, s_rows));
        adapter.Enabled = true;
        Assert.Equal(adapted, TinyModels.Logits(model, s_rows));
        adapter.Merge();
        float[] merged = TinyModels.Logits(model, s_rows);
        Assert.True(TinyModels.Difference(before, adapted) > 2 * tolerance, "the adapter should make a difference");
        Assert.InRange(TinyModels.Difference(adapted, merged), 0, tolerance);
        Assert.All(model.Parameters, p => Assert.True(p.IsTrainable));
    }

    [Fact]
    public void A_model_generates_with_its_adapter_what_it_does_once_merged()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        int[] without = Generated();
        LoraAdapter adapter = LoraAdapter.Attach(model, Noise(model, s_all));
        int[] adapted = Generated();
        adapter.Merge();
        Assert.Equal(adapted, Generated());
        Assert.NotEqual(without, adapted);

        int[] Generated() => new TextGenerator(model)
            .Generate([new GenerationRequest(s_rows[0])], new GenerationOptions { MaxNewTokens = 12, Temperature = 0 })[0][0].Tokens;
    }

    [Theory]
    [Devices]
    public void Experts_that_are_frozen_in_part_still_give_the_rest_its_gradient(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device);
        Parameter first = model.Parameters.First(p => p.Name.EndsWith("experts.0.w1.weight", StringComparison.Ordinal));
        Parameter second = model.Parameters.First(p => p.Name.EndsWith("experts.0.w2.weight", StringComparison.Ordinal));
        TinyModels.Loss(model, s_rows, gradients: true);
        float[] whole = second.Gradient!.ToFloats();
        foreach (Parameter parameter in model.Parameters)
        {
            parameter.ClearGradient();
        }

        first.IsTrainable = false;
        TinyModels.Loss(model, s_rows, gradients: true);
        Assert.Null(first.Gradient);
        Assert.Equal(whole, second.Gradient!.ToFloats());
    }

    [Fact]
    public void A_merged_weight_is_the_sum_of_weight_and_update_rounded_once()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device, ElementType.BFloat16);
        LoraWeights weights = Noise(model, s_all);
        Dictionary<string, float[]> before = Values(model);
        LoraAdapter.Attach(model, weights).Merge();
        foreach ((string name, float[] after) in Values(model))
        {
            string module = name[..^".weight".Length];
            if (!weights.Modules.ContainsKey(module))
            {
                Assert.Equal(before[name], after);
                continue;
            }

            double[] update = weights.Update(module);
            for (int i = 0; i < after.Length; i++)
            {
                // Half a unit in the last place of bfloat16, and what single precision loses on the way.
                double sum = before[name][i] + update[i];
                Assert.InRange(Math.Abs(after[i] - sum), 0, Math.Abs(sum) / 256 + 1e-5);
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_adapter_learns_with_an_optimiser_of_its_own_size(bool bfloat16)
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device, bfloat16 ? ElementType.BFloat16 : ElementType.Float32, 0.05);
        Dictionary<string, float[]> before = Values(model);
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { Rank = 4, TargetModules = s_all });
        using var optimizer = new AdamW(adapter.Parameters);
        Assert.Equal(2 * adapter.Parameters.Sum(p => p.Value.Count), optimizer.State().Sum(s => s.Value.Count));
        var trainer = new SupervisedTrainer(model, optimizer, new SupervisedOptions { LearningRate = new LearningRateSchedule(1e-2f, 40) });
        TrainingSequence[] batch = [.. Enumerable.Range(0, 4).Select(i => new TrainingSequence(TinyModels.Ids(i, 12), 4))];
        double first = trainer.Evaluate(batch);
        for (int step = 0; step < 40; step++)
        {
            trainer.Step(batch, step);
        }

        Assert.InRange(trainer.Evaluate(batch), 0, first / 2);
        Assert.All(Values(model), v => Assert.Equal(before[v.Key], v.Value));
    }

    [Fact]
    public void Files_are_in_PEFTs_layout_and_give_the_adapter_back()
    {
        using var folder = new TemporaryFolder();
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        LoraWeights weights = Noise(model, s_all);
        weights.Save(folder["adapter"], "runs/base");
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder["adapter"], "adapter_config.json")))!.AsObject();
        Assert.Equal(("LORA", "CAUSAL_LM", "runs/base", 3, 5f), ((string?)config["peft_type"], (string?)config["task_type"], (string?)config["base_model_name_or_path"], (int?)config["r"], (float?)config["lora_alpha"]));
        Assert.Contains("qkv_proj", config["target_modules"]!.AsArray().Select(n => (string?)n));
        using (SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder["adapter"], "adapter_model.safetensors")))
        {
            Assert.Equal([3, 32], file.Info("base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight").Shape);
            Assert.Equal([40, 3], file.Info("base_model.model.model.layers.0.block_sparse_moe.experts.2.w1.lora_B.weight").Shape);
            Assert.Equal([TinyModels.Vocabulary, 3], file.Info("base_model.model.lm_head.lora_B.weight").Shape);
        }

        using LoraAdapter adapter = LoraAdapter.Attach(model, LoraWeights.Load(folder["adapter"]));
        RequireEqual(weights, adapter.Weights());
    }

    [Theory]
    [InlineData("r", "4", "[4, inputs] was expected")]
    [InlineData("r", "0", "'r'")]
    [InlineData("lora_alpha", "\"much\"", "'lora_alpha'")]
    [InlineData("peft_type", "\"IA3\"", "'peft_type' must be \"LORA\"")]
    [InlineData("use_dora", "true", "'use_dora'")]
    [InlineData("rank_pattern", "{\"q_proj\": 2}", "'rank_pattern'")]
    public void A_file_that_means_something_else_is_refused_by_key(string key, string value, string named)
    {
        using var folder = new TemporaryFolder();
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        Noise(model, LoraOptions.Attention).Save(folder["adapter"]);
        string file = Path.Combine(folder["adapter"], "adapter_config.json");
        JsonObject config = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        config[key] = JsonNode.Parse(value);
        File.WriteAllText(file, config.ToJsonString());
        var error = Assert.Throws<CheckpointFormatException>(() => LoraWeights.Load(folder["adapter"]));
        Assert.StartsWith(folder["adapter"], error.Message, StringComparison.Ordinal);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_adapter_of_another_model_is_refused_by_module_and_the_model_stays_as_it_was()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        using MiniMaxForCausalLM tied = MiniMaxForCausalLM.Create(TinyModels.Config() with { TieWordEmbeddings = true }, device, 1);
        LoraWeights weights = Noise(model, LoraOptions.Experts);
        var more = new LoraWeights(weights.Rank, weights.Alpha, [.. weights.Modules, KeyValuePair.Create("model.layers.9.q", weights.Modules.First().Value)]);
        Assert.Contains("'model.layers.9.q'", Assert.Throws<ArgumentException>(() => LoraAdapter.Attach(model, more)).Message, StringComparison.Ordinal);
        var fewer = new LoraWeights(weights.Rank, weights.Alpha, weights.Modules.Where(m => m.Key != "model.layers.0.block_sparse_moe.experts.3.w2"));
        Assert.Contains("experts.3.w2", Assert.Throws<ArgumentException>(() => LoraAdapter.Attach(model, fewer)).Message, StringComparison.Ordinal);
        using MiniMaxForCausalLM wider = MiniMaxForCausalLM.Create(TinyModels.Config() with { IntermediateSize = 48 }, device, 1);
        Assert.Contains("[48, 32]", Assert.Throws<ArgumentException>(() => LoraAdapter.Attach(wider, weights)).Message, StringComparison.Ordinal);
        Assert.Contains("lm_head", Assert.Throws<ArgumentException>(() => LoraAdapter.Attach(tied, new LoraOptions { TargetModules = LoraOptions.Head })).Message, StringComparison.Ordinal);
        Assert.Contains("qproj", Assert.Throws<ArgumentException>(() => LoraAdapter.Attach(model, new LoraOptions { TargetModules = ["qproj"] })).Message, StringComparison.Ordinal);
        Assert.All(model.Parameters.Concat(tied.Parameters).Concat(wider.Parameters), p => Assert.True(p.IsTrainable));
        LoraAdapter.Attach(model, weights).Dispose();
    }

    [Fact]
    public void Taking_an_adapter_off_frees_its_memory_and_the_gradients()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { TargetModules = s_all });
        TinyModels.Loss(model, s_rows, gradients: true);
        Tensor[] tensors = [.. adapter.Parameters.SelectMany(p => new[] { p.Value, p.Gradient! })];
        adapter.Dispose();
        Assert.All(tensors, tensor => Assert.True(tensor.IsDisposed));
        Assert.Empty(adapter.Parameters);
    }

    private static MiniMaxForCausalLM Model(Device device, ElementType type = ElementType.Float32, double range = 0.2) =>
        MiniMaxForCausalLM.Create(TinyModels.Config(shared: true) with { InitializerRange = range }, device, 1, type);

    /// <summary>An adapter in which B is not zero.</summary>
    private static LoraWeights Noise(MiniMaxForCausalLM model, IReadOnlyList<string> targets)
    {
        LoraWeights weights = LoraWeights.Create(model.Config, new LoraOptions { Rank = 3, Alpha = 5, TargetModules = targets, Seed = 7 });
        var random = new SplitMix64(3);
        return new LoraWeights(3, 5, weights.Modules.Select(m => KeyValuePair.Create(
            m.Key, m.Value with { B = [.. m.Value.B.Select(_ => (float)(random.NextDouble() - 0.5) / 8)] })));
    }

    private static Dictionary<string, float[]> Values(MiniMaxForCausalLM model) =>
        model.Parameters.SelectMany(p => p.Tensors().Select(t => (t.Name, Values: t.Value.ToFloats()))).ToDictionary(t => t.Name, t => t.Values);

    private static void RequireEqual(LoraWeights expected, LoraWeights actual)
    {
        Assert.Equal((expected.Rank, expected.Alpha), (actual.Rank, actual.Alpha));
        Assert.Equal(expected.Modules.Keys.Order(StringComparer.Ordinal), actual.Modules.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, LoraModule module) in expected.Modules)
        {
            Assert.Equal(module.A, actual.Modules[name].A);
            Assert.Equal(module.B, actual.Modules[name].B);
            Assert.Equal((module.Inputs, module.Outputs), (actual.Modules[name].Inputs, actual.Modules[name].Outputs));
        }
    }
}
