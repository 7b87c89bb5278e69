namespace MiniMaxSharp.Ops;

/// <summary>
/// Runs a part of the model without keeping its intermediate results, and runs it again when its gradient is asked for.
/// Kernels are deterministic, so the second run takes the same values, expert choices included.
/// </summary>
internal static class Recomputed
{
    // The part depends on the input and on parameters only, and gives the outputs whose gradients may be asked for.
    public static Tensor[] Apply(Tensor input, Func<Tensor, Tensor[]> part)
    {
        Device device = input.Device;
        Tape? outerTape = device.CurrentTape;
        device.CurrentTape = null;
        Tensor[] outputs;
        try
        {
            using TensorScope scope = device.Scope();
            outputs = part(input);
            Array.ForEach(outputs, output => scope.Keep(output));
        }
        finally
        {
            device.CurrentTape = outerTape;
        }

        outerTape?.Watch(input);
        Tape.Record([input], [], outputs, tape => Backward(tape, input, part, outputs));
        return outputs;
    }

    private static void Backward(Tape tape, Tensor input, Func<Tensor, Tensor[]> part, Tensor[] outputs)
    {
        Device device = input.Device;
        using TensorScope scope = device.Scope();
        using Tape inner = Tape.Record(device);
        inner.Watch(input);
        Tensor[] again = part(input);
        var seeds = new List<(Tensor, Tensor)>();
        for (int i = 0; i < outputs.Length; i++)
        {
            if (tape.HasGradient(outputs[i]))
            {
                seeds.Add((again[i], tape.GradientOf(outputs[i])));
            }
        }

        inner.Backward([.. seeds]);
        if (inner.Gradient(input) is { } gradient)
        {
            tape.AddGradient(input, scope.Keep(gradient));
        }
    }
}
