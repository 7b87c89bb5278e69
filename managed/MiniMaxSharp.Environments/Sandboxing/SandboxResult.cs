using System.Text;

namespace MiniMaxSharp.Environments;

/// <summary>How a job came to its end.</summary>
public enum SandboxVerdict
{
    /// <summary>By itself; see <see cref="SandboxResult.ExitCode"/>.</summary>
    Exited,

    /// <summary>Stopped: its time was up.</summary>
    TimedOut,

    /// <summary>Stopped: its processes together used more memory than allowed.</summary>
    OutOfMemory,

    /// <summary>It wrote more than allowed to standard output or standard error.</summary>
    OutputLimit,
}

/// <summary>What became of a job.</summary>
/// <param name="Verdict">How it ended.</param>
/// <param name="ExitCode">Its exit code, 128 + n if signal n ended it; null if it was stopped.</param>
/// <param name="Output">Standard output, up to the limit.</param>
/// <param name="Errors">Standard error, up to the limit.</param>
/// <param name="Time">Wall-clock time from the start of the command.</param>
public sealed record SandboxResult(SandboxVerdict Verdict, int? ExitCode, byte[] Output, byte[] Errors, TimeSpan Time)
{
    /// <summary>Whether it ended by itself with exit code 0.</summary>
    public bool Succeeded => ExitCode == 0;

    /// <summary>Standard output as UTF-8.</summary>
    public string OutputText => Encoding.UTF8.GetString(Output);

    /// <summary>Standard error as UTF-8.</summary>
    public string ErrorText => Encoding.UTF8.GetString(Errors);
}
