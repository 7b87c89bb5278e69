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

/// <summary>Loads libminimax. Nothing is loaded before <see cref="Initialize"/>, which may be called as often as one likes.</summary>
public static class MiniMaxNative
{
    /// <summary>Names a file, or a folder that holds it, to load before anything else is tried.</summary>
    public const string PathVariable = "MINIMAX_NATIVE_PATH";

    internal const string Library = "minimax";

    private static readonly Lock s_lock = new();
    private static nint s_library;
    private static bool s_resolving;

    /// <summary>The file that was loaded; null before <see cref="Initialize"/>.</summary>
    public static string? LoadedFrom { get; private set; }

    /// <summary>Loads and checks the library, unless that is done; after a failure it may be called again.</summary>
    /// <exception cref="NativeLibraryException">It was not found, or the system's loader refused it.</exception>
    /// <exception cref="AbiMismatchException">Its ABI is not that of these bindings.</exception>
    public static void Initialize()
    {
        lock (s_lock)
        {
            if (s_library != 0)
            {
                return;
            }

            (nint library, string path) = Load(Candidates());
            if (!s_resolving)
            {
                NativeLibrary.SetDllImportResolver(typeof(MiniMaxNative).Assembly, (name, _, _) => name == Library ? s_library : 0);
                s_resolving = true;
            }

            s_library = library;
            try
            {
                CheckAbi(path);
            }
            catch (Exception)
            {
                s_library = 0;
                NativeLibrary.Free(library);
                throw;
            }

            LoadedFrom = path;
        }
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

        string list = string.Join(Environment.NewLine, attempts.Select(a => $"  {a.Path}: {a.Error}"));
        throw new NativeLibraryException(
            $"The native library of MiniMaxSharp could not be loaded on {RuntimeInformation.RuntimeIdentifier}. Tried:{Environment.NewLine}{list}", attempts);
    }

    private static unsafe void CheckAbi(string path)
    {
        int version = NativeMethods.AbiVersion();
        if (version != NativeMethods.ExpectedAbiVersion)
        {
            throw new AbiMismatchException($"{path} has ABI version {version}; these bindings need {NativeMethods.ExpectedAbiVersion}.");
        }

        foreach ((string name, int size) in NativeMethods.StructSizes)
        {
            nint text = Marshal.StringToCoTaskMemUTF8(name);
            long native = NativeMethods.StructSize((byte*)text);
            Marshal.FreeCoTaskMem(text);
            if (native != size)
            {
                throw new AbiMismatchException($"{path} has {name} at {native} bytes; these bindings have {size}.");
            }
        }
    }
}
