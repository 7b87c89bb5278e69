namespace MiniMaxSharp.Checkpoints;

/// <summary>Writes a file under another name beside its place, flushes it to the disk and renames it.</summary>
internal static class AtomicFile
{
    private const string Suffix = ".tmp";

    public static void Write(string path, Action<Stream> write)
    {
        string temporary = Prepare(path, write);
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Does all but the renaming; returns the temporary name. What a killed writer left there is overwritten.</summary>
    public static string Prepare(string path, Action<Stream> write)
    {
        string temporary = path + Suffix;
        try
        {
            using var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);
            write(stream);
            stream.Flush(flushToDisk: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }

        return temporary;
    }
}
