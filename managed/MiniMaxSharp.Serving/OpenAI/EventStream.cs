using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace MiniMaxSharp.Serving.OpenAI;

/// <summary>Server-sent events: one JSON text each, the last one <c>[DONE]</c>. Sending waits for a slow reader; the engine does not.</summary>
internal sealed class EventStream
{
    private readonly HttpResponse _response;

    private EventStream(HttpResponse response) => _response = response;

    public static EventStream Start(HttpContext context)
    {
        HttpResponse response = context.Response;
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-store";
        // Proxies are asked not to wait for more.
        response.Headers["X-Accel-Buffering"] = "no";
        return new EventStream(response);
    }

    public async ValueTask SendAsync<T>(T value, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        Write("data: "u8);
        Write(JsonSerializer.SerializeToUtf8Bytes(value, type));
        Write("\n\n"u8);
        await _response.BodyWriter.FlushAsync(cancellation).ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
    }

    public async ValueTask DoneAsync(CancellationToken cancellation)
    {
        Write("data: [DONE]\n\n"u8);
        await _response.BodyWriter.FlushAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>The only way to tell an error once the answer has begun.</summary>
    public static ValueTask FailAsync(HttpContext context, ErrorBody error, CancellationToken cancellation) =>
        new EventStream(context.Response).SendAsync(error, ApiJson.Default.ErrorBody, cancellation);

    private void Write(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_response.BodyWriter.GetSpan(bytes.Length));
        _response.BodyWriter.Advance(bytes.Length);
    }
}
