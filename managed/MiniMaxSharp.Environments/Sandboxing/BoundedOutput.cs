namespace MiniMaxSharp.Environments;

/// <summary>Reads a stream to its end, keeps what fits into the limit and says when there was more.</summary>
internal sealed class BoundedOutput
{
    private readonly TaskCompletionSource _overflow = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal BoundedOutput(Stream stream, int limit) => Content = ReadAsync(stream, limit);

    /// <summary>What fitted, once the stream has ended.</summary>
    internal Task<byte[]> Content { get; }

    /// <summary>Completes when there is more than fits.</summary>
    internal Task Overflow => _overflow.Task;

    private async Task<byte[]> ReadAsync(Stream stream, int limit)
    {
        using var kept = new MemoryStream();
        var buffer = new byte[1 << 16];
        while (await stream.ReadAsync(buffer).ConfigureAwait(false) is > 0 and var read)
        {
            var fits = (int)Math.Min(read, limit - kept.Length);
            kept.Write(buffer, 0, fits);
            if (fits < read)
                _overflow.TrySetResult();
        }
        return kept.ToArray();
    }
}
