namespace MiniMaxSharp;

/// <summary>
/// Records the operations on a device while it is open, and runs them backwards. What the operations saved lives in
/// the tensor scope around them, so open the scope first and run <see cref="Backward"/> inside it.
/// </summary>
public sealed class Tape : IDisposable
{
    private readonly Device _device;
    private readonly Tape? _outer;
    private readonly List<(Tensor[] Outputs, Action<Tape> Backward)> _operations = [];
    private readonly HashSet<Tensor> _tracked = [];
    private readonly Dictionary<Tensor, Tensor> _gradients = [];

    private Tape(Device device)
    {
        _device = device;
        _outer = device.CurrentTape;
    }

    /// <summary>Starts recording on the device.</summary>
    public static Tape Record(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device.CurrentTape = new Tape(device);
    }

    /// <summary>Makes the gradient by this tensor available after <see cref="Backward"/> (see <see cref="Gradient"/>).</summary>
    public void Watch(Tensor tensor) => _tracked.Add(tensor);

    /// <summary>The gradient of what was passed to <see cref="Backward"/> by a watched tensor; null if it has none.</summary>
    public Tensor? Gradient(Tensor tensor) => _gradients.GetValueOrDefault(tensor);

    /// <summary>
    /// Adds the gradients of Σ seed · output to every trainable parameter's <see cref="Parameter.Gradient"/>.
    /// A tape runs backwards once.
    /// </summary>
    public void Backward(params ReadOnlySpan<(Tensor Output, Tensor Seed)> seeds)
    {
        _device.CurrentTape = _outer;
        foreach ((Tensor output, Tensor seed) in seeds)
        {
            if (seed.Count != output.Count)
            {
                throw new ArgumentException($"The gradient {seed} does not fit the output {output}.", nameof(seeds));
            }

            AddGradient(output, seed.Clone());
        }

        for (int i = _operations.Count - 1; i >= 0; i--)
        {
            (Tensor[] outputs, Action<Tape> backward) = _operations[i];
            if (Array.Exists(outputs, _gradients.ContainsKey))
            {
                backward(this);
                foreach (Tensor output in outputs)
                {
                    if (_gradients.Remove(output, out Tensor? gradient))
                    {
                        gradient.Dispose();
                    }
                }
            }
        }

        _operations.Clear();
    }

    /// <summary>Stops recording, if <see cref="Backward"/> has not done so.</summary>
    public void Dispose()
    {
        if (_device.CurrentTape == this)
        {
            _device.CurrentTape = _outer;
        }
    }

    internal bool IsTracked(Tensor tensor) => _tracked.Contains(tensor);

    /// <summary>
    /// Records an operation if the result can have a gradient to hand on. <paramref name="backward"/> reads the
    /// outputs' gradients and adds those of the inputs that are tracked.
    /// </summary>
    internal static void Record(ReadOnlySpan<Tensor> inputs, ReadOnlySpan<Parameter> parameters, Tensor[] outputs, Action<Tape> backward)
    {
        Tape? tape = outputs[0].Device.CurrentTape;
        if (tape is null || !(AnyTracked(tape, inputs) || AnyTrainable(parameters)))
        {
            return;
        }

        foreach (Tensor output in outputs)
        {
            tape._tracked.Add(output);
        }

        tape._operations.Add((outputs, backward));
    }

    /// <summary>The gradient of an output; zeros if nothing depends on it.</summary>
    internal Tensor GradientOf(Tensor output)
    {
        if (!_gradients.TryGetValue(output, out Tensor? gradient))
        {
            gradient = Tensor.Zeros(output.Device, output.ElementType, output.Shape);
            _gradients.Add(output, gradient);
        }

        return gradient;
    }

    internal bool HasGradient(Tensor output) => _gradients.ContainsKey(output);

    /// <summary>Adds a gradient, taking ownership of it.</summary>
    internal void AddGradient(Tensor tensor, Tensor gradient)
    {
        if (_gradients.TryGetValue(tensor, out Tensor? sum))
        {
            sum.Accumulate(gradient);
            gradient.Dispose();
        }
        else
        {
            _gradients.Add(tensor, gradient);
        }
    }

    private static bool AnyTracked(Tape tape, ReadOnlySpan<Tensor> inputs)
    {
        foreach (Tensor input in inputs)
        {
            if (tape._tracked.Contains(input))
            {
                return true;
            }
        }

        return false;
    }

    private static bool AnyTrainable(ReadOnlySpan<Parameter> parameters)
    {
        foreach (Parameter parameter in parameters)
        {
            if (parameter.NeedsGradient)
            {
                return true;
            }
        }

        return false;
    }
}
