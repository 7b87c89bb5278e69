using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Autograd;

/// <summary>That running layers again saves memory; that it changes no bit is a test of the model.</summary>
[Collection("threads")]
public sealed class RecomputationTests
{
    [Theory]
    [Devices]
    public void A_pass_holds_a_tensor_of_each_layer(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(attention: [0, 1, 0, 0, 1, 0, 0, 0]), device, 4);
        long kept = AfterForward();
        model.RecomputeLayers = true;
        long recomputed = AfterForward();
        Assert.True(recomputed < 0.2 * kept, $"{recomputed} bytes with recomputation, {kept} without");

        long AfterForward()
        {
            long before = NativeBytes.Settled();
            using TensorScope scope = device.Scope();
            using Tape tape = Tape.Record(device);
            model.Forward(PackedBatch.Create(device, [TinyModels.Ids(1, 400)]));
            return Device.LiveBytes - before;
        }
    }

    // Backward frees what one part took before it runs the next one again.
    [Theory]
    [Devices]
    public void Backward_holds_no_more_than_one_part_more(string on)
    {
        const int Parts = 8, Operations = 10;
        using Device device = Device.Open(on);
        (long keptPeak, float[] kept) = Run((x, part) => part(x));
        (long peak, float[] recomputed) = Run((x, part) => Recomputed.Apply(x, y => [part(y)])[0]);
        Assert.Equal(kept, recomputed);
        Assert.True(peak < 0.5 * keptPeak, $"{peak} bytes with recomputation, {keptPeak} without");

        (long Peak, float[] Gradient) Run(Func<Tensor, Func<Tensor, Tensor>, Tensor> apply)
        {
            long before = NativeBytes.Settled(), most = 0;
            using TensorScope scope = device.Scope();
            using Tape tape = Tape.Record(device);
            Tensor x = Tensor.From<float>(device, [.. Enumerable.Range(0, 50_000).Select(i => i % 7 - 3f)], 1000, 50);
            tape.Watch(x);
            Tensor y = x;
            for (int part = 0; part < Parts; part++)
            {
                y = apply(y, Part);
            }

            most = Math.Max(most, Device.LiveBytes - before);
            tape.Backward((y, Tensor.From<float>(device, [.. Enumerable.Repeat(1f, 50_000)], 1000, 50)));
            return (most, tape.Gradient(x)!.ToFloats());

            Tensor Part(Tensor input)
            {
                for (int i = 0; i < Operations; i++)
                {
                    input = Measured(Silu.Apply(input));
                }

                return input;
            }

            // An identity whose backward looks at the memory.
            Tensor Measured(Tensor input)
            {
                Tensor output = input.View(input.Shape);
                Tape.Record([input], [], [output], tape =>
                {
                    most = Math.Max(most, Device.LiveBytes - before);
                    tape.AddGradient(input, tape.GradientOf(output).Clone());
                });
                return output;
            }
        }
    }
}
