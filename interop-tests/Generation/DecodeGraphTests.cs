using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Generation;

/// <summary>Steps of decoding that are recorded and replayed, which GPUs do; elsewhere nothing is recorded.</summary>
public sealed class DecodeGraphTests
{
    // Sequences end one after another, and pass the page at which the table of pages grows.
    [Theory]
    [Devices(ElementType.Float32, new[] { 0, 1, 0 })]
    [Devices(ElementType.BFloat16, new[] { 0, 1, 0 })]
    [Devices(ElementType.Float32, new[] { 0, 0 })]
    public void A_replayed_step_has_the_bits_of_a_plain_one(string on, ElementType type, int[] layers)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(shared: true, layers), device, 3, type);
        int[] lengths = [1, 37, 250, 254, 100];
        using var cache = new ModelCache(model, lengths.Length, 2000, DecodeGraphs.MostPadding(lengths.Length));
        using var plain = new ModelCache(model, lengths.Length, 2000);
        CachedSequence[] sequences = Fill(cache), plainSequences = Fill(plain);
        using var graphs = new DecodeGraphs(model, cache);
        for (int step = 0; step < (device.IsCpu ? 1 : 14); step++)
        {
            int live = lengths.Length - step / 4;
            int[] tokens = TinyModels.Ids(100 + step, live);
            using TensorScope scope = device.Scope();
            float[] expected = model.Logits(
                model.Forward(plain, plainSequences[^live..], [.. tokens.Select(t => (ReadOnlyMemory<int>)new[] { t })])).ToFloats();
            Assert.Equal(expected, graphs.Logits(sequences[^live..], tokens).ToFloats());
        }

        CachedSequence[] Fill(ModelCache into)
        {
            using TensorScope scope = device.Scope();
            CachedSequence[] added = [.. lengths.Select(_ => into.Add())];
            model.Forward(into, added, [.. lengths.Select((n, i) => (ReadOnlyMemory<int>)TinyModels.Ids(i, n))], decoding: false);
            return added;
        }
    }

    [Theory]
    [Devices]
    public void A_greedy_text_is_that_of_the_cpu(string on)
    {
        using Device cpu = Device.Cpu(), device = Device.Open(on);
        Assert.Equal(Text(cpu), Text(device));

        static IEnumerable<int> Text(Device device)
        {
            using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3);
            GenerationRequest[] requests = [.. Enumerable.Range(0, 3).Select(i => new GenerationRequest(TinyModels.Ids(i, 5 + 40 * i)))];
            return [.. new TextGenerator(model).Generate(requests, new GenerationOptions { MaxNewTokens = 12, Temperature = 0 }).SelectMany(c => c[0].Tokens)];
        }
    }
}
