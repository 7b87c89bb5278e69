using System.Formats.Tar;
using System.Text;

namespace MiniMaxSharp.Environments;

/// <summary>A command and all that it gets to see.</summary>
/// <param name="Command">Program and arguments, run in the folder of the files.</param>
/// <param name="Files">Contents by relative path, with <c>/</c> between folders.</param>
public sealed record SandboxJob(IReadOnlyList<string> Command, IReadOnlyDictionary<string, byte[]> Files)
{
    private const int Page = 4096;

    /// <summary>What the command reads from standard input.</summary>
    public string Input { get; init; } = "";

    /// <summary>What it may use.</summary>
    public SandboxLimits Limits { get; init; } = new();

    /// <summary>Bytes of the file system: what the job was given, in whole pages, and what it may write.</summary>
    internal long FileSystemBytes => Limits.FileBytes + Files.Values.Append(InputBytes).Sum(content => (long)content.Length + Page);

    /// <summary>Files of the file system; a hundred more than enough for its own folders.</summary>
    internal int FileSystemFiles => Limits.Files + Files.Keys.Sum(path => path.Split('/').Length) + 100;

    private byte[] InputBytes => Encoding.UTF8.GetBytes(Input);

    /// <exception cref="ArgumentException">The command is empty or a path leads out of the folder.</exception>
    internal void Check()
    {
        Limits.Check();
        if (Command.Count == 0)
            throw new ArgumentException("a sandbox job needs a command");
        foreach (var path in Files.Keys)
        {
            if (!IsInside(path))
                throw new ArgumentException($"'{path}' is not a relative path inside the job's folder");
        }
    }

    /// <summary>Whether a path is relative and does not leave the folder.</summary>
    internal static bool IsInside(string path) => !path.Split('/').Any(part => part is "" or "." or "..") && !path.Contains('\0');

    /// <summary>The files under <c>work/</c> and standard input as <c>input</c>, in a tar stream.</summary>
    internal void WriteTo(Stream stream)
    {
        using var tar = new TarWriter(stream, TarEntryFormat.Pax, leaveOpen: true);
        foreach (var (path, content) in Files.OrderBy(file => file.Key, StringComparer.Ordinal))
            Add(tar, $"work/{path}", content);
        Add(tar, "input", InputBytes);
    }

    private static void Add(TarWriter tar, string path, byte[] content) => tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, path)
    {
        DataStream = new MemoryStream(content),
        Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
    });
}
