using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace MiniMaxSharp.Serving.Server;

/// <summary>The page to chat at <c>/</c>: four embedded files, and a policy that lets nothing else in.</summary>
internal static class Page
{
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

    public static void Map(IEndpointRouteBuilder endpoints)
    {
        foreach ((string path, string file, string type) in new[]
        {
            ("/", "chat.html", "text/html; charset=utf-8"),
            ("/chat.js", "chat.js", "text/javascript; charset=utf-8"),
            ("/chat.css", "chat.css", "text/css; charset=utf-8"),
            ("/icon.svg", "icon.svg", "image/svg+xml"),
        })
        {
            byte[] content = Read(file);
            endpoints.MapGet(path, (RequestDelegate)(context =>
            {
                IHeaderDictionary headers = context.Response.Headers;
                headers.ContentSecurityPolicy = Policy;
                headers.XContentTypeOptions = "nosniff";
                headers["Referrer-Policy"] = "no-referrer";
                headers.CacheControl = "no-cache";
                context.Response.ContentType = type;
                context.Response.ContentLength = content.Length;
                return context.Response.Body.WriteAsync(content, context.RequestAborted).AsTask();
            }));
        }
    }

    private static byte[] Read(string file)
    {
        using Stream stream = typeof(Page).Assembly.GetManifestResourceStream(file)!;
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        return content;
    }
}
