namespace MiniMaxSharp.Tests.Support;

/// <summary>Native memory of the process, for tests that want to see it come back.</summary>
internal static class NativeBytes
{
    /// <summary>Bytes in use once finalisers have freed what earlier tests left to them, so that it does not go amid the next one.</summary>
    public static long Settled()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Device.LiveBytes;
    }
}
