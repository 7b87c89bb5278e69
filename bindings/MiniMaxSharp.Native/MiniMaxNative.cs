using System.Runtime.InteropServices;

namespace MiniMaxSharp.Native;

/// <summary>The native library could not be loaded.</summary>
/// <param name="message">Every path that was tried, with the loader's own words.</param>
/// <param name="attempts">The same, path by path.</param>
public sealed class NativeLibraryException(string message, IReadOnlyList<(string Path, string Error)> attempts) : Exception(message)
{
    /// <summary>The paths in the order in which they were tried, and what the loader said of each.</summary>
    public IReadOnlyList<(string Path, string Error)> Attempts { get; } = attempts;
}

/// <summary>The library was found, but these bindings were made for another version of it.</summary>
public sealed class AbiMismatchException(string message) : Exception(message);

/// <summary>
/// Loads libminimax, and the library of the CUDA backend once a GPU is asked for. Nothing is loaded before
/// <see cref="Initialize"/>, which may be called as often as one likes.
/// </summary>
public static class MiniMaxNative
{
    /// <summary>Names a file, or a folder that holds it, to load before anything else is tried.</summary>
    public const string PathVariable = "MINIMAX_NATIVE_PATH";

    /// <summary>Names the library of the CUDA backend; nothing else is tried then.</summary>
    public const string CudaVariable = "MINIMAX_CUDA_LIBRARY";

    internal const string Library = "minimax";

    private const string CudaFile = "libminimax_cuda12.so";

    private static readonly Lock s_lock = new();
    private static nint s_library;
    private static bool s_cudaLoaded;

    /// <summary>The file that was loaded; null before <see cref="Initialize"/>.</summary>
    public static string? LoadedFrom { get; private set; }

    /// <summary>Loads and checks the library, unless that is done; after a failure it may be called again.</summary>
    /// <exception cref="NativeLibraryException">It was not found, or the system's loader refused it.</exception>
    /// <exception cref="AbiMismatchException">Its ABI is not that of these bindings.</exception>
    public static void Initialize() => InitializeFrom(Candidates());

    internal static void InitializeFrom(IEnumerable<string> candidates)
    {
        lock (s_lock)
        {
            if (s_library != 0)
            {
                return;
            }

            (nint library, string path) = Load(candidates);
            try
            {
                CheckAbi(library, path);
            }
            catch (Exception)
            {
                NativeLibrary.Free(library);
                throw;
            }

            s_library = library;
            NativeLibrary.SetDllImportResolver(typeof(MiniMaxNative).Assembly, (name, _, _) => name == Library ? s_library : 0);
            LoadedFrom = path;
        }
    }

    /// <summary>Loads the library of the CUDA backend, unless that is done. It loads where there is no GPU, too.</summary>
    /// <exception cref="NativeLibraryException">It was not found, refused by the system's loader, or made for another version.</exception>
    internal static void LoadCuda()
    {
        Initialize();
        lock (s_lock)
        {
            if (!s_cudaLoaded)
            {
                LoadCudaFrom(CudaCandidates());
                s_cudaLoaded = true;
            }
        }
    }

    internal static unsafe void LoadCudaFrom(IEnumerable<string> candidates)
    {
        var attempts = new List<(string Path, string Error)>();
        foreach (string path in candidates.Distinct())
        {
            nint text = Marshal.StringToCoTaskMemUTF8(path);
            Status status = NativeMethods.BackendLoad((byte*)text);
            Marshal.FreeCoTaskMem(text);
            if (status == Status.Ok)
            {
                return;
            }

            // It names the call and the path again.
            string error = NativeStatus.LastError();
            int at = error.LastIndexOf(path + ": ", StringComparison.Ordinal);
            attempts.Add((path, at < 0 ? error : error[(at + path.Length + 2)..]));
        }

        throw new NativeLibraryException(
            $"The CUDA backend could not be loaded on {RuntimeInformation.RuntimeIdentifier}: add the package MiniMaxSharp.Runtime.Cuda12 (linux-x64), or name the file in {CudaVariable}. Tried:{Environment.NewLine}{List(attempts)}",
            attempts);
    }

    /// <summary>Where the library of the CUDA backend is looked for, in order: where NuGet puts it, beside libminimax, the system's places.</summary>
    internal static IEnumerable<string> CudaCandidates()
    {
        if (Environment.GetEnvironmentVariable(CudaVariable) is { Length: > 0 } named)
        {
            yield return named;
            yield break;
        }

        yield return Path.Combine(AppContext.BaseDirectory, CudaFile);
        yield return Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", CudaFile);
        string searched = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
        foreach (string folder in searched.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            yield return Path.Combine(folder, CudaFile);
        }

        if (Path.GetDirectoryName(LoadedFrom) is { Length: > 0 } beside)
        {
            yield return Path.Combine(beside, CudaFile);
        }

        yield return CudaFile;
    }

    /// <summary>Where the library is looked for, in order.</summary>
    internal static IEnumerable<string> Candidates()
    {
        string file = OperatingSystem.IsWindows() ? "minimax.dll" : OperatingSystem.IsMacOS() ? "libminimax.dylib" : "libminimax.so";
        if (Environment.GetEnvironmentVariable(PathVariable) is { Length: > 0 } named)
        {
            yield return Directory.Exists(named) ? Path.Combine(named, file) : named;
        }

        yield return Path.Combine(AppContext.BaseDirectory, file);
        yield return Path.Combine(AppContext.BaseDirectory, "runtimes", RuntimeInformation.RuntimeIdentifier, "native", file);
        yield return Path.Combine(AppContext.BaseDirectory, "runtimes", $"linux-{RuntimeInformation.ProcessArchitecture}".ToLowerInvariant(), "native", file);
        yield return file;
    }

    internal static (nint Library, string Path) Load(IEnumerable<string> candidates)
    {
        var attempts = new List<(string Path, string Error)>();
        foreach (string path in candidates)
        {
            try
            {
                return (NativeLibrary.Load(path), path);
            }
            catch (Exception error) when (error is DllNotFoundException or BadImageFormatException)
            {
                attempts.Add((path, error.Message.ReplaceLineEndings(" ")));
            }
        }

        throw new NativeLibraryException(
            $"The native library of MiniMaxSharp could not be loaded on {RuntimeInformation.RuntimeIdentifier}. Tried:{Environment.NewLine}{List(attempts)}", attempts);
    }

    private static string List(List<(string Path, string Error)> attempts) =>
        string.Join(Environment.NewLine, attempts.Select(a => $"  {a.Path}: {a.Error}"));

    // Through the library's own exports: a bound import would stay bound to a library that is refused.
    private static unsafe void CheckAbi(nint library, string path)
    {
        var abiVersion = (delegate* unmanaged[Cdecl]<int>)Export("mm_abi_version");
        var structSize = (delegate* unmanaged[Cdecl]<byte*, long>)Export("mm_struct_size");
        int version = abiVersion();
        if (version != NativeMethods.ExpectedAbiVersion)
        {
            throw new AbiMismatchException($"{path} has ABI version {version}; these bindings need {NativeMethods.ExpectedAbiVersion}.");
        }

        foreach ((string name, int size) in NativeMethods.StructSizes)
        {
            nint text = Marshal.StringToCoTaskMemUTF8(name);
            long native = structSize((byte*)text);
            Marshal.FreeCoTaskMem(text);
            if (native != size)
            {
                throw new AbiMismatchException($"{path} has {name} at {native} bytes; these bindings have {size}.");
            }
        }

        nint Export(string name) => NativeLibrary.TryGetExport(library, name, out nint address)
            ? address
            : throw new AbiMismatchException($"{path} has no {name}: it is not a libminimax that these bindings know.");
    }
}
