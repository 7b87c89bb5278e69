namespace MiniMaxSharp.Environments;

/// <summary>What a job may use. The numbers are choices; they suit small programs and their compilers.</summary>
public sealed record SandboxLimits
{
    /// <summary>Wall-clock time from the start of the job's command.</summary>
    public TimeSpan Time { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Bytes of memory. A process that asks for more than this in writable private memory is refused (<c>MemoryError</c>,
    /// <c>OutOfMemoryException</c>); all processes together are stopped when they really use more.
    /// </summary>
    public long MemoryBytes { get; init; } = 512L << 20;

    /// <summary>Processes and threads that live at the same time.</summary>
    public int Processes { get; init; } = 64;

    /// <summary>Bytes on each of standard output and standard error.</summary>
    public int OutputBytes { get; init; } = 1 << 20;

    /// <summary>Bytes that the job may write to files, beside those it was given. They are held in memory.</summary>
    public long FileBytes { get; init; } = 32L << 20;

    /// <summary>Files and folders that the job may create.</summary>
    public int Files { get; init; } = 4096;

    /// <exception cref="ArgumentOutOfRangeException">A limit is not positive.</exception>
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(Time, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MemoryBytes);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Processes);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(OutputBytes);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(FileBytes);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Files);
    }
}
