using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Cli;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Checkpoints;

/// <summary>Experts rounded to int8 while loading.</summary>
public sealed class Int8Tests : IDisposable
{
    private static readonly int[][] s_rows = [TinyModels.Ids(1, 70), TinyModels.Ids(2, 1), TinyModels.Ids(3, 40)];
    private readonly TemporaryFolder _folder = new();
    private readonly Device _device = Device.Cpu();

    public void Dispose()
    {
        _device.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("F32")]
    [InlineData("F16")]
    [InlineData("BF16")]
    public void ExpertsAreTheNearestMultiplesOfAStepForEachRow(string stored)
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), _device, 5);
        Save(model, "given", stored, x => x);
        Save(model, "rounded", "F32", x => x, rounded: stored);
        using MiniMaxForCausalLM int8 = Load("given", ElementType.Float32);
        using MiniMaxForCausalLM rounded = MiniMaxForCausalLM.Load(_folder["rounded"], _device, ElementType.Float32);
        float[] logits = TinyModels.Logits(int8, s_rows);
        Assert.InRange(TinyModels.Difference(TinyModels.Logits(rounded, s_rows), logits), 0, 2e-5);

        // That is not what the weights themselves would have given.
        using MiniMaxForCausalLM exact = MiniMaxForCausalLM.Load(_folder["given"], _device, ElementType.Float32);
        Assert.InRange(TinyModels.Difference(TinyModels.Logits(exact, s_rows), logits), 1e-3, double.MaxValue);
    }

    // What the documentation of ExpertStorage.Int8 says of the golden model: a token more or less takes another expert.
    [Fact]
    public void TheGoldenModelKeepsTheLogitsOfMostTokensToThreePercent()
    {
        string golden = Path.Combine(DamagedFileTests.Goldens, "A");
        using MiniMaxForCausalLM exact = MiniMaxForCausalLM.Load(golden, _device);
        using MiniMaxForCausalLM int8 = MiniMaxForCausalLM.Load(golden, _device, experts: ExpertStorage.Int8);
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(golden, "forward.safetensors"));
        int[] ids = Array.ConvertAll(file.ReadAsInt64("long.input_ids"), id => (int)id);
        int vocabulary = exact.Config.VocabSize;
        double[] errors = [.. TinyModels.Logits(exact, ids).Zip(TinyModels.Logits(int8, ids)).Chunk(vocabulary)
            .Select(token => Math.Sqrt(token.Sum(p => Math.Pow(p.First - p.Second, 2)) / token.Sum(p => Math.Pow(p.First, 2)))).Order()];
        Assert.Equal(300, errors.Length);
        Assert.InRange(errors[150], 0.002, 0.02);
        Assert.InRange(errors[270], 0.002, 0.04);
    }

    [Fact]
    public void MemoryIsAByteAWeightAndAStepARow()
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), _device, 5, ElementType.BFloat16);
        model.Save(_folder["given"]);
        using MiniMaxForCausalLM int8 = Load("given");
        long weights = 3 * 4 * 3 * 40 * 32, rows = 3 * 4 * (40 + 32 + 40);
        Assert.Equal(model.Parameters.Sum(p => p.Value.Bytes) - weights + 4 * rows, int8.Parameters.Sum(p => p.Value.Bytes + (p.Scale?.Bytes ?? 0)));
    }

    [Theory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.BFloat16)]
    public void ATextIsTheSameAloneAndAmongOthers(ElementType type)
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), _device, 5, type);
        model.Save(_folder["given"]);
        using MiniMaxForCausalLM int8 = Load("given");
        Assert.Equal(type, int8.ElementType);
        Assert.Equal(s_rows.SelectMany(r => TinyModels.Logits(int8, r)), TinyModels.Logits(int8, s_rows));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TrainingIsRefused(bool recompute)
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), _device, 5);
        model.Save(_folder["given"]);
        using MiniMaxForCausalLM int8 = Load("given");
        int8.RecomputeLayers = recompute;
        Assert.Contains("int8", Assert.Throws<InvalidOperationException>(() => TinyModels.Loss(int8, s_rows, gradients: true)).Message, StringComparison.Ordinal);
        Parameter experts = int8.Parameters.First(p => p.Scale is not null);
        Assert.False(experts.IsTrainable);
        Assert.Contains(experts.Name, Assert.Throws<InvalidOperationException>(() => experts.IsTrainable = true).Message, StringComparison.Ordinal);
        experts.IsTrainable = false;
        using var optimizer = new AdamW(int8.Parameters);
        Assert.DoesNotContain(optimizer.State(), s => s.Name.Contains("experts", StringComparison.Ordinal));
    }

    [Fact]
    public void SavingIsRefused()
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), _device, 5);
        model.Save(_folder["given"]);
        using MiniMaxForCausalLM int8 = Load("given");
        Assert.Contains("int8", Assert.Throws<InvalidOperationException>(() => int8.Save(_folder["again"])).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["again"]));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void AWeightThatIsNotANumberIsNamed(float bad)
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), _device, 5);
        Save(model, "given", "F32", x => x == 0 ? bad : x);
        string message = Assert.Throws<CheckpointFormatException>(() => Load("given")).Message;
        Assert.Contains("model.layers.1.block_sparse_moe.experts.2.w2.weight", message, StringComparison.Ordinal);
        Assert.Contains("model.safetensors", message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheToolGeneratesWithThem()
    {
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), _device, 5);
        model.Save(_folder["given"]);
        var output = new StringWriter();
        Assert.Equal(0, Commands.Run(["generate", "--model", _folder["given"], "--ids", "1,2,3", "--max-new-tokens", "4", "--greedy", "--int8"], output));
        Assert.Equal(4, output.ToString().Split(',').Length);
    }

    private MiniMaxForCausalLM Load(string folder, ElementType? type = null) =>
        MiniMaxForCausalLM.Load(_folder[folder], _device, type, ExpertStorage.Int8);

    /// <summary>
    /// Writes the model's weights as a type, experts' rounded to int8 by the definition if told so (after their rounding to another
    /// type). One weight of one expert is 0, one row of another next to nothing.
    /// </summary>
    private void Save(MiniMaxForCausalLM model, string folder, string type, Func<float, float> change, string? rounded = null)
    {
        var sources = new List<TensorSource>();
        foreach ((string name, Tensor tensor) in model.Parameters.SelectMany(p => p.Tensors()))
        {
            float[] values = tensor.ToFloats();
            if (name.EndsWith("layers.1.block_sparse_moe.experts.2.w2.weight", StringComparison.Ordinal))
            {
                values[70] = change(0);
            }
            else if (name.EndsWith("layers.0.block_sparse_moe.experts.1.w1.weight", StringComparison.Ordinal))
            {
                values.AsSpan(64, 32).Fill(1e-30f);
            }

            long[] shape = tensor.Shape.ToArray();
            if (rounded is not null)
            {
                values = Array.ConvertAll(values, x => Stored(x, rounded));
            }

            if (rounded is not null && name.Contains(".experts.", StringComparison.Ordinal))
            {
                for (int r = 0; r < shape[0]; r++)
                {
                    Round(values.AsSpan(r * (int)shape[1], (int)shape[1]));
                }
            }

            sources.Add(type switch
            {
                "F16" => TensorSource.Of<Half>(name, Array.ConvertAll(values, x => (Half)x), shape),
                "BF16" => new TensorSource(name, "BF16", shape, stream => stream.Write(
                    System.Runtime.InteropServices.MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(values, BFloat16.FromSingle)))),
                _ => TensorSource.Of<float>(name, values, shape),
            });
        }

        ShardedCheckpoint.Save(_folder[folder], sources);
        model.Config.Save(_folder[folder]);
    }

    private static float Stored(float x, string type) => type switch
    {
        "F16" => (float)(Half)x,
        "BF16" => BFloat16.ToSingle(BFloat16.FromSingle(x)),
        _ => x,
    };

    private static void Round(Span<float> row)
    {
        float step = 0;
        foreach (float x in row)
        {
            step = Math.Max(step, Math.Abs(x) / 127);
        }

        foreach (ref float x in row)
        {
            x = step == 0 ? 0 : MathF.Round(x / step) * step;
        }
    }
}
