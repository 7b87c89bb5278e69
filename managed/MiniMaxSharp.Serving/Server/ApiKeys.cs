using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace MiniMaxSharp.Serving.Server;

/// <summary>Keys kept as digests and compared in a time that tells nothing of how much of a key, or which one, was right.</summary>
internal sealed class ApiKeys(IReadOnlyList<string> keys)
{
    private const string Scheme = "Bearer ";
    private readonly byte[][] _digests = [.. keys.Select(Digest)];

    public bool Accept(HttpRequest request)
    {
        if (_digests.Length == 0)
        {
            return true;
        }

        string header = request.Headers.Authorization.ToString();
        byte[] shown = Digest(header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? header[Scheme.Length..].Trim() : "");
        bool found = false;
        foreach (byte[] digest in _digests)
        {
            // No early end: every key is compared.
            found |= CryptographicOperations.FixedTimeEquals(shown, digest);
        }

        return found;
    }

    private static byte[] Digest(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
