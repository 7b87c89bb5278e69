namespace MiniMaxSharp;

/// <summary>
/// Owns the tensors made on a device while it is the innermost scope, and disposes them with itself.
/// Scopes of a device nest; each must be disposed before the one around it.
/// </summary>
public sealed class TensorScope : IDisposable
{
    private readonly Device _device;
    private readonly TensorScope? _outer;
    private readonly List<Tensor> _tensors = [];
    private bool _left;

    internal TensorScope(Device device, TensorScope? outer)
    {
        _device = device;
        _outer = outer;
    }

    /// <summary>Hands a tensor to the scope around this one (or to the caller, if there is none), and returns it.</summary>
    public Tensor Keep(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        int index = _tensors.LastIndexOf(tensor);
        if (index >= 0)
        {
            _tensors.RemoveAt(index);
            _outer?._tensors.Add(tensor);
        }

        return tensor;
    }

    /// <summary>Disposes every tensor that was made in this scope and not kept.</summary>
    public void Dispose()
    {
        if (!_left)
        {
            Leave();
        }

        foreach (Tensor tensor in _tensors)
        {
            tensor.Dispose();
        }

        _tensors.Clear();
    }

    /// <summary>Ends the scope; what was made in it lives until <see cref="Dispose"/>.</summary>
    internal void Leave()
    {
        if (_device.CurrentScope != this)
        {
            throw new InvalidOperationException("A tensor scope was disposed while one inside it was still open.");
        }

        _device.CurrentScope = _outer;
        _left = true;
    }

    internal void Add(Tensor tensor) => _tensors.Add(tensor);
}
