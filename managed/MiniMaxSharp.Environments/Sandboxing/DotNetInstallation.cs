namespace MiniMaxSharp.Environments;

/// <summary>The .NET that programs in the sandbox run on: that of the <c>dotnet</c> on the path.</summary>
internal static class DotNetInstallation
{
    /// <summary>Where it is seen inside.</summary>
    internal const string Inside = "/dotnet";

    /// <summary>Its folder on this machine; null if there is none.</summary>
    internal static string? Root { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Select(folder => new FileInfo(Path.Combine(folder, "dotnet")))
        .Where(program => program.Exists)
        .Select(program => Path.GetDirectoryName(program.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? program.FullName))
        .FirstOrDefault();
}
