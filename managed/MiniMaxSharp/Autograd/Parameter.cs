namespace MiniMaxSharp;

/// <summary>
/// A weight of the model: its value, and its gradient once a tape has run backwards. A stacked parameter (the experts of
/// a layer) is one tensor whose first dimension enumerates the checkpoint's tensors.
/// </summary>
public sealed class Parameter : IDisposable
{
    private readonly string[] _names;
    private readonly bool _stacked;

    internal Parameter(Tensor value, string name)
    {
        Value = value;
        _names = [name];
    }

    internal Parameter(Tensor value, IReadOnlyList<string> stack)
    {
        Value = value;
        _names = [.. stack];
        _stacked = true;
    }

    /// <summary>Name in Hugging Face's layout; of a stacked parameter the first one's.</summary>
    public string Name => _names[0];

    /// <summary>The weight, of the model's element type (routers: always single precision; experts may be int8).</summary>
    public Tensor Value { get; }

    /// <summary>Of an int8 weight: the factor of each row, single precision.</summary>
    public Tensor? Scale { get; internal init; }

    /// <summary>Sum of the gradients since <see cref="ClearGradient"/>, always single precision; null if there is none.</summary>
    public Tensor? Gradient { get; private set; }

    /// <summary>Whether gradients are computed for it; never for an int8 weight.</summary>
    /// <exception cref="InvalidOperationException">It is set for an int8 weight.</exception>
    public bool IsTrainable
    {
        get => field && Scale is null;
        set => field = value && Scale is not null
            ? throw new InvalidOperationException($"{Name} is stored as int8, which cannot be trained.")
            : value;
    } = true;

    /// <summary>A low-rank addition that is trained in the weight's place, if there is one.</summary>
    internal LowRank? Adapter { get; set; }

    /// <summary>Whether there is anything to be trained about it.</summary>
    internal bool NeedsGradient => IsTrainable || Adapter is { A.IsTrainable: true };

    /// <summary>The checkpoint's tensors: names, and views of the value.</summary>
    public IEnumerable<(string Name, Tensor Value)> Tensors() => Views(Value);

    /// <summary>The gradient under the checkpoint's names; empty if there is none.</summary>
    public IEnumerable<(string Name, Tensor Value)> Gradients() => Gradient is null ? [] : Views(Gradient);

    /// <summary>Frees the gradient.</summary>
    public void ClearGradient()
    {
        Gradient?.Dispose();
        Gradient = null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ClearGradient();
        Value.Dispose();
        Scale?.Dispose();
    }

    /// <summary>The checkpoint's tensors of an int8 weight, with the scales of their rows.</summary>
    internal IEnumerable<(string Name, Tensor Value, Tensor Scale)> ScaledTensors() =>
        Views(Value).Zip(Views(Scale!), (value, scale) => (value.Name, value.Value, scale.Value));

    /// <summary>The gradient to add to, zeros at first; it outlives every scope.</summary>
    internal Tensor GradientSum()
    {
        if (Gradient is null)
        {
            Device device = Value.Device;
            TensorScope? scope = device.CurrentScope;
            device.CurrentScope = null;
            Gradient = Tensor.Zeros(device, ElementType.Float32, Value.Shape);
            device.CurrentScope = scope;
        }

        return Gradient;
    }

    private IEnumerable<(string Name, Tensor Value)> Views(Tensor whole)
    {
        if (!_stacked)
        {
            yield return (Name, whole);
            yield break;
        }

        for (int i = 0; i < _names.Length; i++)
        {
            using Tensor slice = whole.Slice(i, 1);
            using Tensor matrix = slice.View(whole.Shape[1..]);
            yield return (_names[i], matrix);
        }
    }
}
