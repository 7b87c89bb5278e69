using System.Text;

namespace MiniMaxSharp.Environments;

/// <summary>Files embedded in this assembly.</summary>
internal static class Resources
{
    internal static IEnumerable<string> Names => typeof(Resources).Assembly.GetManifestResourceNames().Order(StringComparer.Ordinal);

    internal static string Text(string name)
    {
        using var reader = new StreamReader(typeof(Resources).Assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
