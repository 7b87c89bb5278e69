using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Native;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Models;

/// <summary>A model against itself: packed and separate, cached and not, alone and in a batch, on any threads and instruction set.</summary>
[Collection("threads")]
public sealed class ModelTests
{
    private static readonly int[][] s_rows = [TinyModels.Ids(1, 70), TinyModels.Ids(2, 1), TinyModels.Ids(3, 130)];

    [Theory]
    [Devices]
    public void Packed_rows_equal_separate_ones_to_the_bit(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(shared: true), device, 1);
        Assert.Equal(s_rows.SelectMany(r => TinyModels.Logits(model, r)), TinyModels.Logits(model, s_rows));
    }

    [Fact]
    public void Threads_change_no_bit_forward_or_backward()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(shared: true), device, 1);
        int threads = Device.CpuThreads;
        var results = new List<float[]>();
        try
        {
            foreach (int count in new[] { 1, 2, 3 })
            {
                Device.CpuThreads = count;
                TinyModels.Loss(model, s_rows, gradients: true);
                results.Add([.. TinyModels.Logits(model, s_rows), .. Gradients(model)]);
            }
        }
        finally
        {
            Device.CpuThreads = threads;
        }

        Assert.Equal(results[0], results[1]);
        Assert.Equal(results[0], results[2]);
    }

    [Fact]
    public void Every_instruction_set_agrees()
    {
        float[] best = Compute(CpuInstructionSet.Automatic);
        foreach (CpuInstructionSet set in Enum.GetValues<CpuInstructionSet>())
        {
            MiniMaxNative.Initialize();
            if (set != CpuInstructionSet.Automatic && NativeMethods.IsaSupported((Isa)set) == 1)
            {
                Assert.InRange(TinyModels.Difference(best, Compute(set)), 0, 2e-4);
            }
        }

        static float[] Compute(CpuInstructionSet set)
        {
            using Device device = Device.Cpu(set);
            using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(shared: true), device, 1);
            TinyModels.Loss(model, [s_rows[0][..40]], gradients: true);
            return [.. TinyModels.Logits(model, s_rows), .. Gradients(model)];
        }
    }

    [Theory]
    [Devices]
    public void A_cache_fed_in_pieces_gives_what_one_pass_gives(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
        float[] whole = TinyModels.Logits(model, s_rows[2]);
        using var cache = new ModelCache(model, 1, 130);
        CachedSequence sequence = cache.Add();
        var pieces = new List<float>();
        for (int start = 0; start < 130;)
        {
            int length = start switch { 0 => 50, < 100 => 33, _ => 1 };
            length = Math.Min(length, 130 - start);
            using TensorScope scope = device.Scope();
            pieces.AddRange(model.Logits(model.Forward(cache, [sequence], [s_rows[2].AsMemory(start, length)])).ToFloats());
            start += length;
        }

        Assert.InRange(TinyModels.Difference(whole, [.. pieces]), 0, 1e-4);
    }

    [Theory]
    [Devices]
    public void A_fork_goes_its_own_way(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
        using var cache = new ModelCache(model, 2, 80);
        CachedSequence one = cache.Add();
        Feed(one, TinyModels.Ids(5, 20));
        CachedSequence other = cache.Fork(one);
        float[] first = Feed(one, [7]);
        Feed(other, [9]);
        Assert.Equal(TinyModels.Ids(5, 20).Length + 1, other.Length);
        Assert.Equal(Feed(one, [3]), Twice());
        Assert.NotEmpty(first);

        float[] Feed(CachedSequence sequence, int[] ids)
        {
            using TensorScope scope = device.Scope();
            return model.Logits(model.Forward(cache, [sequence], [ids])).ToFloats();
        }

        float[] Twice()
        {
            using var again = new ModelCache(model, 1, 80);
            CachedSequence sequence = again.Add();
            foreach (int[] ids in new[] { TinyModels.Ids(5, 20), [7] })
            {
                using TensorScope scope = device.Scope();
                model.Forward(again, [sequence], [ids]);
            }

            using TensorScope last = device.Scope();
            return model.Logits(model.Forward(again, [sequence], [new[] { 3 }])).ToFloats();
        }
    }

    [Theory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.BFloat16)]
    public void A_text_is_the_same_alone_and_among_sixty_four(ElementType type)
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3, type);
        var options = new GenerationOptions { MaxNewTokens = 24, TopP = 0.9f, StopTokens = [0] };
        GenerationRequest[] requests = [.. Enumerable.Range(0, 64).Select(i => new GenerationRequest(TinyModels.Ids(i, 1 + i % 23), (ulong)i))];
        IReadOnlyList<Completion[]> together = new TextGenerator(model).Generate(requests, options);
        foreach (int i in new[] { 0, 17, 40, 63 })
        {
            Completion alone = new TextGenerator(model).Generate([requests[i]], options)[0][0];
            Assert.Equal(alone.Tokens, together[i][0].Tokens);
            Assert.Equal(alone.LogProbabilities, together[i][0].LogProbabilities);
        }

        Assert.True(together.Select(c => c[0].Tokens.Length).Distinct().Count() > 1, "all texts have one length: nothing left the batch early");
    }

    [Theory]
    [Devices]
    public void Samples_of_a_prompt_do_not_depend_on_how_many_there_are(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3);
        var options = new GenerationOptions { MaxNewTokens = 12 };
        Completion[] eight = new TextGenerator(model).Generate([new GenerationRequest(TinyModels.Ids(1, 9), 5, 8)], options)[0];
        Completion[] two = new TextGenerator(model).Generate([new GenerationRequest(TinyModels.Ids(1, 9), 5, 2)], options)[0];
        Assert.Equal(two.SelectMany(c => c.Tokens), eight.Take(2).SelectMany(c => c.Tokens));
        Assert.True(eight.Select(c => string.Join(',', c.Tokens)).Distinct().Count() > 4);
    }

    [Theory]
    [Devices(false)]
    [Devices(true)]
    public void Gradients_equal_finite_differences(string on, bool shared)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(shared), device, 5);
        int[][] rows = [TinyModels.Ids(1, 30), TinyModels.Ids(2, 11)];
        TinyModels.Loss(model, rows, gradients: true);
        foreach (Parameter parameter in model.Parameters)
        {
            // Along its own gradient a loss rises by the gradient's norm; experts may change sides on a longer step.
            float[] value = parameter.Value.ToFloats(), gradient = parameter.Gradient!.ToFloats();
            double norm = Math.Sqrt(gradient.Sum(g => (double)g * g));
            Assert.True(norm > 1e-4, $"{parameter.Name} has no gradient");
            const double Step = 1e-3;
            double up = At(+Step), down = At(-Step);
            parameter.Value.CopyFrom<float>(value);
            Assert.True(Math.Abs((up - down) / (2 * Step) - norm) < 0.03 * norm + 0.02, $"{parameter.Name}: {(up - down) / (2 * Step)} against {norm}");

            double At(double step)
            {
                parameter.Value.CopyFrom<float>([.. value.Select((v, i) => (float)(v + step * gradient[i] / norm))]);
                return TinyModels.Loss(model, rows, gradients: false);
            }
        }
    }

    [Theory]
    [Devices]
    public void Recomputing_layers_changes_no_bit_of_a_gradient(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(shared: true), device, 4);
        TinyModels.Loss(model, s_rows, gradients: true);
        float[] kept = Gradients(model);
        model.RecomputeLayers = true;
        TinyModels.Loss(model, s_rows, gradients: true);
        Assert.Equal(kept, Gradients(model));
    }

    [Theory]
    [Devices]
    public void A_bfloat16_model_stays_near_its_single_precision_twin(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM half = MiniMaxForCausalLM.Create(TinyModels.Config(shared: true), device, 6, ElementType.BFloat16);
        using MiniMaxForCausalLM single = MiniMaxForCausalLM.Create(TinyModels.Config(shared: true), device, 6);
        int[][] rows = [TinyModels.Ids(1, 40)];
        double a = TinyModels.Loss(half, rows, gradients: true), b = TinyModels.Loss(single, rows, gradients: true);
        Assert.InRange(Math.Abs(a - b) / b, 0, 0.03);
        Assert.All(half.Parameters, p => Assert.True(p.Gradient!.ToFloats().All(float.IsFinite), p.Name));
    }

    [Theory]
    [Devices]
    public void An_all_lightning_model_keeps_a_state_of_constant_size(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(attention: [0, 0]), device, 1);
        Assert.Equal(Bytes(16), Bytes(1 << 20));

        long Bytes(long tokens)
        {
            long before = NativeBytes.Settled();
            using var cache = new ModelCache(model, 1, tokens);
            return Device.LiveBytes - before;
        }
    }

    [Theory]
    [Devices]
    public void No_native_bytes_are_left(string on)
    {
        long before = NativeBytes.Settled();
        using (Device device = Device.Open(on))
        {
            using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(shared: true), device, 1);
            TinyModels.Loss(model, s_rows, gradients: true);
            new TextGenerator(model).Generate([new GenerationRequest(s_rows[0], 1, 3)], new GenerationOptions { MaxNewTokens = 5 });
        }

        Assert.Equal(before, Device.LiveBytes);
    }

    [Fact]
    public void A_device_that_is_busy_says_so()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
        using Tensor big = Tensor.Zeros(device, ElementType.Float32, 1 << 24);
        using Tensor other = Tensor.Zeros(device, ElementType.Float32, 1 << 24);
        int refused = 0;
        Thread[] callers = [.. Enumerable.Range(0, 2).Select(_ => new Thread(Call))];
        Array.ForEach(callers, c => c.Start());
        Array.ForEach(callers, c => c.Join());
        Assert.True(refused > 0, "two callers of one device never met");
        Assert.All(big.ToFloats().Take(10), x => Assert.Equal(0, x));

        void Call()
        {
            for (int i = 0; i < 5000 && Volatile.Read(ref refused) == 0; i++)
            {
                try
                {
                    big.Accumulate(other);
                }
                catch (NativeException error) when (error.Code == (int)Status.Busy)
                {
                    Interlocked.Increment(ref refused);
                }
            }
        }
    }

    [Fact]
    public void Bad_prompts_are_refused()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 1);
        var generator = new TextGenerator(model);
        Assert.Contains("empty", Assert.Throws<ArgumentException>(() => generator.Generate([new GenerationRequest(Array.Empty<int>())], new())).Message, StringComparison.Ordinal);
        Assert.Contains("id 50", Assert.Throws<ArgumentException>(() => generator.Generate([new GenerationRequest(new[] { 1, 50 })], new())).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => generator.Generate([new GenerationRequest(new[] { 1 })], new() { TopP = 0 }));
    }

    private static float[] Gradients(MiniMaxForCausalLM model)
    {
        float[] all = [.. model.Parameters.SelectMany(p => p.Gradient!.ToFloats())];
        foreach (Parameter parameter in model.Parameters)
        {
            parameter.ClearGradient();
        }

        return all;
    }
}

/// <summary>Tests that set the number of threads of the process, or count its native bytes, run one after the other.</summary>
[CollectionDefinition("threads", DisableParallelization = true)]
public sealed class ThreadsCollection;
