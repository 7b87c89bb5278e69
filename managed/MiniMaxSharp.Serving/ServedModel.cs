using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Serving;

/// <summary>A checkpoint that answers many callers at a time: weights, tokenizer, engine, and what is measured of them.</summary>
public sealed class ServedModel : IAsyncDisposable, IDisposable
{
    private readonly Device _device;
    private readonly MiniMaxForCausalLM _model;

    private ServedModel(string id, Device device, MiniMaxForCausalLM model, Tokenizer tokenizer, ServingOptions options)
    {
        Id = id;
        Options = options;
        Tokenizer = tokenizer;
        Template = tokenizer.ChatTemplate ?? ChatTemplate.MiniMaxM1;
        Created = DateTimeOffset.UtcNow;
        StopTokens = [.. model.Config.EosTokenIds.Concat(new[] { tokenizer.EosTokenId, tokenizer.TokenToId(ChatTemplate.EndOfSentence) }.OfType<int>()).Distinct()];
        _device = device;
        _model = model;
        Engine = new GenerationEngine(model, options.Engine, tokenizer);
        Telemetry = new Telemetry(this);
    }

    /// <summary>The name that clients use.</summary>
    public string Id { get; }

    /// <summary>As given when it was loaded.</summary>
    public ServingOptions Options { get; }

    /// <summary>What generates.</summary>
    public GenerationEngine Engine { get; }

    /// <summary>The checkpoint's.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>When it was loaded.</summary>
    public DateTimeOffset Created { get; }

    internal ChatTemplate Template { get; }

    internal Telemetry Telemetry { get; }

    // Those of the configuration, and what ends a turn in the chat format.
    internal IReadOnlyList<int> StopTokens { get; }

    internal long Context => _model.Config.MaxPositionEmbeddings;

    internal int VocabularySize => _model.Config.VocabSize;

    /// <summary>Loads a checkpoint's folder: weights, configuration, tokenizer.</summary>
    /// <param name="directory">In Hugging Face's layout.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="progress">Told the share of the weights that is loaded.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <exception cref="IOException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, or the tokenizer has more tokens than the model.</exception>
    public static ServedModel Load(
        string directory, ServingOptions? options = null, IProgress<float>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        options ??= new ServingOptions();
        options.Validate();
        Tokenizer tokenizer = Tokenizer.Load(directory);
        Device device = Device.Open(options.Device, options.Warning);
        MiniMaxForCausalLM? model = null;
        try
        {
            model = MiniMaxForCausalLM.Load(directory, device, progress: progress, experts: options.Experts, cancellation: cancellation);
            if (tokenizer.VocabularySize > model.Config.VocabSize)
            {
                throw new InvalidDataException($"{directory}: the tokenizer has {tokenizer.VocabularySize} tokens, the model only {model.Config.VocabSize}.");
            }

            string name = new DirectoryInfo(Path.GetFullPath(directory)).Name;
            return new ServedModel(options.ModelId ?? name, device, model, tokenizer, options);
        }
        catch
        {
            model?.Dispose();
            device.Dispose();
            throw;
        }
    }

    /// <summary>Ends what runs and frees the memory.</summary>
    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync().ConfigureAwait(false);
        Telemetry.Dispose();
        _model.Dispose();
        _device.Dispose();
    }

    /// <inheritdoc cref="DisposeAsync"/>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();
}
