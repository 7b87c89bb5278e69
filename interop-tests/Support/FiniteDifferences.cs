namespace MiniMaxSharp.Tests.Support;

/// <summary>
/// A backward pass against central differences of Σ u · y, u fixed. All values are multiples of the step and small, so that
/// moving one is exact in bfloat16, too. An operation asks for its inputs in the same order each time that it is run.
/// </summary>
internal sealed class FiniteDifferences
{
    private const float Step = 1f / 64;
    private const double Tolerance = 0.01;
    private const int SamplesPerInput = 40;
    private readonly Func<FiniteDifferences, Tensor[]> _operation;
    private readonly List<float[]> _values = [];
    private readonly List<Func<Tape, float[]>> _gradients = [];

    private FiniteDifferences(Device device, Func<FiniteDifferences, Tensor[]> operation)
    {
        Device = device;
        _operation = operation;
    }

    public Device Device { get; }

    public static void Check(string on, Func<FiniteDifferences, Tensor[]> operation)
    {
        using Device device = Device.Open(on);
        new FiniteDifferences(device, operation).Check();
    }

    public Tensor Input(params ReadOnlySpan<long> shape) => Input(ElementType.Float32, shape);

    public Tensor Input(ElementType type, params ReadOnlySpan<long> shape) => Watched(Next(type, null, shape));

    /// <summary>An input whose values are given, where random ones would come too near to a step or a kink.</summary>
    public Tensor Input(float[] values, params ReadOnlySpan<long> shape) => Watched(Next(ElementType.Float32, values, shape));

    public Parameter Weight(params ReadOnlySpan<long> shape) => Weight(ElementType.Float32, shape);

    public Parameter Weight(ElementType type, params ReadOnlySpan<long> shape)
    {
        var weight = new Parameter(Next(type, null, shape), "weight");
        _gradients.Add(_ =>
        {
            float[] gradient = weight.Gradient?.ToFloats() ?? [0];
            weight.ClearGradient();
            return gradient;
        });
        return weight;
    }

    private void Check()
    {
        (_, float[][] gradients) = Run(backward: true);
        for (int input = 0; input < gradients.Length; input++)
        {
            float[] gradient = gradients[input];
            double largest = gradient.Max(Math.Abs);
            Assert.True(largest > 0.005, $"input {input} has no gradient");
            int steepest = Array.FindIndex(gradient, g => Math.Abs(g) == largest);
            int[] order = [.. Enumerable.Range(0, gradient.Length)];
            new SplitMix64((ulong)input).Shuffle<int>(order);
            foreach (int i in order.Take(SamplesPerInput).Append(steepest))
            {
                double difference = (Moved(_values[input], i, Step) - Moved(_values[input], i, -Step)) / (2 * Step);
                Assert.True(
                    Math.Abs(difference - gradient[i]) <= Tolerance * largest,
                    $"input {input} at {i}: gradient {gradient[i]}, difference {difference}; the largest gradient is {largest}");
            }
        }
    }

    private double Moved(float[] values, int index, float by)
    {
        float value = values[index];
        values[index] += by;
        double loss = Run(backward: false).Loss;
        values[index] = value;
        return loss;
    }

    private (double Loss, float[][] Gradients) Run(bool backward)
    {
        using TensorScope scope = Device.Scope();
        using Tape? tape = backward ? Tape.Record(Device) : null;
        _gradients.Clear();
        Tensor[] outputs = _operation(this);
        float[][] u = [.. outputs.Select((y, i) => Random(1000 + i, y.Count))];
        double loss = outputs.Zip(u).Sum(p => p.First.ToFloats().Zip(p.Second).Sum(x => (double)x.First * x.Second));
        if (tape is null)
        {
            return (loss, []);
        }

        tape.Backward([.. outputs.Zip(u).Select(p => (p.First, Tensor.From<float>(Device, p.Second, p.First.Shape).To(p.First.ElementType)))]);
        return (loss, [.. _gradients.Select(gradient => gradient(tape))]);
    }

    private Tensor Next(ElementType type, float[]? values, ReadOnlySpan<long> shape)
    {
        int index = _gradients.Count;
        if (index == _values.Count)
        {
            _values.Add(values is null ? Random(index, Tensor.Product(shape)) : [.. values]);
        }

        return Tensor.From<float>(Device, _values[index], shape).To(type);
    }

    private Tensor Watched(Tensor input)
    {
        Device.CurrentTape?.Watch(input);
        _gradients.Add(tape => tape.Gradient(input)?.ToFloats() ?? [0]);
        return input;
    }

    private static float[] Random(int seed, long count)
    {
        var random = new SplitMix64((ulong)seed);
        int range = (int)(1 / Step);
        return [.. Enumerable.Range(0, (int)count).Select(_ => (random.Below(2 * range + 1) - range) * Step)];
    }
}
