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
    private Device(ContextHandle handle, bool isCpu)
    {
        Handle = handle;
        IsCpu = isCpu;
    }

    /// <summary>Whether tensors are in host memory.</summary>
    public bool IsCpu { get; }

    /// <summary>The instruction set in use, never <see cref="CpuInstructionSet.Automatic"/>.</summary>
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
    /// <exception cref="NativeException">There is no such GPU, or this build has no CUDA backend.</exception>
    public static Device Cuda(int index = 0) => Create(DeviceKind.Cuda, index, Isa.Auto);

    /// <summary>Gives freed blocks that are held for reuse back to the operating system.</summary>
    public static void TrimMemory()
    {
        MiniMaxNative.Initialize();
        NativeStatus.Check(NativeMethods.MemoryTrim());
    }

    /// <summary>Opens a scope: tensors made on this device belong to it until it is disposed.</summary>
    public TensorScope Scope() => CurrentScope = new TensorScope(this, CurrentScope);

    /// <summary>Waits for everything queued on the device.</summary>
    public void Synchronize() => NativeStatus.Check(NativeMethods.ContextSynchronize(Handle));

    /// <summary>Releases the device. Its tensors stay valid until they are disposed.</summary>
    public void Dispose() => Handle.Dispose();

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
        return new Device(ContextHandle.Create(p), kind == DeviceKind.Cpu);
    }
}
