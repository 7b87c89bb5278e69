using System.Globalization;
using System.Text;

namespace MiniMaxSharp.Environments;

/// <summary>C#: all sources together, by <c>csc</c> of the SDK against its reference assemblies, with the SDK's implicit usings.</summary>
internal sealed class CSharpLanguage : ProgramLanguage
{
    private const string Usings = "ImplicitUsings.g.cs";

    /// <summary>The compiler speaks on standard output, which is kept for the assembly. Sources come as arguments.</summary>
    private const string Compile = """
        for reference in /dotnet/packs/Microsoft.NETCore.App.Ref/"$2"/ref/net*/*.dll; do echo "-r:$reference"; done > /tmp/references.rsp
        compiler=/dotnet/sdk/$1/Roslyn/bincore/csc.dll
        shift 2
        dotnet exec "$compiler" -nologo -noconfig -deterministic -optimize+ -nullable:enable -langversion:latest -nowarn:CS8632 -warn:0 \
            -target:exe -out:/tmp/program.dll @/tmp/references.rsp "$@" >&2 && cat /tmp/program.dll
        """;

    /// <summary>
    /// The heap's limit lets a program see OutOfMemoryException before the kernel refuses memory to the runtime itself. Without
    /// write-xor-execute the runtime needs no file of two gigabytes to map its code from, which the limit of files forbids.
    /// </summary>
    private static string[] Settings(SandboxLimits limits) =>
    [
        "DOTNET_EnableDiagnostics=0", "DOTNET_EnableWriteXorExecute=0", "DOTNET_gcServer=0", "DOTNET_gcConcurrent=0", "DOTNET_PROCESSOR_COUNT=2",
        "DOTNET_TieredPGO=0", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1", $"DOTNET_GCHeapHardLimit=0x{Heap(limits.MemoryBytes).ToString("x", CultureInfo.InvariantCulture)}",
    ];

    /// <summary>What is left for the heap beside the runtime, its code and the libraries.</summary>
    private static long Heap(long memory) => Math.Max(memory / 2, memory - (128 << 20));

    private const string RuntimeConfig = """
        {"runtimeOptions": {"tfm": "net{0}.0", "framework": {"name": "Microsoft.NETCore.App", "version": "{0}.0.0"}, "rollForward": "LatestMajor"}}
        """;

    public override string Name => "csharp";

    public override IReadOnlyList<string> FenceNames { get; } = ["csharp", "cs", "c#"];

    public override string Extension => ".cs";

    public override async Task<BuildResult> BuildAsync(
        IReadOnlyDictionary<string, string> files, string main, SandboxLimits limits, CancellationToken cancellation = default)
    {
        var (sdk, references) = (DotNetInstallation.Sdk, DotNetInstallation.References);
        var content = files.ToDictionary(file => file.Key, file => Encoding.UTF8.GetBytes(file.Value));
        content[Usings] = "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq;"u8.ToArray();
        var sources = content.Keys.Where(path => path.EndsWith(Extension, StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        var job = new SandboxJob(["env", .. Settings(limits), "sh", "-c", Compile, "compile", sdk, references, .. sources], content)
        {
            Limits = limits with { OutputBytes = 8 << 20 },
        };
        var result = await Sandbox.RunAsync(job, cancellation).ConfigureAwait(false);
        if (!result.Succeeded)
            return new(null, result.Verdict == SandboxVerdict.Exited ? result.ErrorText : $"the build was stopped: {result.Verdict}\n{result.ErrorText}");
        var program = new Dictionary<string, byte[]>
        {
            ["program.dll"] = result.Output,
            ["program.runtimeconfig.json"] = Encoding.UTF8.GetBytes(RuntimeConfig.Replace("{0}", references.Split('.')[0])),
        };
        foreach (var (path, bytes) in content.Where(file => !file.Key.EndsWith(Extension, StringComparison.Ordinal)))
            program[path] = bytes;
        return new(new(["env", .. Settings(limits), "dotnet", "exec", "program.dll"], program), "");
    }
}
