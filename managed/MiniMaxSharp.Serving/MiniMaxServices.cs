using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MiniMaxSharp.Serving;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registration of a served model.</summary>
public static partial class MiniMaxServices
{
    /// <summary>
    /// Adds a checkpoint as <see cref="ServedModel"/> and <see cref="IChatClient"/>, loaded when one of them is first asked for and
    /// freed with the container.
    /// </summary>
    /// <param name="services">The application's.</param>
    /// <param name="directory">In Hugging Face's layout.</param>
    /// <param name="options">Checked here.</param>
    public static IServiceCollection AddMiniMax(this IServiceCollection services, string directory, ServingOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        options?.Validate();
        return services
            .AddSingleton(provider => ServedModel.Load(directory, Logging(options ?? new ServingOptions(), provider)))
            .AddSingleton<IChatClient>(provider => new MiniMaxChatClient(provider.GetRequiredService<ServedModel>()));
    }

    private static ServingOptions Logging(ServingOptions options, IServiceProvider provider) =>
        options.Warning is null && provider.GetService<ILoggerFactory>()?.CreateLogger("MiniMaxSharp.Serving") is { } logger
            ? options with { Warning = text => Warn(logger, text) }
            : options;

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Text}")]
    private static partial void Warn(ILogger logger, string text);
}
