using System.Security.Cryptography;
using System.Text;

namespace MiniMaxSharp.Generator;

/// <summary>A fingerprint of the headers, stamped into the bindings: a test compares it with the headers as they are.</summary>
public static class HeaderHash
{
    /// <summary>SHA-256 over name and content (with LF line ends) of every header in the folder, in ordinal order of names.</summary>
    public static string Of(string directory)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string file in Directory.GetFiles(directory, "*.h").Order(StringComparer.Ordinal))
        {
            string text = File.ReadAllText(file).Replace("\r\n", "\n", StringComparison.Ordinal);
            hash.AppendData(Encoding.UTF8.GetBytes($"{Path.GetFileName(file)}\n{text}"));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
