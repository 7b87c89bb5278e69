using System.Globalization;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Cli;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Checkpoints;

public sealed class InspectTests : IDisposable
{
    private static readonly MiniMaxConfig s_m1 = new()
    {
        AttnTypeList = [.. Enumerable.Range(0, 80).Select(i => i % 8 == 7 ? 1 : 0)],
        Postnorm = true,
        LayernormLinearAttentionAlpha = MiniMaxConfig.DeepNorm(80),
        LayernormFullAttentionAlpha = MiniMaxConfig.DeepNorm(80),
        LayernormMlpAlpha = MiniMaxConfig.DeepNorm(80),
    };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheWholeOfMiniMaxM1IsCheckedByItsHeaders()
    {
        Holes.Write(_folder.Root, s_m1, "BF16", 2_500_000_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        string text = Inspect(_folder.Root);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
        Assert.Contains("80 layers (70 lightning, 10 softmax)", text, StringComparison.Ordinal);
        Assert.Contains("tensors:     8,243\n", text, StringComparison.Ordinal);
        Assert.Contains("parameters:  456,089,655,296\n", text, StringComparison.Ordinal);
        Assert.Contains("active:      47,174,113,280 a token, 45,944,920,064 without the LM head", text, StringComparison.Ordinal);
        Assert.Contains("bytes:       912,210,767,872 ", text, StringComparison.Ordinal);
        Assert.Contains("state:       293,601,280 bytes", text, StringComparison.Ordinal);
        Assert.Contains("cache:       40,960 bytes", text, StringComparison.Ordinal);
        Assert.Contains("files, 8,243 tensors, 912,210,767,872 bytes; names, shapes and sizes fit", text, StringComparison.Ordinal);
        Assert.Matches(@"\n +65536 +6\.911e15 +1\.054e16 +0\.656 +7\.263e15 ", text);
        Assert.Matches(@"\n +1000000 ", text);
    }

    /// <summary>Figure 1 of the report: MiniMax-M1 against a model of 74e9 operations a token and 61 layers of 128 heads of 160 in the mean.</summary>
    [Theory]
    [InlineData(65_536, 6, 0.347)]
    [InlineData(100_000, 6, 0.266)]
    [InlineData(65_536, 4, 0.444)]
    [InlineData(100_000, 4, 0.343)]
    public void TheReportsRatiosComeOut(int length, int perPair, double ratio)
    {
        GenerationCost m1 = GenerationCost.Of(s_m1), other = new(74e9, 61, 128, 160);
        Assert.Equal(94.7e9, m1.PerToken, 0.05e9);
        Assert.Equal(ratio, m1.Of(length, perPair) / other.Of(length, perPair), 0.0005);
    }

    [Fact]
    public void SizesAreThoseOfTheParametersOfARealModel()
    {
        using Device device = Device.Cpu();
        MiniMaxConfig config = TinyModels.Config(shared: true) with { TorchDtype = "float32", TieWordEmbeddings = true };
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(config, device, 1);
        ModelSize size = ModelSize.Of(config);
        Assert.Equal(model.Parameters.Sum(p => p.Tensors().Count()), size.Tensors);
        Assert.Equal(model.Parameters.Sum(p => p.Value.Count), size.Parameters);
        Assert.Equal(model.Parameters.Sum(p => p.Value.Bytes), size.Bytes);
        Assert.Equal(2 * 4 * 12 * 12 * 4, size.StateBytes);
        Assert.Equal(2 * 2 * 12 * 4, size.CacheBytesPerToken);

        // Tied, the embedding is the head: only the other experts are idle.
        Assert.Equal(size.Parameters - 3 * 2 * 3 * 40 * 32, size.ActiveParameters);
    }

    [Fact]
    public void AConfigurationAloneIsEnough()
    {
        s_m1.Save(_folder.Root);
        Assert.Contains("there are no weights", Inspect(_folder["config.json"]), StringComparison.Ordinal);
        Assert.Contains("there are no weights", Inspect(_folder.Root), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("missing", "model.layers.1.self_attn.k_proj.weight")]
    [InlineData("extra", "model.layers.1.self_attn.k_proj.bias")]
    [InlineData("shape", "model.layers.1.self_attn.k_proj.weight", "[32, 24]", "[24, 32]")]
    [InlineData("type", "model.layers.1.self_attn.k_proj.weight", "I32")]
    [InlineData("truncated", "model-00002-of-")]
    [InlineData("gone", "model-00002-of-")]
    public void WhatDoesNotFitIsNamed(string damage, params string[] named)
    {
        const string Name = "model.layers.1.self_attn.k_proj.weight";
        MiniMaxConfig config = TinyModels.Config();
        config.Save(_folder.Root);
        IEnumerable<TensorSource> sources = config.Parameters().Select(p => Holes.Source(p, "BF16"));
        ShardedCheckpoint.Save(_folder.Root, [.. damage switch
        {
            "missing" => sources.Where(s => s.Name != Name),
            "extra" => sources.Append(Holes.Source(new ParameterSpec("model.layers.1.self_attn.k_proj.bias", [24]), "BF16")),
            "shape" => sources.Select(s => s.Name == Name ? s with { Shape = [32, 24] } : s),
            "type" => sources.Select(s => s.Name == Name ? Holes.Source(new ParameterSpec(Name, [24, 32]), "I32") : s),
            _ => sources,
        }], 20_000);
        string second = Directory.GetFiles(_folder.Root, "model-00002-of-*").Single();
        if (damage == "truncated")
        {
            using FileStream stream = File.OpenWrite(second);
            stream.SetLength(stream.Length - 1);
        }
        else if (damage == "gone")
        {
            File.Delete(second);
        }

        string message = Assert.Throws<CheckpointFormatException>(() => InspectCommand.Run(_folder.Root, TextWriter.Null)).Message;
        Assert.All(named, part => Assert.Contains(part, message, StringComparison.Ordinal));
        Assert.Equal(2, Commands.Run(["inspect", _folder.Root], TextWriter.Null));
    }

    private static string Inspect(string path)
    {
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        Assert.Equal(0, Commands.Run(["inspect", path], output));
        return output.ToString();
    }
}
