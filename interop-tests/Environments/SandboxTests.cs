using System.Text;
using MiniMaxSharp.Environments;

namespace MiniMaxSharp.Tests.Environments;

public sealed class SandboxTests
{
    private static readonly SandboxLimits s_limits = new() { MemoryBytes = 256 << 20, Time = TimeSpan.FromSeconds(30) };

    private static Task<SandboxResult> Python(string program, string input = "", SandboxLimits? limits = null, CancellationToken cancellation = default) =>
        Sandbox.RunAsync(
            new SandboxJob(["/usr/bin/python3", "-I", "main.py"], new Dictionary<string, byte[]> { ["main.py"] = Encoding.UTF8.GetBytes(program) })
            {
                Input = input,
                Limits = limits ?? s_limits,
            },
            cancellation);

    /// <summary>Whether any process of this machine has this text on its command line.</summary>
    private static bool Lives(string mark) => Directory.GetDirectories("/proc").Any(folder =>
    {
        try
        {
            return File.ReadAllText($"{folder}/cmdline").Contains(mark, StringComparison.Ordinal);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    });

    [SandboxFact]
    public async Task A_program_reads_its_input_and_files_and_writes_both_outputs()
    {
        var files = new Dictionary<string, byte[]>
        {
            ["main.py"] = "import sys; print(sys.stdin.read() + open('data/ü.txt').read()); print('oh', file=sys.stderr); sys.exit(7)"u8.ToArray(),
            ["data/ü.txt"] = "Grüße"u8.ToArray(),
        };
        var result = await Sandbox.RunAsync(new SandboxJob(["/usr/bin/python3", "main.py"], files) { Input = "é " });
        Assert.Equal((SandboxVerdict.Exited, 7, "é Grüße\n", "oh\n"), (result.Verdict, result.ExitCode, result.OutputText, result.ErrorText));
    }

    [SandboxFact]
    public async Task A_command_that_does_not_exist_and_a_signal_have_the_exit_codes_of_a_shell()
    {
        Assert.Equal(127, (await Sandbox.RunAsync(new SandboxJob(["nowhere"], new Dictionary<string, byte[]>()))).ExitCode);
        var killed = await Python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)");
        Assert.Equal((128 + 11, ""), (killed.ExitCode, killed.ErrorText));
    }

    [SandboxTheory]
    [InlineData("/absolute")]
    [InlineData("../up")]
    [InlineData("a//b")]
    [InlineData("a/./b")]
    [InlineData("")]
    public async Task A_path_that_leads_out_is_refused(string path) =>
        await Assert.ThrowsAsync<ArgumentException>(() => Sandbox.RunAsync(new SandboxJob(["true"], new Dictionary<string, byte[]> { [path] = [] })));

    [SandboxFact]
    public async Task Endless_programs_time_out_and_leave_no_process()
    {
        var mark = $"mark-{Guid.NewGuid()}";
        var result = await Python($$"""
            import os, time
            for _ in range(5):
                if os.fork() == 0:
                    os.setsid()
                    os.execv("/bin/sh", ["sh", "-c", "trap '' TERM HUP INT; while :; do sleep 1; done", "{{mark}}"])
            print("started", flush=True)
            while True: time.sleep(1)
            """, limits: s_limits with { Time = TimeSpan.FromSeconds(1) });
        Assert.Equal((SandboxVerdict.TimedOut, "started\n"), (result.Verdict, result.OutputText));
        Assert.Null(result.ExitCode);
        Assert.False(Lives(mark));
    }

    [SandboxFact]
    public async Task What_a_program_leaves_running_ends_with_it()
    {
        var mark = $"mark-{Guid.NewGuid()}";
        var result = await Python($"""
            import os, subprocess
            subprocess.Popen(["sh", "-c", "sleep 1000; :", "{mark}"], start_new_session=True)
            print("done")
            """);
        Assert.Equal((SandboxVerdict.Exited, 0, "done\n"), (result.Verdict, result.ExitCode, result.OutputText));
        Assert.False(Lives(mark));
    }

    [SandboxFact]
    public async Task A_fork_bomb_meets_the_limit_of_processes()
    {
        var result = await Python("""
            import os, time
            children = 0
            try:
                while True:
                    if os.fork() == 0:
                        time.sleep(1000)
                    children += 1
            except BlockingIOError:
                print(children)
            """, limits: s_limits with { Processes = 20 });
        Assert.Equal((SandboxVerdict.Exited, "19\n"), (result.Verdict, result.OutputText));
    }

    [SandboxFact]
    public async Task A_fork_bomb_that_never_gives_up_times_out()
    {
        var mark = $"mark-{Guid.NewGuid()}";
        var result = await Sandbox.RunAsync(new SandboxJob(["sh", "-c", "f() { f | f & }; while :; do f; done", mark], new Dictionary<string, byte[]>())
        {
            Limits = s_limits with { Time = TimeSpan.FromSeconds(1) },
        });
        Assert.Contains(result.Verdict, new[] { SandboxVerdict.TimedOut, SandboxVerdict.Exited, SandboxVerdict.OutputLimit });
        Assert.False(Lives(mark));
    }

    [SandboxFact]
    public async Task Private_memory_over_the_limit_is_refused()
    {
        var result = await Python("""
            try:
                bytearray(300 << 20)
            except MemoryError:
                print("refused")
            """);
        Assert.Equal((SandboxVerdict.Exited, "refused\n"), (result.Verdict, result.OutputText));
    }

    [SandboxTheory]
    [InlineData("import mmap, time\nm = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096): m[i] = 1\ntime.sleep(100)")]
    [InlineData("import os, time\nfor i in range(9):\n    if os.fork() == 0: break\nb = bytearray(b'x') * (100 << 20)\ntime.sleep(100)")]
    [InlineData("import os, time\nfor _ in range(9):\n    f = os.memfd_create('x')\n    for i in range(32): os.write(f, bytes(1 << 20))\ntime.sleep(100)")]
    public async Task Memory_shared_or_in_many_processes_is_added_up(string program) =>
        Assert.Equal(SandboxVerdict.OutOfMemory, (await Python(program)).Verdict);

    [SandboxTheory]
    [InlineData("import sys\nwhile True: sys.stdout.write('x' * 1000)")]
    [InlineData("import sys\nwhile True: sys.stderr.write('x' * 1000)")]
    public async Task Endless_output_is_cut(string program)
    {
        var result = await Python(program, limits: s_limits with { OutputBytes = 10_000 });
        Assert.Equal(SandboxVerdict.OutputLimit, result.Verdict);
        Assert.Equal(10_000, Math.Max(result.Output.Length, result.Errors.Length));
        Assert.Equal("", result.Output.Length == 10_000 ? result.ErrorText : result.OutputText);
    }

    [SandboxFact]
    public async Task Output_of_just_the_limit_is_whole()
    {
        var result = await Python("print('x' * 9999)", limits: s_limits with { OutputBytes = 10_000 });
        Assert.Equal((SandboxVerdict.Exited, 10_000), (result.Verdict, result.Output.Length));
    }

    [SandboxFact]
    public async Task Files_are_limited_in_size_and_number()
    {
        var result = await Python("""
            import errno, os
            def fill(write):
                try:
                    while True: write()
                except OSError as e:
                    return errno.errorcode[e.errno]
            one = open("one", "wb")
            print(fill(lambda: one.write(bytes(1 << 16))))
            numbers = iter(range(10**9))
            def many():
                with open(f"/tmp/{next(numbers)}", "wb") as f: f.write(bytes(1 << 19))
            print(fill(many))
            os.remove("one")
            def empty():
                with open(f"/tmp/{next(numbers)}", "wb"): pass
            print(fill(empty))
            """, limits: s_limits with { FileBytes = 1 << 20, Files = 100 });
        Assert.Equal("EFBIG\nENOSPC\nENOSPC\n", result.OutputText);
    }

    [SandboxFact]
    public async Task Nothing_of_the_host_can_be_read_or_written()
    {
        var secret = Path.Combine(Path.GetTempPath(), $"secret-{Guid.NewGuid()}");
        File.WriteAllText(secret, "secret");
        Environment.SetEnvironmentVariable("SANDBOX_TEST_SECRET", "secret");
        try
        {
            var result = await Python($$"""
                import os
                def attempt(action):
                    try:
                        action()
                        return "possible"
                    except (OSError, KeyError) as e:
                        return type(e).__name__
                print(sorted(os.listdir("/")))
                print(attempt(lambda: open("{{secret}}")))
                print(attempt(lambda: open("/etc/passwd")))
                print(attempt(lambda: open("/usr/bin/evil", "w")))
                print(attempt(lambda: open("/proc/1/environ").read()))
                print(attempt(lambda: open("/proc/1/root/etc")))
                print(attempt(lambda: os.environ["SANDBOX_TEST_SECRET"]))
                print(attempt(lambda: os.chroot("/work")))
                print(len([p for p in os.listdir("/proc") if p.isdigit()]), os.path.exists("/proc/sys"))
                """);
            var paths = result.OutputText.Split('\n')[0].Replace("'lib32', ", "").Replace("'lib64', ", "");
            Assert.Equal("['bin', 'dev', 'dotnet', 'etc', 'input', 'lib', 'proc', 'sbin', 'tmp', 'usr', 'work']", paths);
            Assert.Equal(
                ["FileNotFoundError", "FileNotFoundError", "OSError", "PermissionError", "PermissionError", "KeyError", "PermissionError"],
                result.OutputText.Split('\n')[1..8]);
            Assert.Equal("3 False", result.OutputText.Split('\n')[8]);
        }
        finally
        {
            Environment.SetEnvironmentVariable("SANDBOX_TEST_SECRET", null);
            File.Delete(secret);
        }
    }

    [SandboxFact]
    public async Task Privileges_cannot_be_had_again()
    {
        var result = await Python("""
            import subprocess
            for command in ["unshare --user true", "unshare --mount true", "mount -t tmpfs none /tmp", "umount /usr", "mount -o remount,rw /usr", "kill -9 1"]:
                done = subprocess.run(command.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                print(command, "-", "possible" if done.returncode == 0 and command != "kill -9 1" else "refused")
            print([line.split()[1] for line in open("/proc/self/status") if line.startswith(("CapEff", "CapPrm", "CapBnd", "NoNewPrivs"))])
            """);
        Assert.Equal(6, result.OutputText.Split("refused").Length - 1);
        Assert.EndsWith("['0000000000000000', '0000000000000000', '0000000000000000', '1']\n", result.OutputText);
    }

    [SandboxFact]
    public async Task There_is_no_network_not_even_the_hosts_own()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        var port = ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
        var result = await Python($"""
            import os, socket
            for address in [("127.0.0.1", {port}), ("1.1.1.1", 53)]:
                try:
                    socket.create_connection(address, 2)
                    print("connected")
                except OSError:
                    print("refused")
            print([name for _, name in socket.if_nameindex()])
            """);
        Assert.Equal("refused\nrefused\n['lo']\n", result.OutputText);
    }

    [SandboxFact]
    public async Task A_cancelled_job_leaves_no_process()
    {
        var mark = $"mark-{Guid.NewGuid()}";
        using var cancel = new CancellationTokenSource();
        var job = Sandbox.RunAsync(
            new SandboxJob(["sh", "-c", "sleep 1000; :", mark], new Dictionary<string, byte[]>()) { Limits = s_limits with { Time = TimeSpan.FromMinutes(10) } },
            cancel.Token);
        while (!Lives(mark))
            await Task.Delay(10);
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => job);
        Assert.False(Lives(mark));
    }

    [SandboxFact]
    public async Task Jobs_run_side_by_side_and_do_not_see_each_other()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Python("""
            import os, sys, time
            open("/tmp/" + sys.stdin.read(), "w")
            time.sleep(0.2)
            print(os.listdir("/tmp"))
            """, input: $"{i}")));
        Assert.Equal(Enumerable.Range(0, 6).Select(i => $"['{i}']\n"), results.Select(result => result.OutputText));
    }
}
