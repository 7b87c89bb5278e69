using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;

namespace MiniMaxSharp.Serving;

/// <summary>How a model is served, whatever the interface.</summary>
public sealed record ServingOptions
{
    /// <summary>The name that clients use; null: the name of the checkpoint's folder.</summary>
    public string? ModelId { get; init; }

    /// <summary>Where the model runs: cpu, cuda, cuda:1 (the second GPU), or auto, a GPU if there is one.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Told why auto is the CPU; null: the application's log, where there is one.</summary>
    public Action<string>? Warning { get; init; }

    /// <summary>How the experts are kept.</summary>
    public ExpertStorage Experts { get; init; }

    /// <summary>Memory and batch sizes.</summary>
    public EngineOptions Engine { get; init; } = new();

    /// <summary>What holds where a request does not say otherwise. The temperature and top-p are those MiniMax recommends for M1.</summary>
    /// <remarks><see cref="GenerationOptions.MaxNewTokens"/> gives way to what context and cache leave, if a request does not ask for a number.</remarks>
    public GenerationOptions Defaults { get; init; } = new() { Temperature = 1, TopP = 0.95f, MaxNewTokens = 4096 };

    /// <summary>Throws on a value that makes no sense, naming it.</summary>
    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    public void Validate()
    {
        ArgumentException.ThrowIfNullOrEmpty(Device, nameof(Device));
        Engine.Validate();
        Defaults.Validate();
        if (ModelId is { } id)
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(id, nameof(ModelId));
        }
    }
}
