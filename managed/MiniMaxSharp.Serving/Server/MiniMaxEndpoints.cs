using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MiniMaxSharp.Serving;
using MiniMaxSharp.Serving.OpenAI;
using MiniMaxSharp.Serving.Server;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The HTTP interface of a served model.</summary>
public static class MiniMaxEndpoints
{
    /// <summary>
    /// Maps OpenAI's <c>/v1/chat/completions</c>, <c>/v1/completions</c> and <c>/v1/models</c>, and <c>/health</c>, <c>/metrics</c> and a
    /// page to chat at <c>/</c>, for the model of <see cref="MiniMaxServices.AddMiniMax"/>. It is loaded now.
    /// </summary>
    /// <param name="endpoints">The application.</param>
    /// <param name="options">Checked here. The limit of connections is the web server's and has no effect in an application of one's own.</param>
    public static IEndpointRouteBuilder MapMiniMax(this IEndpointRouteBuilder endpoints, ServerOptions? options = null)
    {
        options ??= new ServerOptions();
        options.Validate();
        IServiceProvider services = endpoints.ServiceProvider;
        ServedModel model = services.GetRequiredService<ServedModel>();
        IHostApplicationLifetime lifetime = services.GetRequiredService<IHostApplicationLifetime>();
        var gate = new Gate(options, new ApiKeys(options.ApiKeys), lifetime.ApplicationStopping, services.GetRequiredService<ILoggerFactory>().CreateLogger("MiniMaxSharp.Serving"));
        var metrics = new PrometheusText(meter => meter == model.Telemetry.Meter);
        lifetime.ApplicationStopped.Register(metrics.Dispose);

        endpoints.MapPost("/v1/chat/completions", gate.Limited((context, cancellation) => ChatCompletions.HandleAsync(model, context, cancellation)));
        endpoints.MapPost("/v1/completions", gate.Limited((context, cancellation) => Completions.HandleAsync(model, context, cancellation)));
        var card = new ModelCard(model.Id, "model", model.Created.ToUnixTimeSeconds(), "minimaxsharp", model.Context);
        endpoints.MapGet("/v1/models", gate.Open((context, cancellation) =>
            Wire.WriteAsync(context, 200, new ModelList("list", [card]), ApiJson.Default.ModelList, cancellation)));
        endpoints.MapGet("/v1/models/{id}", gate.Open((context, cancellation) =>
        {
            Wire.CheckModel(model, (string?)context.Request.RouteValues["id"]);
            return Wire.WriteAsync(context, 200, card, ApiJson.Default.ModelCard, cancellation);
        }));
        endpoints.Map("/v1/{**rest}", gate.Open((context, _) =>
            throw new ApiException(404, $"There is no {context.Request.Method} {context.Request.Path}.", code: "unknown_url")));
        endpoints.MapGet("/metrics", gate.Open((context, cancellation) =>
        {
            context.Response.ContentType = PrometheusText.ContentType;
            return context.Response.WriteAsync(metrics.Write(), cancellation);
        }));
        endpoints.MapGet("/health", (RequestDelegate)(context =>
        {
            bool stopping = lifetime.ApplicationStopping.IsCancellationRequested;
            var status = model.Engine.Status;
            return Wire.WriteAsync(
                context, stopping ? 503 : 200, new Health(stopping ? "stopping" : "ok", model.Id, status.Running, status.Waiting), ApiJson.Default.Health, context.RequestAborted);
        }));
        Page.Map(endpoints);
        return endpoints;
    }
}
