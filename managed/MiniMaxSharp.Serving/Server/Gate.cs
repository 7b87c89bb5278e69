using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using MiniMaxSharp.Serving.OpenAI;

namespace MiniMaxSharp.Serving.Server;

/// <summary>What stands between a client and an answer: keys, limits, and that every error is one that the client can read.</summary>
internal sealed partial class Gate(ServerOptions options, ApiKeys keys, CancellationToken stopping, ILogger logger)
{
    private int _running;

    /// <summary>A handler for whoever has a key.</summary>
    public RequestDelegate Open(Func<HttpContext, CancellationToken, Task> handler) => context => GuardAsync(context, handler, context.RequestAborted);

    /// <summary>A handler of requests that take a while: so many at a time, each for so long.</summary>
    public RequestDelegate Limited(Func<HttpContext, CancellationToken, Task> handler) => context => GuardAsync(
        context,
        async (context, aborted) =>
        {
            if (stopping.IsCancellationRequested)
            {
                throw new ApiException(503, "The server is stopping.", code: "stopping") { RetryAfter = 10 };
            }

            if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            {
                size.MaxRequestBodySize = options.MaxRequestBytes;
            }

            try
            {
                if (Interlocked.Increment(ref _running) > options.MaxRequests)
                {
                    throw new ApiException(429, $"{options.MaxRequests} requests are being answered; try again later.", code: "too_many_requests") { RetryAfter = 1 };
                }

                using var limit = CancellationTokenSource.CreateLinkedTokenSource(aborted);
                limit.CancelAfter(options.Timeout);
                await handler(context, limit.Token).ConfigureAwait(false);
            }
            finally
            {
                Interlocked.Decrement(ref _running);
            }
        },
        context.RequestAborted);

    private async Task GuardAsync(HttpContext context, Func<HttpContext, CancellationToken, Task> handler, CancellationToken aborted)
    {
        ApiException failure;
        try
        {
            if (!keys.Accept(context.Request))
            {
                context.Response.Headers.WWWAuthenticate = "Bearer";
                throw new ApiException(401, "The API key is missing or wrong.", code: "invalid_api_key");
            }

            await handler(context, aborted).ConfigureAwait(false);
            return;
        }
        catch (Exception) when (aborted.IsCancellationRequested)
        {
            // The client is gone: there is nobody to tell.
            return;
        }
        catch (ApiException error)
        {
            failure = error;
        }
        catch (BadHttpRequestException error)
        {
            failure = new ApiException(error.StatusCode, error.StatusCode == 413 ? $"The request is larger than {options.MaxRequestBytes} bytes." : error.Message);
        }
        catch (OperationCanceledException)
        {
            failure = new ApiException(504, $"The answer took longer than {options.Timeout.TotalSeconds:0.#} seconds.", code: "timeout");
        }
        catch (ObjectDisposedException)
        {
            failure = new ApiException(503, "The server is stopping.", code: "stopping") { RetryAfter = 10 };
        }
        catch (Exception error)
        {
            Failed(logger, context.Request.Path, error);
            failure = new ApiException(500, "The server failed; its log says why.", code: "internal_error");
        }

        await TellAsync(context, failure, aborted).ConfigureAwait(false);
    }

    private static async Task TellAsync(HttpContext context, ApiException failure, CancellationToken aborted)
    {
        try
        {
            if (context.Response.HasStarted)
            {
                await EventStream.FailAsync(context, failure.Body, aborted).ConfigureAwait(false);
                return;
            }

            if (failure.RetryAfter is { } seconds)
            {
                context.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
            }

            await Wire.WriteAsync(context, failure.Status, failure.Body, ApiJson.Default.ErrorBody, aborted).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Gone meanwhile.
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Path} failed")]
    private static partial void Failed(ILogger logger, string path, Exception error);
}
