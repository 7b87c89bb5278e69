namespace MiniMaxSharp.Tests.Support;

/// <summary>Native memory of the process, for tests that want to see it come back.</summary>
internal static class NativeBytes
{
    /// <summary>
    /// Bytes in use once nothing of earlier tests goes any more: what they left to finalisers, one of which may let go of another, and what
    /// their threads free while they end.
    /// </summary>
    public static long Settled()
    {
        long before, now = Collected();
        do
        {
            Thread.Sleep(20);
            (before, now) = (now, Collected());
        }
        while (now != before);
        return now;
    }

    private static long Collected()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Device.LiveBytes;
    }
}
