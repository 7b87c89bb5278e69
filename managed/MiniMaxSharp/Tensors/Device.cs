using System.Globalization;
using System.Runtime.InteropServices;
using MiniMaxSharp.Native;

namespace MiniMaxSharp;

/// <summary>The instruction set that a CPU device runs. Results agree within rounding, not to the bit.</summary>
public enum CpuInstructionSet
{
    /// <summary>The best that the machine has.</summary>
    Automatic = Isa.Auto,

    /// <summary>No vector instructions beyond the platform's baseline.</summary>
    Portable = Isa.Portable,

    /// <summary>AVX2 and FMA.</summary>
    Avx2 = Isa.Avx2,

    /// <summary>AVX-512 F, BW, VL and DQ.</summary>
    Avx512 = Isa.Avx512,

    /// <summary>AVX-512 with the bfloat16 dot product.</summary>
    Avx512BFloat16 = Isa.Avx512Bf16,
}

/// <summary>
/// A device with one stream of work, on which tensors live and operations run. It serves one caller at a time: use one
/// a thread. A second concurrent caller gets a <see cref="NativeException"/>, not wrong numbers.
/// </summary>
public sealed class Device : IDisposable
{
    private readonly int _index;

    private Device(ContextHandle handle, bool isCpu, int index)
    {
        Handle = handle;
        IsCpu = isCpu;
        _index = index;
    }

    /// <summary>Whether tensors are in host memory.</summary>
    public bool IsCpu { get; }

    /// <summary>One line for people: the device, what it can do, its driver.</summary>
    public unsafe string Description
    {
        get
        {
            byte* text;
            NativeStatus.Check(NativeMethods.ContextDescribe(Handle, &text));
            return Marshal.PtrToStringUTF8((nint)text) ?? "";
        }
    }

    /// <summary>The instruction set in use, <see cref="CpuInstructionSet.Automatic"/> on a GPU only.</summary>
    public unsafe CpuInstructionSet InstructionSet
    {
        get
        {
            Isa isa;
            NativeStatus.Check(NativeMethods.ContextIsa(Handle, &isa));
            return (CpuInstructionSet)isa;
        }
    }

    /// <summary>Threads of the process-wide CPU pool, the caller included. No result depends on it.</summary>
    public static int CpuThreads
    {
        get
        {
            MiniMaxNative.Initialize();
            return NativeMethods.GetThreads();
        }
        set
        {
            MiniMaxNative.Initialize();
            NativeStatus.Check(NativeMethods.SetThreads(value));
        }
    }

    /// <summary>Bytes of native memory handed out to tensors and not yet freed, over all devices.</summary>
    public static long LiveBytes
    {
        get
        {
            MiniMaxNative.Initialize();
            return NativeMethods.MemoryLiveBytes();
        }
    }

    internal ContextHandle Handle { get; }

    internal TensorScope? CurrentScope { get; set; }

    internal Tape? CurrentTape { get; set; }

    /// <summary>The CPU. The instruction set is chosen by the machine unless one is named.</summary>
    /// <exception cref="NativeException">The machine cannot run the instruction set.</exception>
    public static Device Cpu(CpuInstructionSet instructionSet = CpuInstructionSet.Automatic) =>
        Create(DeviceKind.Cpu, 0, (Isa)instructionSet);

    /// <summary>An NVIDIA GPU, strictly: without one this throws.</summary>
    /// <exception cref="NativeLibraryException">The package MiniMaxSharp.Runtime.Cuda12 is missing; the message has all paths that were tried.</exception>
    /// <exception cref="NativeException">There is no such GPU, no driver, or one of them is too old; the message says which.</exception>
    public static Device Cuda(int index = 0)
    {
        MiniMaxNative.LoadCuda();
        return Create(DeviceKind.Cuda, index, Isa.Auto);
    }

    /// <summary>The first NVIDIA GPU if there is one that can be used, else the CPU.</summary>
    /// <param name="warning">Told why it is the CPU.</param>
    public static Device Auto(Action<string>? warning = null)
    {
        try
        {
            return Cuda();
        }
        catch (Exception error) when (error is NativeException or NativeLibraryException)
        {
            warning?.Invoke($"No GPU is used, but the CPU: {error.Message}");
            return Cpu();
        }
    }

    /// <summary>A device by its name: cpu, cuda, cuda:1 (the second GPU), or auto (see <see cref="Auto"/>).</summary>
    /// <param name="name">The name.</param>
    /// <param name="warning">Told why auto is the CPU.</param>
    /// <exception cref="ArgumentException">There is no device of that name.</exception>
    public static Device Open(string name, Action<string>? warning = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name switch
        {
            "cpu" => Cpu(),
            "cuda" => Cuda(),
            "auto" => Auto(warning),
            _ when name.StartsWith("cuda:", StringComparison.Ordinal)
                && int.TryParse(name.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out int index) => Cuda(index),
            _ => throw new ArgumentException($"'{name}' is no device; cpu, cuda, cuda:1 and auto are.", nameof(name)),
        };
    }

    /// <summary>Number of NVIDIA GPUs that this process can use.</summary>
    /// <param name="reason">Why there is none; empty if there is one.</param>
    public static unsafe int CudaDevices(out string reason)
    {
        reason = "";
        try
        {
            MiniMaxNative.LoadCuda();
            int count;
            NativeStatus.Check(NativeMethods.DeviceCount(DeviceKind.Cuda, &count));
            return count;
        }
        catch (Exception error) when (error is NativeException or NativeLibraryException)
        {
            reason = error.Message;
            return 0;
        }
    }

    /// <summary>Gives freed blocks that are held for reuse back to the operating system.</summary>
    public static void TrimMemory()
    {
        MiniMaxNative.Initialize();
        NativeStatus.Check(NativeMethods.MemoryTrim());
    }

    /// <summary>The same hardware with a stream of work of its own, for another thread. It gives the same bits.</summary>
    public Device Another() => IsCpu ? Cpu(InstructionSet) : Cuda(_index);

    /// <summary>Opens a scope: tensors made on this device belong to it until it is disposed.</summary>
    public TensorScope Scope() => CurrentScope = new TensorScope(this, CurrentScope);

    /// <summary>Waits for everything queued on the device.</summary>
    public void Synchronize() => NativeStatus.Check(NativeMethods.ContextSynchronize(Handle));

    /// <summary>Releases the device. Its tensors stay valid until they are disposed.</summary>
    public void Dispose() => Handle.Dispose();

    /// <summary>Whether work on this device may read and write a tensor of the other.</summary>
    internal bool Reaches(Device other) => other == this || (IsCpu && other.IsCpu);

    /// <summary>Whether both are streams of one GPU, so that either may copy tensors of the other once that has finished with them.</summary>
    internal bool SharesGpu(Device other) => !IsCpu && !other.IsCpu && _index == other._index;

    internal void Register(Tensor tensor) => CurrentScope?.Add(tensor);

    private static unsafe Device Create(DeviceKind kind, int index, Isa isa)
    {
        MiniMaxNative.Initialize();
        var p = new ContextCreateParams
        {
            StructSize = sizeof(ContextCreateParams),
            Device = kind,
            DeviceIndex = index,
            Isa = isa,
        };
        return new Device(ContextHandle.Create(p), kind == DeviceKind.Cpu, index);
    }
}
