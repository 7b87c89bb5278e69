namespace MiniMaxSharp.Serving;

/// <summary>What the HTTP interface lets through.</summary>
public sealed record ServerOptions
{
    /// <summary>Keys of which a client must show one (<c>Authorization: Bearer KEY</c>); none: everybody may.</summary>
    public IReadOnlyList<string> ApiKeys { get; init; } = [];

    /// <summary>Requests being answered at a time; more are told to try again (429).</summary>
    public int MaxRequests { get; init; } = 256;

    /// <summary>Connections at a time; more are closed at once.</summary>
    public int MaxConnections { get; init; } = 8192;

    /// <summary>Bytes of a request's body at most (413).</summary>
    public long MaxRequestBytes { get; init; } = 4L << 20;

    /// <summary>The longest that an answer may take, waiting included (504, or an error event in a stream).</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a stop waits for running answers.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Throws on a value that makes no sense, naming it.</summary>
    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxRequests, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxConnections, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxRequestBytes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(Timeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(StopTimeout, TimeSpan.Zero);
        foreach (string key in ApiKeys)
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(key, nameof(ApiKeys));
        }
    }
}
