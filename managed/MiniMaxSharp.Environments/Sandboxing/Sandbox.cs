using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace MiniMaxSharp.Environments;

/// <summary>
/// Runs programs that nobody trusts, on Linux: in user, mount, PID, IPC and network namespaces of their own, without capabilities,
/// as a user who owns nothing (<c>nobody</c> where the host's process is root), on a file system in memory that shows of the host
/// only <c>/usr</c>, the libraries and .NET, read only, and with the limits of <see cref="SandboxLimits"/>. What a job leaves is
/// its two outputs: files and processes are gone when the call returns.
/// It rests on util-linux (<c>unshare</c>, <c>setpriv</c>, <c>prlimit</c>), coreutils and tar, and never runs anything without them.
/// The kernel's own system calls are not filtered: a flaw of the kernel is a way out. Stateless; any number of jobs may run at once.
/// </summary>
public static class Sandbox
{
    /// <summary>
    /// Address space, which a runtime reserves without using it: measured, .NET takes 2.3 GiB and five times its heap's limit. What
    /// is really used is watched; this only keeps a job from mapping so much shared memory that watching comes too late.
    /// </summary>
    private static long AddressSpace(long memory) => (3L << 30) + 6 * memory;

    /// <summary>How often time and memory are looked at.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    /// <summary>How long the sandbox outlives its limit if the host's process is killed and cannot stop it.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    private static readonly Lazy<string> EnterScript = new(() => Resources.Text("enter.sh"));

    /// <summary>Runs a job to its end or to the first limit it hits.</summary>
    /// <exception cref="ArgumentException">The job is malformed.</exception>
    /// <exception cref="SandboxUnavailableException">This machine refuses something that the sandbox needs; nothing was run.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled, and everything of it has ended.</exception>
    public static async Task<SandboxResult> RunAsync(SandboxJob job, CancellationToken cancellation = default)
    {
        job.Check();
        using var process = Start(job);
        try
        {
            await EnterAsync(process, job, cancellation).ConfigureAwait(false);
            return await WatchAsync(process, job.Limits, cancellation).ConfigureAwait(false);
        }
        finally
        {
            await StopAsync(process).ConfigureAwait(false);
        }
    }

    private static Process Start(SandboxJob job)
    {
        if (!OperatingSystem.IsLinux())
            throw new SandboxUnavailableException("the sandbox needs Linux: it is made of the kernel's namespaces");
        var command = Command(job);
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin";
        start.Environment["LC_ALL"] = "C";
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception failure)
        {
            throw new SandboxUnavailableException($"'{command[0]}' of util-linux cannot be started: {failure.Message}", failure);
        }
    }

    /// <summary>From the outside in: another user, the namespaces, the script, the limits, no privileges, the job.</summary>
    private static string[] Command(SandboxJob job)
    {
        var limits = job.Limits;
        var deadline = Math.Ceiling((limits.Time + Grace).TotalSeconds);
        string[] nobody = Environment.IsPrivilegedProcess ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
        return
        [
            .. nobody,
            "unshare", "--user", "--map-root-user", "--mount", "--pid", "--ipc", "--net", "--fork", "--kill-child",
            "sh", "-c", EnterScript.Value, "sandbox", Number(job.FileSystemBytes), Number(job.FileSystemFiles), DotNetInstallation.Root ?? "",
            "prlimit", $"--data={Number(limits.MemoryBytes)}", $"--as={Number(AddressSpace(limits.MemoryBytes))}", $"--nproc={Number(limits.Processes + Own)}",
            $"--fsize={Number(limits.FileBytes)}", "--nofile=256", "--core=0", "--msgqueue=0", "--memlock=0",
            "setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs",
            "timeout", "--signal=KILL", Number((long)deadline),
            "env", "-i", "HOME=/tmp", "PATH=/dotnet:/usr/bin:/bin", "LANG=C.UTF-8",
            .. job.Command,
        ];
    }

    /// <summary><c>unshare</c>, the shell and <c>timeout</c> count as processes of the sandbox.</summary>
    private const int Own = 3;

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Hands the job over and waits until the sandbox stands, which it says on standard error before the job can.</summary>
    private static async Task EnterAsync(Process process, SandboxJob job, CancellationToken cancellation)
    {
        var feed = Task.Run(() => Feed(process, job), cancellation);
        var said = new StringBuilder();
        while (await LineAsync(process.StandardError.BaseStream, cancellation).ConfigureAwait(false) is { } line)
        {
            if (line == "ready")
            {
                await feed.ConfigureAwait(false);
                return;
            }
            said.AppendLine(line);
        }
        await feed.ConfigureAwait(false);
        await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
        throw new SandboxUnavailableException($"this machine refuses a sandbox (exit code {process.ExitCode}): {said.ToString().Trim()}");
    }

    private static void Feed(Process process, SandboxJob job)
    {
        try
        {
            using var stream = process.StandardInput.BaseStream;
            job.WriteTo(stream);
        }
        catch (IOException)
        {
            // Nobody reads any more: why, stands on standard error, and the caller reports it.
        }
    }

    /// <summary>A line byte by byte, because what follows the last one belongs to the job; null at the end.</summary>
    private static async Task<string?> LineAsync(Stream stream, CancellationToken cancellation)
    {
        var line = new List<byte>();
        var one = new byte[1];
        while (await stream.ReadAsync(one, cancellation).ConfigureAwait(false) == 1)
        {
            if (one[0] == '\n')
                return Encoding.UTF8.GetString([.. line]);
            line.Add(one[0]);
        }
        return line.Count == 0 ? null : Encoding.UTF8.GetString([.. line]);
    }

    private static async Task<SandboxResult> WatchAsync(Process process, SandboxLimits limits, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        var output = new BoundedOutput(process.StandardOutput.BaseStream, limits.OutputBytes);
        var errors = new BoundedOutput(process.StandardError.BaseStream, limits.OutputBytes);
        var overflow = Task.WhenAny(output.Overflow, errors.Overflow);
        var verdict = SandboxVerdict.Exited;
        for (var exit = process.WaitForExitAsync(cancellation); verdict == SandboxVerdict.Exited && !exit.IsCompleted;)
        {
            await Task.WhenAny(exit, overflow, Task.Delay(Interval, cancellation)).ConfigureAwait(false);
            cancellation.ThrowIfCancellationRequested();
            verdict = overflow.IsCompleted ? SandboxVerdict.OutputLimit
                : exit.IsCompleted ? SandboxVerdict.Exited
                : clock.Elapsed > limits.Time ? SandboxVerdict.TimedOut
                : ProcessTree.Read().Exceeds(process.Id, limits.MemoryBytes) ? SandboxVerdict.OutOfMemory
                : SandboxVerdict.Exited;
        }
        var time = clock.Elapsed;
        await StopAsync(process).ConfigureAwait(false);
        var (written, complained) = (await output.Content.ConfigureAwait(false), await errors.Content.ConfigureAwait(false));
        if (verdict == SandboxVerdict.Exited && overflow.IsCompleted)
            verdict = SandboxVerdict.OutputLimit;
        return verdict == SandboxVerdict.Exited
            ? new(verdict, process.ExitCode, written, complained, time)
            : new(verdict, null, written, WithoutRemark(complained), time);
    }

    /// <summary>Some versions of <c>unshare</c> trip over a killed child and say so, last of all.</summary>
    private static byte[] WithoutRemark(byte[] errors)
    {
        var remark = errors.AsSpan().LastIndexOf("unshare: sigprocmask"u8);
        return remark < 0 ? errors : errors[..remark];
    }

    /// <summary>
    /// Kills the first process inside, and with it all others; <c>unshare</c> ends when the last is gone. <c>unshare</c> itself is
    /// not killed, which would return too early or let a child go that it is just about to have.
    /// </summary>
    private static async Task StopAsync(Process process)
    {
        while (!process.HasExited)
        {
            foreach (var first in ProcessTree.Read().ChildrenOf(process.Id))
                Kill(first);
            await Task.WhenAny(process.WaitForExitAsync(), Task.Delay(Interval)).ConfigureAwait(false);
        }
    }

    private static void Kill(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
        }
        catch (ArgumentException)
        {
            // It has ended meanwhile.
        }
    }
}
