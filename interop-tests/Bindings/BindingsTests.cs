using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using MiniMaxSharp.Generator;
using MiniMaxSharp.Native;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Bindings;

/// <summary>Headers, generated file and native library are of one piece.</summary>
public sealed class BindingsTests
{
    private static readonly Type[] s_types = typeof(NativeMethods).Assembly.GetTypes();

    [Fact]
    public void The_stamped_hash_is_that_of_the_headers() =>
        Assert.Equal(NativeMethods.HeaderHash, HeaderHash.Of(Repository.Path("native", "include", "minimax")));

    [Fact]
    public void The_library_exports_just_the_declared_functions()
    {
        MiniMaxNative.Initialize();
        string[] declared = [.. typeof(NativeMethods)
            .GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public)
            .Select(EntryPoint).OfType<string>().Distinct().Order(StringComparer.Ordinal)];
        string[] exported = [.. ElfSymbols.Exported(MiniMaxNative.LoadedFrom!).Where(s => s.StartsWith("mm_", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        Assert.NotEmpty(declared);
        Assert.Equal(declared, exported);
    }

    [Fact]
    public void Nothing_but_the_ABI_is_exported()
    {
        MiniMaxNative.Initialize();
        Assert.All(ElfSymbols.Exported(MiniMaxNative.LoadedFrom!), symbol => Assert.StartsWith("mm_", symbol));
    }

    [Fact]
    public void Structs_and_enums_are_laid_out_as_the_C_compiler_has_them()
    {
        using JsonDocument abi = JsonDocument.Parse(File.ReadAllText(Repository.Path("artifacts", "native", "native", "abi.json")));
        int structs = 0;
        foreach (JsonProperty native in abi.RootElement.GetProperty("structs").EnumerateObject())
        {
            Type managed = Assert.Single(s_types, t => t.Name == Emitter.TypeName(native.Name));
            Assert.Equal(native.Value.GetProperty("size").GetInt32(), Marshal.SizeOf(managed));
            foreach (JsonProperty field in native.Value.GetProperty("fields").EnumerateObject())
            {
                Assert.Equal(field.Value.GetInt32(), (int)Marshal.OffsetOf(managed, Emitter.Pascal(field.Name)));
            }

            Assert.Equal(native.Value.GetProperty("fields").EnumerateObject().Count(), managed.GetFields().Length);
            structs++;
        }

        Assert.Equal(NativeMethods.StructSizes.Length, structs);
        foreach (JsonProperty native in abi.RootElement.GetProperty("enums").EnumerateObject())
        {
            Type managed = Assert.Single(s_types, t => t.IsEnum && t.Name == Emitter.TypeName(native.Name));
            Assert.Equal(
                native.Value.EnumerateObject().Select(v => v.Value.GetInt32()),
                Enum.GetValuesAsUnderlyingType(managed).Cast<int>());
        }
    }

    [Fact]
    public void Initialisation_may_be_repeated_from_many_threads()
    {
        Parallel.For(0, 16, _ => MiniMaxNative.Initialize());
        Assert.Equal(NativeMethods.ExpectedAbiVersion, NativeMethods.AbiVersion());
    }

    [Fact]
    public void A_failure_to_load_tells_every_path_and_the_loaders_words()
    {
        string file = Path.Combine(Path.GetTempPath(), $"not-a-library-{Guid.NewGuid():N}.so");
        File.WriteAllText(file, new string('x', 4096));
        try
        {
            NativeLibraryException error = Assert.Throws<NativeLibraryException>(() => MiniMaxNative.Load(["/nowhere/libminimax.so", file]));
            Assert.Equal(["/nowhere/libminimax.so", file], error.Attempts.Select(a => a.Path));
            Assert.Contains("No such file", error.Attempts[0].Error, StringComparison.Ordinal);
            Assert.Contains("ELF", error.Attempts[1].Error, StringComparison.OrdinalIgnoreCase);
            Assert.All(error.Attempts, a => Assert.Contains(a.Error, error.Message, StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public unsafe void An_unknown_struct_has_no_size()
    {
        MiniMaxNative.Initialize();
        fixed (byte* name = "mm_no_such_params\0"u8)
        {
            Assert.Equal(-1, NativeMethods.StructSize(name));
        }
    }

    [Fact]
    public void The_emitter_writes_what_the_model_says()
    {
        var model = new HeaderModel(
            "abc",
            [new HeaderConstant("MM_ABI_VERSION", 7)],
            [new HeaderEnum("mm_dtype", [("MM_DTYPE_F32", 0), ("MM_DTYPE_BF16", 1)])],
            [new HeaderStruct("mm_cast_params", 16, [new HeaderField("struct_size", new HeaderType("int64_t", 0), 0), new HeaderField("d_o", new HeaderType("float", 1), 8)])],
            [new HeaderFunction("mm_cast", new HeaderType("mm_status", 0), [("context", new HeaderType("mm_context", 1)), ("params", new HeaderType("mm_cast_params", 1))])]);
        string text = Emitter.CSharp(model);
        Assert.Contains("internal enum DType : int\n{\n    F32 = 0,\n    Bf16 = 1,\n}", text, StringComparison.Ordinal);
        Assert.Contains("[StructLayout(LayoutKind.Explicit, Size = 16)]\ninternal unsafe struct CastParams", text, StringComparison.Ordinal);
        Assert.Contains("[FieldOffset(8)]\n    public float* DO;", text, StringComparison.Ordinal);
        Assert.Contains("internal static partial Status Cast(ContextHandle context, CastParams* @params);", text, StringComparison.Ordinal);
        Assert.Contains("ExpectedAbiVersion = 7", text, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => Emitter.TypeName("bool"));
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "tests are not trimmed")]
    private static string? EntryPoint(MethodInfo method) =>
        method.GetCustomAttribute<LibraryImportAttribute>()?.EntryPoint ?? method.GetCustomAttribute<DllImportAttribute>()?.EntryPoint;
}

/// <summary>The symbols that an ELF library for 64-bit little-endian machines defines for others.</summary>
internal static class ElfSymbols
{
    private const int SectionDynamicSymbols = 11;

    public static IEnumerable<string> Exported(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        long sections = Long(file, 0x28);
        int size = Short(file, 0x3a), count = Short(file, 0x3c);
        for (int i = 0; i < count; i++)
        {
            int header = (int)(sections + i * size);
            if (Int(file, header + 4) != SectionDynamicSymbols)
            {
                continue;
            }

            long strings = Long(file, (int)(sections + Int(file, header + 0x28) * size) + 0x18);
            for (long at = Long(file, header + 0x18), end = at + Long(file, header + 0x20); at < end; at += 24)
            {
                bool defined = Short(file, (int)at + 6) != 0;
                if (defined)
                {
                    int start = (int)(strings + Int(file, (int)at));
                    yield return Encoding.ASCII.GetString(file, start, Array.IndexOf(file, (byte)0, start) - start);
                }
            }
        }
    }

    private static int Short(byte[] file, int at) => BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(at));

    private static int Int(byte[] file, int at) => BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(at));

    private static long Long(byte[] file, int at) => BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(at));
}
