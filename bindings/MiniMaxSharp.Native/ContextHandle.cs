using System.Runtime.InteropServices;

namespace MiniMaxSharp.Native;

/// <summary>Owns a native context; a call that uses it keeps it alive.</summary>
internal sealed unsafe class ContextHandle : SafeHandle
{
    private ContextHandle(nint context) : base(0, ownsHandle: true) => SetHandle(context);

    public override bool IsInvalid => handle == 0;

    public static ContextHandle Create(ContextCreateParams parameters)
    {
        nint context;
        NativeStatus.Check(NativeMethods.ContextCreate(&parameters, &context));
        return new ContextHandle(context);
    }

    protected override bool ReleaseHandle() => NativeMethods.ContextDestroy(handle) == Status.Ok;
}
