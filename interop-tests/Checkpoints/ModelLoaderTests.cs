using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Checkpoints;

/// <summary>Weights from files into a model. Alone, as it looks at the memory of the whole process.</summary>
[Collection("threads")]
public sealed class ModelLoaderTests : IDisposable
{
    private static readonly MiniMaxConfig Config = new()
    {
        HiddenSize = 32,
        NumHiddenLayers = 3,
        NumAttentionHeads = 4,
        NumKeyValueHeads = 2,
        HeadDim = 16,
        AttnTypeList = [0, 1, 0],
        RotaryDim = 8,
        RopeTheta = 10000,
        MaxPositionEmbeddings = 512,
        IntermediateSize = 24,
        NumLocalExperts = 4,
        NumExpertsPerTok = 2,
        Postnorm = true,
        SharedIntermediateSize = 1,
        InitializerRange = 0.2,
        VocabSize = 50,
    };

    private readonly TemporaryFolder _folder = new();
    private readonly Device _device = Device.Cpu();

    public void Dispose()
    {
        _device.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(ElementType.Float32, false, 5L << 30)]
    [InlineData(ElementType.Float32, true, 20_000)]
    [InlineData(ElementType.BFloat16, false, 20_000)]
    public void ASavedModelComesBackToTheBit(ElementType type, bool tied, long shard)
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(Config with { TieWordEmbeddings = tied }, _device, 5, type);
        model.Save(_folder.Root, shard);
        using MiniMaxForCausalLM back = MiniMaxForCausalLM.Load(_folder.Root, _device);
        Assert.Equal(type, back.ElementType);
        Assert.Equal(type == ElementType.BFloat16 ? "bfloat16" : "float32", back.Config.TorchDtype);
        Assert.Equal(Logits(model), Logits(back));
        using ShardedCheckpoint checkpoint = ShardedCheckpoint.Open(_folder.Root);
        Assert.Equal("F32", checkpoint.Info("model.layers.1.block_sparse_moe.gate.weight").DType);
        Assert.Equal(shard == 20_000, checkpoint.Files.Count > 1);
        Assert.Equal(!tied, checkpoint.Names.Contains("lm_head.weight"));
    }

    [Fact]
    public void TypesAreConvertedRoundingToNearestEven()
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(Config, _device, 5);
        model.Save(_folder["f32"]);
        using MiniMaxForCausalLM half = MiniMaxForCausalLM.Load(_folder["f32"], _device, ElementType.BFloat16);
        half.Save(_folder["bf16"]);
        using MiniMaxForCausalLM wide = MiniMaxForCausalLM.Load(_folder["bf16"], _device, ElementType.Float32);
        foreach ((Parameter single, Parameter rounded, Parameter widened) in model.Parameters.Zip(half.Parameters, wide.Parameters))
        {
            float[] expected = single.Value.ToFloats();
            if (rounded.Value.ElementType == ElementType.BFloat16)
            {
                expected = Array.ConvertAll(expected, x => BFloat16.ToSingle(BFloat16.FromSingle(x)));
            }

            Assert.Equal(expected, rounded.Value.ToFloats());
            Assert.Equal(expected, widened.Value.ToFloats());
        }
    }

    [Fact]
    public void HalfPrecisionLoads()
    {
        Rewrite(source =>
        {
            float[] values = Floats(source);
            return TensorSource.Of<Half>(source.Name, Array.ConvertAll(values, x => (Half)x), source.Shape);
        });
        using MiniMaxForCausalLM back = MiniMaxForCausalLM.Load(_folder.Root, _device);
        Assert.Equal(ElementType.Float32, back.ElementType);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(Config, _device, 5);
        Assert.Equal(model.Parameters[0].Value.ToFloats().Select(x => (float)(Half)x), back.Parameters[0].Value.ToFloats());
    }

    [Fact]
    public void AMissingTensorIsNamed()
    {
        Rewrite(source => source.Name == "model.norm.weight" ? null : source);
        Refused("model.norm.weight");
    }

    [Fact]
    public void ATensorTooManyIsNamed()
    {
        Rewrite(source => source.Name == "model.norm.weight" ? source with { Name = "model.norm.bias" } : source, also: "model.norm.weight");
        Refused("model.norm.bias", "model.safetensors");
    }

    [Fact]
    public void AWrongShapeIsNamed()
    {
        Rewrite(source => source.Name == "lm_head.weight" ? source with { Shape = [32, 50] } : source);
        Refused("lm_head.weight", "[32, 50]", "[50, 32]", "model.safetensors");
    }

    [Fact]
    public void AWrongTypeIsNamed()
    {
        Rewrite(source => source.Name == "lm_head.weight" ? source with { DType = "I32" } : source);
        Refused("lm_head.weight", "I32");
    }

    [Theory]
    [InlineData(float.NaN, null)]
    [InlineData(float.PositiveInfinity, null)]
    [InlineData(float.NegativeInfinity, ElementType.BFloat16)]
    [InlineData(float.MaxValue, ElementType.BFloat16)]
    public void AWeightThatIsNotANumberIsNamed(float bad, ElementType? type)
    {
        const string Name = "model.layers.2.block_sparse_moe.experts.3.w2.weight";
        Rewrite(source =>
        {
            if (source.Name != Name)
            {
                return source;
            }

            float[] values = Floats(source);
            values[^1] = bad;
            return TensorSource.Of<float>(Name, values, source.Shape);
        });
        long live = NativeBytes.Settled();
        Refused(type, Name, "model.safetensors");
        Assert.Equal(live, Device.LiveBytes);
    }

    [Fact]
    public void ATruncatedShardIsNamed()
    {
        using (MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(Config, _device, 5))
        {
            model.Save(_folder.Root, 20_000);
        }

        string shard = Directory.GetFiles(_folder.Root, "model-00003-of-*").Single();
        using (FileStream stream = File.OpenWrite(shard))
        {
            stream.SetLength(stream.Length - 4);
        }

        using SafetensorsFile whole = SafetensorsFile.Open(Directory.GetFiles(_folder.Root, "model-00002-of-*").Single());
        Refused(Path.GetFileName(shard), "tensor '");
    }

    [Fact]
    public void ProgressGrowsToOneAndCancellationStops()
    {
        Rewrite(source => source);
        var reported = new List<float>();
        MiniMaxForCausalLM.Load(_folder.Root, _device, progress: new Reporter(reported.Add)).Dispose();
        Assert.Equal(reported.Order(), reported);
        Assert.Equal(1f, reported[^1]);
        Assert.Equal(Config.Parameters().Count(), reported.Count);

        using var cancellation = new CancellationTokenSource();
        long live = NativeBytes.Settled();
        var cancelled = new Reporter(share =>
        {
            if (share > 0.5f)
            {
                cancellation.Cancel();
            }
        });
        Assert.Throws<OperationCanceledException>(() => MiniMaxForCausalLM.Load(_folder.Root, _device, progress: cancelled, cancellation: cancellation.Token));
        Assert.Equal(live, Device.LiveBytes);
    }

    [Fact]
    public void LoadingAllocatesNextToNothingBesidesTheWeights()
    {
        MiniMaxConfig large = Config with { VocabSize = 60_000, IntermediateSize = 512 };
        using (MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(large, _device, 5))
        {
            model.Save(_folder.Root);
        }

        MiniMaxForCausalLM.Load(_folder.Root, _device).Dispose();
        long before = GC.GetAllocatedBytesForCurrentThread();
        MiniMaxForCausalLM.Load(_folder.Root, _device).Dispose();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    // Pages of a mapped file count as memory of the process until they are unmapped.
    [Fact]
    public void OfTheFileNoMoreThanATensorIsInMemory()
    {
        const string Status = "/proc/self/status";
        if (!File.Exists(Status))
        {
            return;
        }

        Holes.Write(_folder.Root, Config with { HiddenSize = 256, IntermediateSize = 2048, NumLocalExperts = 12, VocabSize = 20_000 }, "BF16");
        long before = FilePages(), most = 0;
        MiniMaxForCausalLM.Load(_folder.Root, _device, progress: new Reporter(_ => most = Math.Max(most, FilePages()))).Dispose();
        Assert.True(new FileInfo(_folder["model.safetensors"]).Length > 120 << 20);
        Assert.InRange(most - before, long.MinValue, 40 << 20);

        static long FilePages() => 1024 * long.Parse(
            File.ReadLines(Status).Single(line => line.StartsWith("RssFile:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2],
            System.Globalization.CultureInfo.InvariantCulture);
    }

    private float[] Logits(MiniMaxForCausalLM model)
    {
        using TensorScope scope = _device.Scope();
        using PackedBatch batch = PackedBatch.Create(_device, [new[] { 1, 2, 3, 49, 0 }, new[] { 7, 7 }]);
        float[] logits = model.Logits(model.Forward(batch)).ToFloats();
        Assert.True(logits.Distinct().Count() > 100);
        return logits;
    }

    /// <summary>Saves a model whose tensors were changed or left out; <paramref name="also"/> is written unchanged besides.</summary>
    private void Rewrite(Func<TensorSource, TensorSource?> change, string? also = null)
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(Config, _device, 5);
        using var views = new TensorViews(model.Parameters.SelectMany(p => p.Tensors()));
        TensorSource[] tensors = [.. views.Sources.Select(change).OfType<TensorSource>(), .. views.Sources.Where(s => s.Name == also)];
        ShardedCheckpoint.Save(_folder.Root, tensors);
        Config.Save(_folder.Root);
    }

    private static float[] Floats(TensorSource source)
    {
        using var stream = new MemoryStream();
        source.Write(stream);
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(stream.ToArray()).ToArray();
    }

    private void Refused(params string[] named) => Refused(null, named);

    private void Refused(ElementType? type, params string[] named)
    {
        string message = Assert.Throws<CheckpointFormatException>(() => MiniMaxForCausalLM.Load(_folder.Root, _device, type)).Message;
        Assert.All(named, part => Assert.Contains(part, message, StringComparison.Ordinal));
    }

    private sealed class Reporter(Action<float> report) : IProgress<float>
    {
        public void Report(float value) => report(value);
    }
}
