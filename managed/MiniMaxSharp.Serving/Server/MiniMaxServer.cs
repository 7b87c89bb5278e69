using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MiniMaxSharp.Serving.OpenAI;

namespace MiniMaxSharp.Serving.Server;

/// <summary>A web server that does nothing but serve one model. It takes no configuration but what is given here.</summary>
internal static class MiniMaxServer
{
    /// <summary>A server that is yet to start; it owns the model.</summary>
    /// <exception cref="ArgumentException">A URL or an option makes no sense.</exception>
    public static WebApplication Build(ServedModel model, string url, ServerOptions options)
    {
        options.Validate();
        bool loopback = IsLoopback(url);
        // Empty: neither an appsettings.json in the current folder nor ASPNETCORE_URLS decides who can reach the model.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddSimpleConsole(console => console.SingleLine = true).SetMinimumLevel(LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Information);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(_ => model);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.StopTimeout);
        builder.WebHost.UseKestrelCore().UseUrls(url);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = options.MaxConnections;
            kestrel.Limits.MaxRequestBodySize = options.MaxRequestBytes;
            // A reader that takes less than this has gone away or means harm.
            kestrel.Limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(10));
        });
        WebApplication app = builder.Build();
        if (loopback && options.ApiKeys.Count == 0)
        {
            app.Use(LocalNamesOnly);
        }

        app.UseRouting();
        app.MapMiniMax(options);
        return app;
    }

    /// <summary>Whether only this machine can reach a URL.</summary>
    /// <exception cref="ArgumentException">It is not of the form http://ADDRESS:PORT.</exception>
    public static bool IsLoopback(string url)
    {
        BindingAddress address;
        try
        {
            address = BindingAddress.Parse(url);
        }
        catch (FormatException)
        {
            throw new ArgumentException($"'{url}' is not of the form http://ADDRESS:PORT.", nameof(url));
        }

        if (address.Scheme != "http" || address.PathBase.Length > 0)
        {
            throw new ArgumentException($"'{url}' is not of the form http://ADDRESS:PORT; for https put a proxy in front.", nameof(url));
        }

        return IsLocalName(address.Host);
    }

    // A page of another site can make a browser call a name of its own that resolves to this machine; its Host gives it away.
    private static Task LocalNamesOnly(HttpContext context, RequestDelegate next) =>
        IsLocalName(context.Request.Host.Host)
            ? next(context)
            : Wire.WriteAsync(
                context, 403, new ApiException(403, $"The host '{context.Request.Host}' is not this machine; without an API key only local names are served.").Body,
                ApiJson.Default.ErrorBody, context.RequestAborted);

    private static bool IsLocalName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? ip) && IPAddress.IsLoopback(ip));
}
