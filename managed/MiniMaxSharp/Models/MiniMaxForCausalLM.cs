using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Layers;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Models;

/// <summary>
/// A MiniMax-M1-style causal language model (arXiv 2506.13585): decoder layers of lightning or softmax attention and a
/// mixture of experts, under Hugging Face's parameter names. Immutable while it generates.
/// </summary>
public sealed class MiniMaxForCausalLM : IDisposable
{
    private readonly Parameter _embedding;
    private readonly Parameter _finalNorm;
    private readonly Parameter _lmHead;
    private readonly DecoderLayer[] _layers;
    private readonly Tensor _inverseFrequencies;
    private readonly ParameterFactory _factory;

    private MiniMaxForCausalLM(MiniMaxConfig config, Device device, ElementType type, ExpertStorage experts = ExpertStorage.AsModel)
    {
        config.Validate();
        if (type is not (ElementType.Float32 or ElementType.BFloat16))
        {
            throw new ArgumentException($"A model is stored in Float32 or BFloat16, not {type}.", nameof(type));
        }

        Config = config;
        Device = device;
        ElementType = type;
        Experts = experts;
        _factory = new ParameterFactory(device, type, experts, config.Parameters().ToDictionary(p => p.Name, p => p.Shape.ToArray()));
        _embedding = _factory.Create("model.embed_tokens.weight");
        _layers = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(i => new DecoderLayer(config, i, _factory, device))];
        _finalNorm = _factory.Create("model.norm.weight");
        _lmHead = config.TieWordEmbeddings ? _embedding : _factory.Create("lm_head.weight");
        float[] frequencies = Rope.InverseFrequencies(config.RotaryDim, config.RopeTheta);
        _inverseFrequencies = _factory.Constant(Tensor.From<float>(device, frequencies, frequencies.Length));
    }

    /// <summary>The architecture.</summary>
    public MiniMaxConfig Config { get; }

    /// <summary>Where the weights are.</summary>
    public Device Device { get; }

    /// <summary>How weights and activations are stored; routers are always in single precision.</summary>
    public ElementType ElementType { get; }

    /// <summary>How the experts' weights are stored; as int8 the model generates, but is neither trained nor saved.</summary>
    public ExpertStorage Experts { get; }

    /// <summary>All weights, embedding first.</summary>
    public IReadOnlyList<Parameter> Parameters => _factory.Parameters;

    /// <summary>Whether training keeps only each layer's input and runs the layer again on the way back.</summary>
    public bool RecomputeLayers { get; set; }

    /// <summary>A model with random weights: N(0, initializer_range²), norms one. The same seed gives the same weights everywhere.</summary>
    public static MiniMaxForCausalLM Create(MiniMaxConfig config, Device device, ulong seed, ElementType type = ElementType.Float32)
    {
        ArgumentNullException.ThrowIfNull(config);
        var model = new MiniMaxForCausalLM(config, device, type);
        foreach (Parameter parameter in model.Parameters)
        {
            Initialization.Fill(parameter, (float)config.InitializerRange, seed);
        }

        return model;
    }

    /// <summary>Loads config.json and model.safetensors (or its shards) from a directory.</summary>
    /// <param name="directory">A folder in Hugging Face's layout.</param>
    /// <param name="device">Where the weights go.</param>
    /// <param name="type">How to store them; by default bfloat16 if the checkpoint's embedding is, else single.</param>
    /// <param name="experts">Whether to round the experts to int8 while loading.</param>
    /// <param name="progress">Told the share of bytes loaded.</param>
    /// <param name="cancellation">Stops loading between tensors.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing, too many, or of the wrong shape.</exception>
    public static MiniMaxForCausalLM Load(
        string directory,
        Device device,
        ElementType? type = null,
        ExpertStorage experts = ExpertStorage.AsModel,
        IProgress<float>? progress = null,
        CancellationToken cancellation = default)
    {
        MiniMaxConfig config = MiniMaxConfig.Load(directory);
        using ShardedCheckpoint checkpoint = ShardedCheckpoint.Open(directory);
        return ModelLoader.Load(checkpoint, config, stored => new MiniMaxForCausalLM(config, device, type ?? stored, experts), progress, cancellation);
    }

    /// <summary>
    /// Writes config.json and the weights, each file atomically. To replace a whole checkpoint at once, call it
    /// inside <see cref="AtomicDirectory.Replace"/>.
    /// </summary>
    public void Save(string directory, long maxShardBytes = 5L << 30) => ModelLoader.Save(this, directory, maxShardBytes);

    /// <summary>The same weights once more, in memory of their own, on this or another device.</summary>
    public MiniMaxForCausalLM CopyTo(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        var copy = new MiniMaxForCausalLM(Config, device, ElementType, Experts);
        copy.CopyFrom(this);
        return copy;
    }

    /// <summary>Takes over the weights of a model of the same parameters, memory to memory.</summary>
    /// <exception cref="ArgumentException">The models have other parameters, or store them otherwise.</exception>
    public void CopyFrom(MiniMaxForCausalLM source)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (!source.Parameters.Select(p => p.Name).SequenceEqual(Parameters.Select(p => p.Name)))
        {
            throw new ArgumentException("The models have other parameters.", nameof(source));
        }

        foreach ((Parameter to, Parameter from) in Parameters.Zip(source.Parameters))
        {
            to.Value.CopyFrom(from.Value);
            if (from.Scale is not null)
            {
                (to.Scale ?? throw new ArgumentException($"{from.Name} is stored as int8 in one of the models only.", nameof(source))).CopyFrom(from.Scale);
            }
        }
    }

    /// <summary>Final hidden states [tokens, hidden] of complete sequences.</summary>
    public Tensor Forward(PackedBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        batch.Tokens.RequireOn(Device, nameof(batch));
        return Forward(Pass(batch));
    }

    /// <summary>
    /// Final hidden states [tokens, hidden] of new tokens of cached sequences, which the cache then holds. A sequence's values do not
    /// depend on what else is in the batch.
    /// </summary>
    /// <exception cref="ArgumentException">Some sequences go on by one token, which is a step of decoding, and some do not.</exception>
    public Tensor Forward(ModelCache cache, IReadOnlyList<CachedSequence> sequences, IReadOnlyList<ReadOnlyMemory<int>> tokens)
    {
        // Decoding rounds otherwise than pieces of prompts: taken together, a sequence's values would depend on its neighbours.
        int decoding = Enumerable.Range(0, sequences.Count).Count(i => tokens[i].Length == 1 && sequences[i].Length > 0);
        if (decoding > 0 && decoding < sequences.Count)
        {
            throw new ArgumentException($"{decoding} of {sequences.Count} sequences go on by one token; run them apart from pieces of prompts.", nameof(tokens));
        }

        return Forward(cache, sequences, tokens, decoding > 0);
    }

    /// <summary>
    /// As above, told whether this is a step of decoding; a piece of a prompt may be of one token, too. See
    /// <see cref="ForwardPass.ExpertChoices"/> for the list.
    /// </summary>
    internal Tensor Forward(
        ModelCache cache,
        IReadOnlyList<CachedSequence> sequences,
        IReadOnlyList<ReadOnlyMemory<int>> tokens,
        bool decoding,
        List<Tensor>? expertChoices = null)
    {
        ArgumentNullException.ThrowIfNull(cache);
        PackedBatch batch = PackedBatch.Create(Device, tokens, [.. sequences.Select(s => s.Length)]);
        CacheStep step = cache.Step(sequences, [.. tokens.Select(t => t.Length)], decoding);
        return Forward(Pass(batch) with { Cache = step, ExpertChoices = expertChoices });
    }

    /// <summary>Logits [rows, vocabulary] in single precision of hidden states [rows, hidden].</summary>
    public Tensor Logits(Tensor hidden) => Linear.Apply(hidden.RequireOn(Device, nameof(hidden)), _lmHead, ElementType.Float32, fp32: true);

    /// <summary>
    /// Log-probability of each target and entropy of its distribution, both [rows] in single precision. A target of -100 gives 0.
    /// </summary>
    /// <param name="hidden">Final hidden states [rows, hidden].</param>
    /// <param name="targets">The token to score at each row, int32 [rows].</param>
    public (Tensor LogProbability, Tensor Entropy) LogProbabilities(Tensor hidden, Tensor targets) =>
        LmHead.Apply(hidden.RequireOn(Device, nameof(hidden)), _lmHead, targets.RequireOn(Device, nameof(targets)).Require(nameof(targets), hidden.Shape[0]));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Parameter parameter in _factory.Parameters)
        {
            parameter.Dispose();
        }

        foreach (Tensor constant in _factory.Constants)
        {
            constant.Dispose();
        }
    }

    /// <summary>A pass whose parts a caller wants to see or to set.</summary>
    internal ForwardPass Pass(PackedBatch batch) => new(batch, _inverseFrequencies);

    internal Tensor Forward(ForwardPass pass)
    {
        if (Experts == ExpertStorage.Int8 && Device.CurrentTape is not null)
        {
            throw new InvalidOperationException("A model with int8 experts cannot be trained: load it without ExpertStorage.Int8.");
        }

        Tensor x = Embedding.Apply(pass.Batch.Tokens, _embedding);
        foreach (DecoderLayer layer in _layers)
        {
            x = RecomputeLayers && Device.CurrentTape is not null ? Recompute(layer, x, pass) : layer.Forward(x, pass);
        }

        Tensor y = RmsNorm.Apply(x, _finalNorm, (float)Config.RmsNormEps);
        pass.Observe?.Invoke("final_norm", y);
        return y;
    }

    private static Tensor Recompute(DecoderLayer layer, Tensor x, ForwardPass pass)
    {
        Tensor[] outputs = Recomputed.Apply(x, input =>
        {
            ForwardPass inner = pass with { RouterLogits = [], Observe = null, ExpertChoices = null };
            Tensor y = layer.Forward(input, inner);
            return [y, .. inner.RouterLogits];
        });
        pass.RouterLogits.AddRange(outputs[1..]);
        return outputs[0];
    }
}
