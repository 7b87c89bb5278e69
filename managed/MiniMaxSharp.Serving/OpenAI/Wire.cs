using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace MiniMaxSharp.Serving.OpenAI;

/// <summary>Bodies in and out, and tokens as clients see them.</summary>
internal static class Wire
{
    /// <summary>The request's JSON.</summary>
    /// <exception cref="ApiException">It is not JSON, or not of the type; the message has the path.</exception>
    public static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type, CancellationToken cancellation)
        where T : class
    {
        // Also keeps other sites' pages out: they may send a form or plain text unasked, but not this.
        if (!context.Request.HasJsonContentType())
        {
            throw new ApiException(415, "The request's Content-Type should be application/json.");
        }

        try
        {
            return await JsonSerializer.DeserializeAsync(context.Request.Body, type, cancellation).ConfigureAwait(false)
                ?? throw ApiException.BadRequest("The request's body should be a JSON object.");
        }
        catch (JsonException error)
        {
            string? path = error.Path is { Length: > 2 } p && p.StartsWith("$.", StringComparison.Ordinal) ? p[2..] : null;
            throw ApiException.BadRequest($"The request's body is not what it should be: {error.Message}", path, "invalid_json");
        }
        catch (Exception error) when (error is InvalidOperationException or FormatException)
        {
            // Half a surrogate pair, or a number beyond an integer.
            throw ApiException.BadRequest($"The request's body is not what it should be: {error.Message}", code: "invalid_json");
        }
    }

    public static async Task WriteAsync<T>(HttpContext context, int status, T value, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(value, type);
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=utf-8";
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, cancellation).ConfigureAwait(false);
    }

    public static void CheckModel(ServedModel model, string? name)
    {
        if (name is not null && name != model.Id)
        {
            throw new ApiException(404, $"There is no model '{name}'; '{model.Id}' is served.", "model", "model_not_found");
        }
    }

    // A model may have rows that no token uses.
    public static ReadOnlySpan<byte> TokenBytes(ServedModel model, int token) =>
        model.Tokenizer.IdToToken(token) is null ? [] : model.Tokenizer.TokenBytes(token);

    public static string TokenText(ServedModel model, int token) => System.Text.Encoding.UTF8.GetString(TokenBytes(model, token));
}
