using System.Globalization;

namespace MiniMaxSharp.Environments;

/// <summary>The processes of a sandbox as the host sees them, from one pass over <c>/proc</c>.</summary>
internal sealed class ProcessTree
{
    private const int Parent = 1;
    private const int ResidentPages = 21;
    private readonly ILookup<int, (int Id, long Bytes)> _children;

    private ProcessTree(ILookup<int, (int, long)> children) => _children = children;

    internal static ProcessTree Read() => new(
        Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0)
            .Where(id => id > 0)
            .Select(id => (Id: id, Fields: Fields(id)))
            .Where(process => process.Fields.Length > ResidentPages)
            .ToLookup(
                process => int.Parse(process.Fields[Parent], CultureInfo.InvariantCulture),
                process => (process.Id, long.Parse(process.Fields[ResidentPages], CultureInfo.InvariantCulture) * Environment.SystemPageSize)));

    internal IEnumerable<int> ChildrenOf(int id) => _children[id].Select(child => child.Id);

    /// <summary>
    /// Whether the processes below this one use more memory than <paramref name="limit"/>: a page that several map counted once,
    /// and files without a name, which need not be mapped, for each process that holds them open.
    /// </summary>
    internal bool Exceeds(int id, long limit)
    {
        var processes = Below(id).ToArray();
        var rest = limit - processes.Sum(process => NamelessBytes(process.Id));
        return processes.Sum(process => process.Bytes) > rest && processes.Sum(process => ProportionalBytes(process.Id)) > rest;
    }

    private IEnumerable<(int Id, long Bytes)> Below(int id) => _children[id].SelectMany(child => Below(child.Id).Prepend(child));

    /// <summary>The fields of <c>/proc/ID/stat</c> after the name, which may itself hold spaces and parentheses.</summary>
    private static string[] Fields(int id)
    {
        var text = ReadOrNothing($"/proc/{id}/stat");
        return text[(text.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }

    private static long ProportionalBytes(int id)
    {
        var line = ReadOrNothing($"/proc/{id}/smaps_rollup").Split('\n').FirstOrDefault(line => line.StartsWith("Pss:", StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }

    /// <summary>What a process holds in files of <c>memfd_create</c>.</summary>
    private static long NamelessBytes(int id)
    {
        try
        {
            return new DirectoryInfo($"/proc/{id}/fd").EnumerateFileSystemInfos()
                .Where(file => file.LinkTarget?.StartsWith("/memfd:", StringComparison.Ordinal) == true)
                .Sum(file => Length(file.FullName));
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            // It has ended meanwhile, or is still unshare itself, about to become the shell.
            return 0;
        }
    }

    private static long Length(string path)
    {
        using var file = File.OpenHandle(path);
        return RandomAccess.GetLength(file);
    }

    /// <summary>A file of a process; nothing if the process has ended meanwhile.</summary>
    private static string ReadOrNothing(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return "";
        }
    }
}
