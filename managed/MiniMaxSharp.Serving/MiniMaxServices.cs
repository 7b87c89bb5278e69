using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using MiniMaxSharp.Serving;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registration of a served model.</summary>
public static class MiniMaxServices
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
            .AddSingleton(_ => ServedModel.Load(directory, options))
            .AddSingleton<IChatClient>(provider => new MiniMaxChatClient(provider.GetRequiredService<ServedModel>()));
    }
}
