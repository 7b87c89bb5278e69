using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Models;

namespace MiniMaxSharp.Tests.Checkpoints;

public sealed class MiniMaxConfigTests : IDisposable
{
    private static readonly MiniMaxConfig Small = new()
    {
        HiddenSize = 24,
        NumHiddenLayers = 3,
        NumAttentionHeads = 6,
        NumKeyValueHeads = 2,
        HeadDim = 8,
        AttnTypeList = [0, 1, 0],
        RotaryDim = 4,
        RopeTheta = 12345.5,
        MaxPositionEmbeddings = 3000000000,
        IntermediateSize = 20,
        NumLocalExperts = 5,
        NumExpertsPerTok = 3,
        RmsNormEps = 2e-6,
        Postnorm = true,
        LayernormLinearAttentionAlpha = 1.5,
        LayernormLinearAttentionBeta = 1.25,
        LayernormFullAttentionAlpha = 1.75,
        LayernormFullAttentionBeta = 0.5,
        LayernormMlpAlpha = 3.5565588200778455,
        LayernormMlpBeta = 0.75,
        SharedIntermediateSize = 7,
        SharedMoeMode = "other",
        RouterAuxLossCoef = 0.25,
        OutputRouterLogits = true,
        RouterJitterNoise = 0.125,
        SlidingWindow = 9,
        TieWordEmbeddings = true,
        VocabSize = 77,
        AttentionDropout = 0.375,
        InitializerRange = 0.0625,
        BosTokenId = 3,
        EosTokenIds = [4, 5],
        TorchDtype = "bfloat16",
        ModelType = "MiniMaxM1",
    };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void EveryPropertyComesBack()
    {
        Small.Save(_folder.Root);
        MiniMaxConfig back = MiniMaxConfig.Load(_folder.Root);
        var plain = new MiniMaxConfig();
        foreach (PropertyInfo property in typeof(MiniMaxConfig).GetProperties().Where(p => p.Name is not (nameof(MiniMaxConfig.Other) or nameof(MiniMaxConfig.HiddenAct))))
        {
            Assert.Equal(property.GetValue(Small), property.GetValue(back));
            Assert.NotEqual(property.GetValue(plain), property.GetValue(back));
        }

        Assert.Equal("MiniMaxM1ForCausalLM", back.Other["architectures"][0].GetString());
    }

    [Fact]
    public void UnknownKeysAreWrittenBackInOrder()
    {
        JsonObject golden = Json(Path.Combine(DamagedFileTests.Goldens, "A"));
        golden["zebra"] = JsonNode.Parse("""{"b":[1,null,1e400],"a":"é \"<>\" \\u2028"}""");
        golden["apple"] = true;
        File.WriteAllText(_folder["in.json"], golden.ToJsonString());
        MiniMaxConfig config = MiniMaxConfig.Load(_folder["in.json"]);
        config.Save(_folder.Root);
        string first = File.ReadAllText(_folder["config.json"]);
        MiniMaxConfig.Load(_folder.Root).Save(_folder.Root);
        Assert.Equal(first, File.ReadAllText(_folder["config.json"]));
        JsonObject written = Json(_folder.Root);
        foreach ((string key, JsonNode? value) in golden)
        {
            Assert.True(written.ContainsKey(key), key);
            Assert.True(Same(value, written[key]), $"{key}: {value} became {written[key]}");
        }

        string[] others = [.. golden.Select(p => p.Key).Where(config.Other.ContainsKey)];
        Assert.Equal(["architectures", "transformers_version", "use_cache", "zebra", "apple"], others);
        Assert.Equal(others, written.Select(p => p.Key).Where(config.Other.ContainsKey));
    }

    [Fact]
    public void AConfigurationMadeInCodeIsWrittenWhole()
    {
        (Small with { EosTokenIds = [4], TorchDtype = null, ModelType = "minimax_m1" }).Save(_folder.Root);
        JsonObject written = Json(_folder.Root);
        Assert.Equal("minimax_m1", (string?)written["model_type"]);
        Assert.Equal(3, (int?)written["bos_token_id"]);
        Assert.Equal(4, (int?)written["eos_token_id"]);
        Assert.False(written.ContainsKey("torch_dtype"));
        Assert.Equal(35, written.Count);
    }

    [Fact]
    public void MissingOptionalKeysTakeTheReferenceDefaults()
    {
        File.WriteAllText(_folder["config.json"], """
            {"hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":4,"attn_type_list":[0,1],
             "intermediate_size":8,"num_local_experts":2,"num_experts_per_tok":1,"vocab_size":10,"head_dim":null,"sliding_window":null}
            """);
        MiniMaxConfig config = MiniMaxConfig.Load(_folder.Root);
        Assert.Equal(8, config.HeadDim);
        Assert.Equal(8, config.RotaryDim);
        Assert.False(config.Postnorm);
        Assert.Equal(1, config.LayernormMlpAlpha);
        Assert.Equal(0, config.SharedIntermediateSize);
        Assert.Null(config.SlidingWindow);
        Assert.Empty(config.EosTokenIds);
    }

    [Theory]
    [InlineData("hidden_size", "0")]
    [InlineData("hidden_size", "\"64\"")]
    [InlineData("hidden_size", "6.5")]
    [InlineData("hidden_size", "99999999999")]
    [InlineData("num_hidden_layers", "1")]
    [InlineData("num_key_value_heads", "3")]
    [InlineData("head_dim", "-16")]
    [InlineData("head_dim", "2147483647")]
    [InlineData("rotary_dim", "7")]
    [InlineData("rotary_dim", "18")]
    [InlineData("attn_type_list", "[0,0,0]")]
    [InlineData("attn_type_list", "[0,0,0,2]")]
    [InlineData("attn_type_list", "[0,0,0,\"x\"]")]
    [InlineData("attn_type_list", "7")]
    [InlineData("attn_type_list", "null")]
    [InlineData("num_experts_per_tok", "5")]
    [InlineData("hidden_act", "\"gelu\"")]
    [InlineData("hidden_act", "5")]
    [InlineData("model_type", "\"llama\"")]
    [InlineData("rms_norm_eps", "0")]
    [InlineData("rope_theta", "1e400")]
    [InlineData("layernorm_mlp_alpha", "1e40")]
    [InlineData("postnorm", "1")]
    [InlineData("vocab_size", "null")]
    [InlineData("eos_token_id", "-1")]
    [InlineData("eos_token_id", "[1,-128]")]
    [InlineData("shared_intermediate_size", "-1")]
    [InlineData("attention_dropout", "1")]
    public void ABadValueIsRefusedByFileAndKey(string key, string value)
    {
        JsonObject json = Json(Path.Combine(DamagedFileTests.Goldens, "A"));
        json[key] = JsonNode.Parse(value);
        File.WriteAllText(_folder["config.json"], json.ToJsonString());
        string message = Assert.Throws<CheckpointFormatException>(() => MiniMaxConfig.Load(_folder.Root)).Message;
        Assert.Contains(_folder["config.json"], message, StringComparison.Ordinal);
        Assert.Contains(key, message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsNotAnObjectOrNamesAKeyTwiceIsRefused()
    {
        foreach (string text in new[] { "", "[]", "{", "null", """{"hidden_size":1,"hidden_size":2}""" })
        {
            File.WriteAllText(_folder["config.json"], text);
            string message = Assert.Throws<CheckpointFormatException>(() => MiniMaxConfig.Load(_folder.Root)).Message;
            Assert.Contains(_folder["config.json"], message, StringComparison.Ordinal);
        }

        Assert.Contains("rotary_dim", Assert.Throws<ArgumentException>(() => (Small with { RotaryDim = 5 }).Validate()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheParametersOfM1AreThePublishedOnes()
    {
        var m1 = new MiniMaxConfig { AttnTypeList = [.. Enumerable.Range(0, 80).Select(i => i % 8 == 7 ? 1 : 0)] };
        m1.Validate();
        ParameterSpec[] parameters = [.. m1.Parameters()];
        Assert.Equal(8243, parameters.Select(p => p.Name).Distinct().Count());
        Assert.Equal(8243, parameters.Length);
        Assert.Equal(456_089_655_296, parameters.Sum(p => p.Shape.Aggregate(1L, (a, b) => a * b)));
        long routers = parameters.Where(p => p.Name.EndsWith("block_sparse_moe.gate.weight", StringComparison.Ordinal)).Sum(p => p.Shape[0] * p.Shape[1]);
        Assert.Equal(912_210_767_872, 2 * 456_089_655_296 + 2 * routers);
    }

    [Fact]
    public void TheParametersOfTheGoldenModelAreThoseOfItsFile()
    {
        string folder = Path.Combine(DamagedFileTests.Goldens, "A");
        using ShardedCheckpoint checkpoint = ShardedCheckpoint.Open(folder);
        ParameterSpec[] parameters = [.. MiniMaxConfig.Load(folder).Parameters()];
        Assert.Equal(checkpoint.Names.Order(), parameters.Select(p => p.Name).Order());
        Assert.All(parameters, p => Assert.Equal(p.Shape, checkpoint.Info(p.Name).Shape));
    }

    private static JsonObject Json(string folder) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!.AsObject();

    private static bool Same(JsonNode? a, JsonNode? b) =>
        a?.GetValueKind() == JsonValueKind.Number && b?.GetValueKind() == JsonValueKind.Number
            ? a.GetValue<double>() == b.GetValue<double>()
            : a?.ToJsonString() == b?.ToJsonString();
}
