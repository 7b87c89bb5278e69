using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using MiniMaxSharp.Native;

namespace MiniMaxSharp;

/// <summary>
/// A dense row-major block of numbers in the memory of a <see cref="MiniMaxSharp.Device"/>. Dispose it, or let the
/// <see cref="TensorScope"/> do so in which it was made; the garbage collector is the last resort only.
/// </summary>
public sealed unsafe class Tensor : IDisposable
{
    private readonly TensorStorage _storage;
    private readonly long _offsetBytes;
    private readonly long[] _shape;
    private bool _disposed;

    private Tensor(Device device, TensorStorage storage, long offsetBytes, ElementType type, long[] shape)
    {
        Device = device;
        _storage = storage;
        _offsetBytes = offsetBytes;
        ElementType = type;
        _shape = shape;
        device.Register(this);
    }

    /// <summary>Where the memory is.</summary>
    public Device Device { get; }

    /// <summary>How elements are stored.</summary>
    public ElementType ElementType { get; }

    /// <summary>Size of each dimension, outermost first.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    /// <summary>Number of elements.</summary>
    public long Count => Product(_shape);

    /// <summary>Size in bytes.</summary>
    public long Bytes => Count * ElementType.Size();

    /// <summary>Whether <see cref="Dispose"/> was called.</summary>
    public bool IsDisposed => _disposed;

    /// <summary>For calls of the native library, never to be read or written here: it need not be memory of the host.</summary>
    internal void* Data
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _storage.Pointer + _offsetBytes;
        }
    }

    internal float* Floats => (float*)Typed(ElementType.Float32);

    internal int* Ints => (int*)Typed(ElementType.Int32);

    internal long* Longs => (long*)Typed(ElementType.Int64);

    internal DType DType => ElementType.Native();

    /// <summary>Memory of the given shape, not cleared.</summary>
    /// <exception cref="ArgumentException">A dimension is negative or the product overflows.</exception>
    public static Tensor Empty(Device device, ElementType type, params ReadOnlySpan<long> shape)
    {
        ArgumentNullException.ThrowIfNull(device);
        foreach (long size in shape)
        {
            if (size < 0)
            {
                throw new ArgumentException($"A tensor cannot have the shape {Describe(shape)}.", nameof(shape));
            }
        }

        long bytes = checked(Product(shape) * type.Size());
        return new Tensor(device, new TensorStorage(device, bytes), 0, type, shape.ToArray());
    }

    /// <summary>Zeros of the given shape.</summary>
    public static Tensor Zeros(Device device, ElementType type, params ReadOnlySpan<long> shape)
    {
        Tensor tensor = Empty(device, type, shape);
        tensor.Zero();
        return tensor;
    }

    /// <summary>A copy of the values on the device; the element type is that of <typeparamref name="T"/> (ushort: bfloat16).</summary>
    /// <exception cref="ArgumentException">The number of values does not fit the shape.</exception>
    public static Tensor From<T>(Device device, ReadOnlySpan<T> values, params ReadOnlySpan<long> shape) where T : unmanaged
    {
        Tensor tensor = Empty(device, ElementTypes.Of<T>(), shape);
        tensor.CopyFrom(values);
        return tensor;
    }

    /// <summary>The same memory under another shape of as many elements.</summary>
    public Tensor View(params ReadOnlySpan<long> shape)
    {
        if (Product(shape) != Count)
        {
            throw new ArgumentException($"{Describe(_shape)} has {Count} elements and cannot be seen as {Describe(shape)}.", nameof(shape));
        }

        return new Tensor(Device, _storage.Share(), _offsetBytes, ElementType, shape.ToArray());
    }

    /// <summary>Rows <paramref name="start"/> to <paramref name="start"/> + <paramref name="length"/> of the first dimension, sharing memory.</summary>
    public Tensor Slice(long start, long length)
    {
        if (_shape.Length == 0 || start < 0 || length < 0 || start + length > _shape[0])
        {
            throw new ArgumentOutOfRangeException(nameof(start), $"Rows {start}..{start + length} of {Describe(_shape)}.");
        }

        long[] shape = [.. _shape];
        shape[0] = length;
        long rowBytes = _shape[0] == 0 ? 0 : Bytes / _shape[0];
        return new Tensor(Device, _storage.Share(), _offsetBytes + start * rowBytes, ElementType, shape);
    }

    /// <summary>Sets all elements to zero.</summary>
    public void Zero() => NativeStatus.Check(NativeMethods.MemoryZero(Device.Handle, Data, Bytes));

    /// <summary>Copies values of exactly this tensor's count and element type from the host.</summary>
    public void CopyFrom<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        RequireHostSpan<T>(values.Length);
        fixed (T* source = values)
        {
            NativeStatus.Check(NativeMethods.MemoryCopy(Device.Handle, Data, source, Bytes));
        }
    }

    /// <summary>Copies all elements to the host.</summary>
    public void CopyTo<T>(Span<T> values) where T : unmanaged
    {
        RequireHostSpan<T>(values.Length);
        fixed (T* destination = values)
        {
            NativeStatus.Check(NativeMethods.MemoryCopy(Device.Handle, destination, Data, Bytes));
        }
    }

    /// <summary>All elements as an array of the stored type (ushort: bfloat16).</summary>
    public T[] ToArray<T>() where T : unmanaged
    {
        var values = new T[Count];
        CopyTo<T>(values);
        return values;
    }

    /// <summary>All elements, converted to single precision where they are bfloat16.</summary>
    public float[] ToFloats()
    {
        if (ElementType == ElementType.Float32)
        {
            return ToArray<float>();
        }

        using Tensor single = To(ElementType.Float32);
        return single.ToArray<float>();
    }

    /// <summary>The only element of a tensor of one.</summary>
    public float Item() => Count == 1 ? ToFloats()[0] : throw new InvalidOperationException($"{Describe(_shape)} is not a single number.");

    /// <summary>A copy with elements stored as <paramref name="type"/>; single and bfloat16 only.</summary>
    public Tensor To(ElementType type)
    {
        Tensor result = Empty(Device, type, _shape);
        var p = new CastParams
        {
            StructSize = sizeof(CastParams),
            X = Data,
            Y = result.Data,
            Count = Count,
            XDtype = DType,
            YDtype = result.DType,
        };
        NativeStatus.Check(NativeMethods.Cast(Device.Handle, &p));
        return result;
    }

    /// <summary>A copy of the memory.</summary>
    public Tensor Clone()
    {
        Tensor result = Empty(Device, ElementType, _shape);
        result.CopyFrom(this);
        return result;
    }

    /// <summary>Copies another tensor of the same element type and count into this one; it may be on another device.</summary>
    public void CopyFrom(Tensor source)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (source.ElementType != ElementType || source.Count != Count)
        {
            throw new ArgumentException($"{source} cannot be copied into {this}.", nameof(source));
        }

        if (!Device.Reaches(source.Device))
        {
            CopyAcross(source);
            return;
        }

        NativeStatus.Check(NativeMethods.MemoryCopy(Device.Handle, Data, source.Data, Bytes));
    }

    /// <summary>The memory of a CPU tensor as a tensor span of .NET; valid until the tensor is disposed.</summary>
    /// <exception cref="InvalidOperationException">The memory is on another device or the type differs.</exception>
    public TensorSpan<T> AsTensorSpan<T>() where T : unmanaged
    {
        if (!Device.IsCpu)
        {
            throw new InvalidOperationException($"{this} is not in host memory; copy it first.");
        }

        if (ElementTypes.Of<T>() != ElementType)
        {
            throw new InvalidOperationException($"{this} does not hold {typeof(T).Name}.");
        }

        Span<nint> lengths = stackalloc nint[_shape.Length];
        for (int i = 0; i < lengths.Length; i++)
        {
            lengths[i] = (nint)_shape[i];
        }

        return new TensorSpan<T>((T*)Data, (nint)Count, lengths, []);
    }

    /// <summary>this = <paramref name="alpha"/> · <paramref name="x"/> + <paramref name="beta"/> · this, elementwise.</summary>
    public void Accumulate(Tensor x, float alpha = 1, float beta = 1)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.Count != Count)
        {
            throw new ArgumentException($"{x} cannot be added to {this}.", nameof(x));
        }

        x.RequireOn(Device, nameof(x));
        var p = new AxpbyParams
        {
            StructSize = sizeof(AxpbyParams),
            X = x.Data,
            Y = Data,
            Count = Count,
            Alpha = alpha,
            Beta = beta,
            XDtype = x.DType,
            YDtype = DType,
        };
        NativeStatus.Check(NativeMethods.Axpby(Device.Handle, &p));
    }

    /// <summary>Gives the memory back, once no view of it is left.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _storage.Leave();
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{ElementType}{Describe(_shape)}";

    internal static string Describe(ReadOnlySpan<long> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    internal static long Product(ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long size in shape)
        {
            count = checked(count * size);
        }

        return count;
    }

    /// <summary>Throws unless the tensor has this shape; -1 stands for any size.</summary>
    internal Tensor Require(string name, params ReadOnlySpan<long> shape)
    {
        bool fits = shape.Length == _shape.Length;
        for (int i = 0; fits && i < shape.Length; i++)
        {
            fits = shape[i] == -1 || shape[i] == _shape[i];
        }

        return fits ? this : throw new ArgumentException($"{name} is {this}; {Describe(shape)} was expected.");
    }

    /// <summary>Throws unless work on the device may read the tensor.</summary>
    internal Tensor RequireOn(Device device, string name) => device.Reaches(Device)
        ? this
        : throw new ArgumentException($"{name} ({this}) is on another device; make it there, or copy it with {nameof(CopyFrom)}.", name);

    /// <summary>The same memory as elements of another type.</summary>
    internal Tensor Reinterpret(ElementType type, params ReadOnlySpan<long> shape) => Product(shape) * type.Size() == Bytes
        ? new Tensor(Device, _storage.Share(), _offsetBytes, type, shape.ToArray())
        : throw new ArgumentException($"{this} cannot be seen as {type}{Describe(shape)}.", nameof(shape));

    // A GPU's context copies from and to the host, and is done with it when the call returns.
    private void CopyAcross(Tensor source)
    {
        if (Device.IsCpu || source.Device.IsCpu)
        {
            Device gpu = Device.IsCpu ? source.Device : Device;
            NativeStatus.Check(NativeMethods.MemoryCopy(gpu.Handle, Data, source.Data, Bytes));
            return;
        }

        if (Device.SharesGpu(source.Device))
        {
            // What either stream has still to do with the memory comes before the copy or after it.
            source.Device.Synchronize();
            NativeStatus.Check(NativeMethods.MemoryCopy(Device.Handle, Data, source.Data, Bytes));
            Device.Synchronize();
            return;
        }

        byte[] buffer = new byte[Math.Min(Bytes, 1 << 24)];
        fixed (byte* piece = buffer)
        {
            for (long start = 0; start < Bytes; start += buffer.Length)
            {
                long length = Math.Min(buffer.Length, Bytes - start);
                NativeStatus.Check(NativeMethods.MemoryCopy(source.Device.Handle, piece, (byte*)source.Data + start, length));
                NativeStatus.Check(NativeMethods.MemoryCopy(Device.Handle, (byte*)Data + start, piece, length));
            }
        }
    }

    private void* Typed(ElementType type) =>
        ElementType == type ? Data : throw new InvalidOperationException($"{this} does not hold {type}.");

    private void RequireHostSpan<T>(int length) where T : unmanaged
    {
        if (ElementTypes.Of<T>() != ElementType || length != Count)
        {
            throw new ArgumentException($"{length} values of {typeof(T).Name} do not fit {this}.");
        }
    }
}
