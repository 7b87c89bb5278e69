namespace MiniMaxSharp.Environments;

/// <summary>The .NET that programs in the sandbox are built with and run on: that of the <c>dotnet</c> on the path. Inside it is <c>/dotnet</c>.</summary>
internal static class DotNetInstallation
{
    /// <summary>Its folder on this machine; null if there is none.</summary>
    internal static string? Root { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Select(folder => new FileInfo(Path.Combine(folder, "dotnet")))
        .Where(program => program.Exists)
        .Select(program => Path.GetDirectoryName(program.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? program.FullName))
        .FirstOrDefault();

    /// <summary>The version of the newest SDK.</summary>
    internal static string Sdk => Newest("sdk", "Roslyn/bincore/csc.dll");

    /// <summary>The version of the newest reference assemblies.</summary>
    internal static string References => Newest("packs/Microsoft.NETCore.App.Ref", "ref");

    /// <summary>The folder with the highest version under <paramref name="parent"/> that has <paramref name="content"/> in it.</summary>
    private static string Newest(string parent, string content)
    {
        var root = Root ?? throw new SandboxUnavailableException("there is no dotnet on the path, which C# needs");
        var folder = new DirectoryInfo(Path.Combine(root, parent));
        return (folder.Exists ? folder.GetDirectories() : [])
            .Where(version => Path.Exists(Path.Combine(version.FullName, content)))
            .Select(version => (version.Name, Number: Version.TryParse(version.Name.Split('-')[0], out var number) ? number : new Version()))
            .OrderBy(version => version.Number).ThenBy(version => version.Name, StringComparer.Ordinal)
            .Select(version => version.Name)
            .LastOrDefault() ?? throw new SandboxUnavailableException($"{folder.FullName} has no version with {content}: an SDK of .NET is needed for C#");
    }
}
