using MiniMaxSharp.Environments;

namespace MiniMaxSharp.Tests.Environments;

public sealed class LanguageTests
{
    private static readonly SandboxLimits s_limits = new() { Time = TimeSpan.FromSeconds(60) };

    private static Task<BuildResult> Build(ProgramLanguage language, string main, params (string Path, string Text)[] more) => language.BuildAsync(
        more.Append(("main" + language.Extension, main)).ToDictionary(file => file.Item1, file => file.Item2), "main" + language.Extension, s_limits);

    [SandboxFact]
    public async Task Python_of_several_files_runs_more_than_once()
    {
        var build = await Build(ProgramLanguage.Python, "from parts.one import twice\nprint(twice(int(input())))", ("parts/one.py", "def twice(x): return 2 * x"));
        Assert.Equal("42\n", (await build.Program!.RunAsync("21", s_limits)).OutputText);
        Assert.Equal("8\n", (await build.Program!.RunAsync("4", s_limits)).OutputText);
    }

    [SandboxFact]
    public async Task Broken_Python_is_not_built()
    {
        var build = await Build(ProgramLanguage.Python, "def f(:");
        Assert.Null(build.Program);
        Assert.StartsWith("main.py: SyntaxError", build.Errors);
    }

    [SandboxFact]
    public async Task CSharp_of_several_files_reads_a_file_and_its_input()
    {
        var build = await Build(
            ProgramLanguage.CSharp,
            """Console.WriteLine(Parts.Twice(int.Parse(Console.ReadLine()!)) + File.ReadAllText("data.txt")); return 3;""",
            ("Parts.cs", "static class Parts { public static int Twice(int x) => Enumerable.Repeat(x, 2).Sum(); }"),
            ("data.txt", "!"));
        Assert.Equal("", build.Errors);
        var run = await build.Program!.RunAsync("21", s_limits);
        Assert.Equal((SandboxVerdict.Exited, 3, "42!\n"), (run.Verdict, run.ExitCode, run.OutputText));
    }

    [SandboxFact]
    public async Task Broken_CSharp_is_not_built()
    {
        var build = await Build(ProgramLanguage.CSharp, "int x = \"text\";");
        Assert.Null(build.Program);
        Assert.Contains("main.cs(1,9): error CS0029", build.Errors);
    }

    [SandboxFact]
    public async Task CSharp_out_of_memory_gets_its_exception()
    {
        var build = await Build(ProgramLanguage.CSharp, """
            Console.WriteLine("begins");
            var kept = new List<byte[]>();
            try
            {
                while (true) { kept.Add(new byte[10_000_000]); Array.Fill(kept[^1], (byte)1); }
            }
            catch (OutOfMemoryException)
            {
                var count = kept.Count;
                kept.Clear();
                Console.WriteLine(count is > 5 and < 26);
            }
            """);
        var run = await build.Program!.RunAsync("", s_limits with { MemoryBytes = 256 << 20 });
        Assert.Equal((SandboxVerdict.Exited, "begins\nTrue\n", ""), (run.Verdict, run.OutputText, run.ErrorText));
    }

    [SandboxFact]
    public async Task CSharp_cannot_take_memory_from_the_system_either()
    {
        var build = await Build(ProgramLanguage.CSharp, """
            using System.Runtime.InteropServices;
            for (var i = 0; i < 1000; i++) Marshal.WriteByte(Marshal.AllocHGlobal(10_000_000), 1);
            Console.WriteLine("unlimited");
            """);
        var run = await build.Program!.RunAsync("", s_limits with { MemoryBytes = 256 << 20 });
        Assert.False(run.Succeeded);
        Assert.DoesNotContain("unlimited", run.OutputText);
    }

    [SandboxFact]
    public async Task CSharp_that_never_ends_is_stopped()
    {
        var build = await Build(ProgramLanguage.CSharp, "while (true) ;");
        Assert.Equal(SandboxVerdict.TimedOut, (await build.Program!.RunAsync("", s_limits with { Time = TimeSpan.FromSeconds(1) })).Verdict);
    }
}
