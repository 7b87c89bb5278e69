using System.Text.Json.Nodes;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Checkpoints;

/// <summary>The same weights as MiniMax-M1, MiniMax-Text-01 and transformers' minimax have them.</summary>
public sealed class LayoutTests : IDisposable
{
    // As transformers 5 writes it: what its class has, and what was left over from an older file.
    private const string Transformers = """
        {
          "architectures": ["MiniMaxForCausalLM"], "attention_dropout": 0.0, "block_size": 256, "bos_token_id": null, "dtype": "float32",
          "eos_token_id": null, "full_attn_alpha_factor": 1.4, "full_attn_beta_factor": 1, "head_dim": 12, "hidden_act": "silu",
          "hidden_size": 32, "initializer_range": 0.2, "intermediate_size": 40, "layer_types": ["linear_attention", "full_attention",
          "linear_attention"], "linear_attn_alpha_factor": 1.5, "linear_attn_beta_factor": 1, "max_position_embeddings": 4096,
          "mlp_alpha_factor": 1.3, "mlp_beta_factor": 0.9, "model_type": "minimax", "num_attention_heads": 4, "num_experts_per_tok": 2,
          "num_hidden_layers": 3, "num_key_value_heads": 2, "num_local_experts": 4, "output_router_logits": false, "pad_token_id": null,
          "rms_norm_eps": 1e-05, "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default", "partial_rotary_factor": 0.6666666666666666},
          "router_aux_loss_coef": 0.001, "router_jitter_noise": 0.0, "sliding_window": null, "tie_word_embeddings": false,
          "transformers_version": "5.16.0", "use_cache": true, "vocab_size": 50
        }
        """;

    private static readonly int[][] s_rows = [TinyModels.Ids(1, 70), TinyModels.Ids(2, 9)];
    private readonly TemporaryFolder _folder = new();
    private readonly Device _device = Device.Cpu();

    public void Dispose()
    {
        _device.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("minimax_text_01")]
    [InlineData("MiniMaxText01")]
    public void MiniMaxText01IsTheSameToTheBit(string type)
    {
        float[] expected = Save(TinyModels.Config());
        Configure(File.ReadAllText(_folder["config.json"]), json =>
        {
            json["model_type"] = type;
            json["architectures"] = new JsonArray("MiniMaxText01ForCausalLM");
        });
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(_folder.Root, _device);
        Assert.Equal(expected, TinyModels.Logits(model, s_rows));
        model.Save(_folder["again"]);
        MiniMaxConfig again = MiniMaxConfig.Load(_folder["again"]);
        Assert.Equal((type, "MiniMaxText01ForCausalLM"), (again.ModelType, again.Other["architectures"][0].GetString()));
    }

    [Theory]
    [InlineData("block_sparse_moe.experts.3.w1.weight")]
    [InlineData("mlp.experts.3.w1.weight")]
    [InlineData("mlp.experts.gate_up_proj")]
    public void TransformersNamesLoadAlike(string written)
    {
        float[] m1 = Save(TinyModels.Config());
        Rename(written);
        Configure(Transformers);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(_folder.Root, _device);
        using (ShardedCheckpoint checkpoint = ShardedCheckpoint.Open(_folder.Root))
        {
            Assert.Contains("model.layers.1." + written, checkpoint.Names);
        }

        // Names and places change no bit; other slopes do: the last layer's is half as steep again.
        using MiniMaxForCausalLM same = MiniMaxForCausalLM.Create(model.Config, _device, 5);
        float[] expected = TinyModels.Logits(same, s_rows), logits = TinyModels.Logits(model, s_rows);
        Assert.Equal(expected, logits);
        Assert.InRange(TinyModels.Difference(m1, logits), 1e-7, 1e-2);
    }

    [Theory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.BFloat16)]
    public void WithoutLightningLayersTransformersIsTheSameToTheBit(ElementType type)
    {
        float[] expected = Save(TinyModels.Config(attention: [1, 1]), type);
        Rename("mlp.experts.gate_up_proj");
        Configure(Transformers, json =>
        {
            json["layer_types"] = new JsonArray("full_attention", "full_attention");
            json["num_hidden_layers"] = 2;
        });
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(_folder.Root, _device);
        Assert.Equal(expected, TinyModels.Logits(model, s_rows));
    }

    [Fact]
    public void TransformersComesBackFromSaving()
    {
        Save(TinyModels.Config());
        Configure(Transformers, json => json["sliding_window"] = 7);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(_folder.Root, _device);
        model.Save(_folder["again"]);
        var written = (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(_folder["again"], "config.json")))!;
        foreach ((string key, JsonNode? value) in (JsonObject)JsonNode.Parse(Transformers)!)
        {
            string there = written[key == "dtype" ? "torch_dtype" : key]?.ToJsonString() ?? "null";
            Assert.True(key is "sliding_window" || JsonNode.DeepEquals(value, JsonNode.Parse(there)), $"{key}: {there}");
        }

        Assert.DoesNotContain(written, pair => pair.Key.StartsWith("layernorm_", StringComparison.Ordinal) || pair.Key == "attn_type_list");
        using MiniMaxForCausalLM back = MiniMaxForCausalLM.Load(_folder["again"], _device);
        Assert.Equal(TinyModels.Logits(model, s_rows), TinyModels.Logits(back, s_rows));
    }

    [Fact]
    public void TransformersCountsTheTokenItselfInTheWindow()
    {
        float[] expected = Save(TinyModels.Config(attention: [1, 1]) with { SlidingWindow = 6 });
        float[] unlimited = Save(TinyModels.Config(attention: [1, 1]));
        Configure(Transformers, json =>
        {
            json["layer_types"] = new JsonArray("full_attention", "full_attention");
            json["num_hidden_layers"] = 2;
            json["sliding_window"] = 7;
        });
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(_folder.Root, _device);
        Assert.Equal(expected, TinyModels.Logits(model, s_rows));
        Assert.NotEqual(unlimited, TinyModels.Logits(model, s_rows));
    }

    [Theory]
    [InlineData("""{"rope_parameters":{"rope_type":"default","rope_theta":5000.0}}""", 12, 5000)]
    [InlineData("""{"rope_parameters":{"rope_type":"default","rope_theta":5000.0},"rope_theta":7000,"rotary_dim":64}""", 12, 5000)]
    [InlineData("""{"rope_parameters":null,"rope_theta":7000,"rope_scaling":null}""", 12, 7000)]
    [InlineData("""{"rope_parameters":null,"rope_theta":7000,"rotary_dim":8}""", 8, 7000)]
    [InlineData("""{"rope_parameters":null}""", 12, 1000000)]
    [InlineData("""{"rope_parameters":{"rope_theta":5000.0,"partial_rotary_factor":0.5},"rotary_dim":8}""", 6, 5000)]
    public void RotaryPositionsAreThoseOfTheVersion(string keys, int rotaryDim, double theta)
    {
        Configure(Transformers, json =>
        {
            foreach ((string key, JsonNode? value) in (JsonObject)JsonNode.Parse(keys)!)
            {
                json[key] = value?.DeepClone();
            }
        });
        MiniMaxConfig config = MiniMaxConfig.Load(_folder.Root);
        Assert.Equal((rotaryDim, theta), (config.RotaryDim, config.RopeTheta));
    }

    [Theory]
    [InlineData("rope_parameters", """{"rope_type":"yarn","rope_theta":10000.0,"factor":4.0}""", "rope_parameters.rope_type")]
    [InlineData("rope_scaling", """{"type":"linear","factor":2.0}""", "rope_scaling.type")]
    [InlineData("rope_parameters", "5", "rope_parameters")]
    [InlineData("layer_types", """["linear_attention","full_attention","sliding_attention"]""", "layer_types")]
    [InlineData("layer_types", """["linear_attention","full_attention"]""", "layer_types")]
    [InlineData("layer_types", "[0,1,0]", "layer_types")]
    [InlineData("layer_types", "null", "layer_types")]
    [InlineData("postnorm", "false", "postnorm")]
    [InlineData("shared_intermediate_size", "40", "shared_intermediate_size")]
    [InlineData("sliding_window", "1", "sliding_window")]
    [InlineData("hidden_act", "\"gelu\"", "hidden_act")]
    [InlineData("linear_attn_alpha_factor", "\"x\"", "linear_attn_alpha_factor")]
    [InlineData("mlp_beta_factor", "1e40", "mlp_beta_factor")]
    public void WhatIsNotTheSameIsRefusedByItsKey(string key, string value, string named)
    {
        Configure(Transformers, json => json[key] = JsonNode.Parse(value));
        string message = Assert.Throws<CheckpointFormatException>(() => MiniMaxConfig.Load(_folder.Root)).Message;
        Assert.Contains(named, message, StringComparison.Ordinal);
        Assert.Contains("config.json", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(4, 3)]
    [InlineData(6, 5)]
    [InlineData(64, 80)]
    public void TransformersSlopesAreOneSeriesWithItsOwnScale(int heads, int layers)
    {
        for (int layer = 0; layer < layers; layer++)
        {
            float[] slopes = LightningAttention.TransformersSlopes(heads, layer, layers);
            Assert.Equal(heads, slopes.Length);
            for (int h = 0; h < heads; h++)
            {
                double expected = Math.Pow(2, -8.0 * (h + 1) / heads) * (1 - layer / (layers - 1 + 1e-5) + 1e-5);
                Assert.InRange(slopes[h] / expected, 1 - 1e-5, 1 + 1e-5);
            }
        }
    }

    [Theory]
    [InlineData(1f, null)]
    [InlineData(1.001f, null)]
    [InlineData(1.5f, "model.layers.2.self_attn.slope_rate")]
    [InlineData(float.NaN, "model.layers.2.self_attn.slope_rate")]
    public void SavedSlopesAreThoseOfTheFormulaOrRefused(float factor, string? refused)
    {
        Save(TinyModels.Config());
        Configure(Transformers);
        MiniMaxConfig config = MiniMaxConfig.Load(_folder.Root);
        Rewrite(sources =>
        [
            .. sources,
            TensorSource.Of<float>("model.layers.0.self_attn.slope_rate", config.Slopes(0), 4, 1, 1),
            TensorSource.Of<float>("model.layers.2.self_attn.slope_rate", Array.ConvertAll(config.Slopes(2), s => s * factor), 4, 1, 1),
            TensorSource.Of<float>("model.layers.2.self_attn.key_decay", new float[12], 4, 3, 1),
        ]);
        if (refused is null)
        {
            MiniMaxForCausalLM.Load(_folder.Root, _device).Dispose();
        }
        else
        {
            Refused(refused);
        }
    }

    [Fact]
    public void AFusedTensorOfAnotherShapeOrNoneIsNamed()
    {
        Save(TinyModels.Config());
        Rename("mlp.experts.gate_up_proj");
        Configure(Transformers, json => json["num_local_experts"] = 5);
        Refused("model.layers.0.mlp.gate.weight", "[5, 32]");
        Configure(Transformers);
        Rewrite(sources => sources.Select(s => s.Name == "model.layers.2.mlp.experts.down_proj" ? s with { Shape = [4, 40, 32] } : s));
        Refused("model.layers.2.mlp.experts.down_proj", "[4, 40, 32]", "[4, 32, 40]");
        Rewrite(sources => sources.Where(s => s.Name != "model.layers.2.mlp.experts.down_proj"));
        Refused("model.layers.2.block_sparse_moe.experts.0.w2.weight", "missing");
    }

    /// <summary>Saves a model in M1's layout; returns its logits.</summary>
    private float[] Save(MiniMaxConfig config, ElementType type = ElementType.Float32)
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(config, _device, 5, type);
        model.Save(_folder.Root);
        return TinyModels.Logits(model, s_rows);
    }

    private void Configure(string text, Action<JsonObject>? change = null)
    {
        var json = (JsonObject)JsonNode.Parse(text)!;
        change?.Invoke(json);
        File.WriteAllText(_folder["config.json"], json.ToJsonString());
    }

    /// <summary>Gives the experts' tensors and the router other names, or puts the experts of a layer together.</summary>
    private void Rename(string example) => Rewrite(sources =>
    {
        if (!example.StartsWith("mlp.", StringComparison.Ordinal))
        {
            return sources;
        }

        TensorSource[] renamed = [.. sources.Select(s => s with { Name = s.Name.Replace("block_sparse_moe", "mlp", StringComparison.Ordinal) })];
        if (!example.EndsWith("_proj", StringComparison.Ordinal))
        {
            return renamed;
        }

        ILookup<string, TensorSource> layers = renamed.Where(s => s.Name.Contains(".experts.", StringComparison.Ordinal)).ToLookup(s => s.Name[..s.Name.IndexOf(".experts.", StringComparison.Ordinal)]);
        return [.. renamed.Except(layers.SelectMany(l => l)), .. layers.SelectMany(Fuse)];
    });

    private static IEnumerable<TensorSource> Fuse(IGrouping<string, TensorSource> layer)
    {
        Dictionary<string, TensorSource> named = layer.ToDictionary(s => s.Name[(layer.Key.Length + ".experts.".Length)..]);
        TensorSource[] gateUp = [.. Enumerable.Range(0, 4).SelectMany(e => new[] { named[$"{e}.w1.weight"], named[$"{e}.w3.weight"] })];
        TensorSource[] down = [.. Enumerable.Range(0, 4).Select(e => named[$"{e}.w2.weight"])];
        yield return new(layer.Key + ".experts.gate_up_proj", gateUp[0].DType, [4, 80, 32], stream => Array.ForEach(gateUp, s => s.Write(stream)));
        yield return new(layer.Key + ".experts.down_proj", down[0].DType, [4, 32, 40], stream => Array.ForEach(down, s => s.Write(stream)));
    }

    private void Rewrite(Func<IEnumerable<TensorSource>, IEnumerable<TensorSource>> change)
    {
        TensorSource[] sources;
        using (ShardedCheckpoint checkpoint = ShardedCheckpoint.Open(_folder.Root))
        {
            sources = [.. checkpoint.Names.Select(name =>
            {
                TensorInfo info = checkpoint.Info(name);
                byte[] bytes = checkpoint.FileOf(name).Bytes(name).ToArray();
                return new TensorSource(name, info.DType, info.Shape, stream => stream.Write(bytes));
            })];
        }

        ShardedCheckpoint.Save(_folder.Root, [.. change(sources)], 20_000);
    }

    private void Refused(params string[] named)
    {
        string message = Assert.Throws<CheckpointFormatException>(() => MiniMaxForCausalLM.Load(_folder.Root, _device)).Message;
        Assert.All(named, part => Assert.Contains(part, message, StringComparison.Ordinal));
    }
}
