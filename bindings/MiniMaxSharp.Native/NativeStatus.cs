using System.Runtime.InteropServices;

namespace MiniMaxSharp.Native;

/// <summary>A call of the native library failed.</summary>
/// <param name="code">The status of the ABI: 1 invalid argument, 2 out of memory, 3 unsupported, 4 busy, 5 internal.</param>
/// <param name="message">The library's own text, taken at the failing call.</param>
public sealed class NativeException(int code, string message) : Exception(message)
{
    /// <summary>The status of the ABI.</summary>
    public int Code { get; } = code;
}

internal static unsafe class NativeStatus
{
    public static void Check(Status status)
    {
        if (status != Status.Ok)
        {
            throw new NativeException((int)status, LastError());
        }
    }

    /// <summary>The text of the last failing call of this thread.</summary>
    public static string LastError() => Marshal.PtrToStringUTF8((nint)NativeMethods.LastError()) ?? "";
}
