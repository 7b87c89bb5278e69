using System.Runtime.InteropServices;

namespace MiniMaxSharp.Native;

/// <summary>Owns what was recorded on a context, and keeps the context alive.</summary>
internal sealed unsafe class GraphHandle : SafeHandle
{
    private readonly ContextHandle _context;

    private GraphHandle(ContextHandle context, nint graph) : base(0, ownsHandle: true)
    {
        bool added = false;
        context.DangerousAddRef(ref added);
        _context = context;
        SetHandle(graph);
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>Records what <paramref name="work"/> calls on the context; none of it runs.</summary>
    public static GraphHandle Record(ContextHandle context, Action work)
    {
        NativeStatus.Check(NativeMethods.GraphBegin(context));
        try
        {
            work();
        }
        catch
        {
            // The caller hears of what came first.
            _ = NativeMethods.GraphEnd(context, null);
            throw;
        }

        nint graph;
        NativeStatus.Check(NativeMethods.GraphEnd(context, &graph));
        return new GraphHandle(context, graph);
    }

    public void Launch()
    {
        NativeStatus.Check(NativeMethods.GraphLaunch(_context, handle));
        GC.KeepAlive(this);
    }

    protected override bool ReleaseHandle()
    {
        bool released = NativeMethods.GraphDestroy(_context, handle) == Status.Ok;
        _context.DangerousRelease();
        return released;
    }
}
