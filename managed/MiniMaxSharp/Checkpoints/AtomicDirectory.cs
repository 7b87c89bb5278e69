namespace MiniMaxSharp.Checkpoints;

/// <summary>
/// Replaces a folder as a whole. A process may be killed at any moment: afterwards the path holds the old content or the
/// new one, at the latest when it is opened again (<see cref="Recover"/>).
/// </summary>
/// <remarks>
/// <para>The new content is written to <c>path.minimax-new</c>. Once that is complete and on the disk it is renamed to
/// <c>path.minimax-ready</c>, and from then on the new content counts: the old folder is moved to
/// <c>path.minimax-old</c>, the new one to <c>path</c>, and the old one is deleted.</para>
/// <para>So after a kill, <c>minimax-ready</c> means that the swap is to be finished; without it, <c>minimax-new</c> is an
/// unfinished attempt that the next replacement throws away, and <c>minimax-old</c> is rubbish (or, without a folder at the
/// path, what belongs there).</para>
/// <para>One process at a time may replace or recover a path.</para>
/// </remarks>
public static class AtomicDirectory
{
    private const string Unfinished = ".minimax-new", Ready = ".minimax-ready", Old = ".minimax-old";

    /// <summary>Has the new content written to the folder that it hands out, and puts that in the place of the old one.</summary>
    public static void Replace(string path, Action<string> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        foreach (string _ in Steps(Normal(path), write))
        {
        }
    }

    /// <summary>Finishes a swap that was cut off half-way; does nothing otherwise. Loading a model does it by itself.</summary>
    public static void Recover(string path)
    {
        foreach (string _ in Swap(Normal(path)))
        {
        }
    }

    /// <summary>All that <see cref="Replace"/> does, one change of the disk at a time, so that a test can stop in between.</summary>
    internal static IEnumerable<string> Steps(string path, Action<string> write)
    {
        foreach (string step in Swap(path))
        {
            yield return step;
        }

        DeleteIfThere(path + Unfinished);
        yield return "an earlier attempt is gone";
        Directory.CreateDirectory(path + Unfinished);
        Fill(path + Unfinished, write);
        yield return "written";
        Directory.Move(path + Unfinished, path + Ready);
        yield return "ready";
        foreach (string step in Swap(path))
        {
            yield return step;
        }
    }

    private static IEnumerable<string> Swap(string path)
    {
        if (Directory.Exists(path + Ready))
        {
            if (Directory.Exists(path))
            {
                DeleteIfThere(path + Old);
                yield return "an earlier old one is gone";
                Directory.Move(path, path + Old);
                yield return "old one moved";
            }

            Directory.Move(path + Ready, path);
            yield return "swapped";
        }

        if (Directory.Exists(path + Old) && !Directory.Exists(path))
        {
            Directory.Move(path + Old, path);
            yield return "old one back";
        }

        DeleteIfThere(path + Old);
    }

    private static void Fill(string directory, Action<string> write)
    {
        try
        {
            write(directory);
        }
        catch
        {
            Directory.Delete(directory, recursive: true);
            throw;
        }

        foreach (string file in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories))
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
            stream.Flush(flushToDisk: true);
        }
    }

    private static void DeleteIfThere(string directory)
    {
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static string Normal(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
}
