using System.Runtime.InteropServices;
using MiniMaxSharp.Native;

namespace MiniMaxSharp;

/// <summary>A block of device memory, shared by the tensors that view it and freed with the last of them.</summary>
internal sealed unsafe class TensorStorage : SafeHandle
{
    // Below this the collector need not hear of it: a step makes thousands of small tensors and frees them itself.
    private const long PressureThreshold = 1 << 20;
    private readonly long _bytes;
    private int _views = 1;

    public TensorStorage(Device device, long bytes) : base(0, ownsHandle: true)
    {
        void* pointer;
        NativeStatus.Check(NativeMethods.MemoryAllocate(device.Handle, bytes, &pointer));
        SetHandle((nint)pointer);
        _bytes = bytes;
        if (_bytes >= PressureThreshold)
        {
            GC.AddMemoryPressure(_bytes);
        }
    }

    public override bool IsInvalid => handle == 0;

    public byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, typeof(Tensor));
            return (byte*)handle;
        }
    }

    public TensorStorage Share()
    {
        ObjectDisposedException.ThrowIf(IsClosed, typeof(Tensor));
        Interlocked.Increment(ref _views);
        return this;
    }

    public void Leave()
    {
        if (Interlocked.Decrement(ref _views) == 0)
        {
            Dispose();
        }
    }

    protected override bool ReleaseHandle()
    {
        if (_bytes >= PressureThreshold)
        {
            GC.RemoveMemoryPressure(_bytes);
        }

        return NativeMethods.MemoryFree((void*)handle) == Status.Ok;
    }
}
