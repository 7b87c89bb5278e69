using System.Diagnostics;
using System.Reflection;
using System.Runtime.Loader;
using MiniMaxSharp.Native;
using MiniMaxSharp.Tests.Checkpoints;

namespace MiniMaxSharp.Tests.Bindings;

/// <summary>Libraries that are not ours, made by the C++ compiler: what the loader says, and that it can go on with the right one.</summary>
public sealed class RefusedLibraryTests : IDisposable
{
    private const string OtherVersion = "int mm_abi_version(void) { return 9999; } long mm_struct_size(const char* name) { return 0; }";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void After_a_refusal_the_right_library_is_taken_and_called()
    {
        string other = Compile(OtherVersion);
        MiniMaxNative.Initialize();
        using var copy = new Copy();
        Exception error = Assert.Throws<TargetInvocationException>(() => copy.Initialize(other)).InnerException!;
        Assert.Equal(typeof(AbiMismatchException).FullName, error.GetType().FullName);
        Assert.Null(copy.LoadedFrom);
        Assert.DoesNotContain(other, File.ReadAllText("/proc/self/maps"), StringComparison.Ordinal);

        copy.Initialize(MiniMaxNative.LoadedFrom!);
        Assert.Equal(MiniMaxNative.LoadedFrom, copy.LoadedFrom);
        Assert.Equal(NativeMethods.ExpectedAbiVersion, copy.AbiVersion());
    }

    [Fact]
    public void Another_version_is_refused_by_path_and_both_versions() =>
        RequireRefusal(OtherVersion, "has ABI version 9999", $"these bindings need {NativeMethods.ExpectedAbiVersion}");

    [Fact]
    public void Structs_of_another_size_are_refused_by_name_and_both_sizes() => RequireRefusal(
        $"int mm_abi_version(void) {{ return {NativeMethods.ExpectedAbiVersion}; }} long mm_struct_size(const char* name) {{ return 12345; }}",
        $"has {NativeMethods.StructSizes[0].Name} at 12345 bytes",
        $"have {NativeMethods.StructSizes[0].Size}");

    [Fact]
    public void A_library_of_something_else_is_refused_by_what_it_lacks() => RequireRefusal("int x;", "has no mm_abi_version");

    // As users meet it: the environment names a library, and the tool answers.
    private void RequireRefusal(string source, params string[] said)
    {
        string library = Compile(source);
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "minimax.dll"), "doctor"]) { RedirectStandardError = true };
        start.Environment[MiniMaxNative.PathVariable] = library;
        using Process process = Process.Start(start)!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(2, process.ExitCode);
        Assert.StartsWith(library, errors, StringComparison.Ordinal);
        Assert.All(said, text => Assert.Contains(text, errors, StringComparison.Ordinal));
        Assert.Single(errors.Trim().Split('\n'));
    }

    private string Compile(string source)
    {
        File.WriteAllText(_folder["other.c"], $"extern \"C\" {{ {source} }}");
        using Process compiler = Process.Start("g++", ["-shared", "-fPIC", "-x", "c++", _folder["other.c"], "-o", _folder["libother.so"]]);
        compiler.WaitForExit();
        Assert.Equal(0, compiler.ExitCode);
        return _folder["libother.so"];
    }

    /// <summary>The bindings once more, with nothing loaded yet.</summary>
    private sealed class Copy : IDisposable
    {
        private const BindingFlags Any = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
        private readonly AssemblyLoadContext _context = new("copy", isCollectible: true);
        private readonly Assembly _assembly;

        public Copy() => _assembly = _context.LoadFromAssemblyPath(typeof(MiniMaxNative).Assembly.Location);

        public object? LoadedFrom => Find(nameof(MiniMaxNative)).GetProperty(nameof(MiniMaxNative.LoadedFrom))!.GetValue(null);

        public void Initialize(string library) =>
            Find(nameof(MiniMaxNative)).GetMethod(nameof(MiniMaxNative.InitializeFrom), Any)!.Invoke(null, [new[] { library }]);

        public object? AbiVersion() => Find(nameof(NativeMethods)).GetMethod(nameof(NativeMethods.AbiVersion), Any)!.Invoke(null, null);

        public void Dispose() => _context.Unload();

        private Type Find(string name) => _assembly.GetType($"MiniMaxSharp.Native.{name}")!;
    }
}
