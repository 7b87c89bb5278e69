using System.Text;

namespace MiniMaxSharp.Environments;

/// <summary>Python 3 of the host, in isolated mode but for the program's own folder.</summary>
internal sealed class PythonLanguage : ProgramLanguage
{
    private const string Interpreter = "/usr/bin/python3";

    /// <summary>Compiles every source without running any. The files come as arguments.</summary>
    private const string SyntaxCheck = """
        import sys
        for path in sys.argv[1:]:
            try:
                compile(open(path, encoding="utf-8").read(), path, "exec")
            except (SyntaxError, ValueError) as error:
                sys.exit(f"{path}: {type(error).__name__}: {error}")
        """;

    public override string Name => "python";

    public override IReadOnlyList<string> FenceNames { get; } = ["python", "py", "python3"];

    public override string Extension => ".py";

    public override async Task<BuildResult> BuildAsync(
        IReadOnlyDictionary<string, string> files, string main, SandboxLimits limits, CancellationToken cancellation = default)
    {
        if (!File.Exists(Interpreter))
            throw new SandboxUnavailableException($"there is no {Interpreter} on this machine");
        var content = files.ToDictionary(file => file.Key, file => Encoding.UTF8.GetBytes(file.Value));
        var sources = files.Keys.Where(path => path.EndsWith(Extension, StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        var check = new SandboxJob([Interpreter, "-I", "-c", SyntaxCheck, .. sources], content) { Limits = limits };
        var result = await Sandbox.RunAsync(check, cancellation).ConfigureAwait(false);
        return result.Succeeded
            ? new(new([Interpreter, "-s", "-B", "-X", "utf8", main], content), "")
            : new(null, Complaint(result, result.ErrorText));
    }

    private static string Complaint(SandboxResult result, string text) =>
        result.Verdict == SandboxVerdict.Exited ? text : $"the build was stopped: {result.Verdict}\n{text}";
}
