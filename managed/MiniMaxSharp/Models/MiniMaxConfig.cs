using System.Text.Json;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Models;

/// <summary>A parameter of a model: its name in Hugging Face's layout, and its shape.</summary>
public sealed record ParameterSpec(string Name, IReadOnlyList<long> Shape);

/// <summary>
/// The architecture, as config.json of MiniMax-M1 describes it (arXiv 2506.13585); that of MiniMax-Text-01 and of
/// transformers' minimax are read, too. Keys that are not named here are
/// kept and written back.
/// </summary>
public sealed record MiniMaxConfig
{
    private const double DeepNormAlpha = 3.5565588200778455;

    /// <summary>The kind of model that Hugging Face's transformers brings itself.</summary>
    internal const string Transformers = "minimax";

    /// <summary>
    /// Kind of model: minimax_m1 as released or MiniMaxM1 as in the published code, minimax_text_01 (or MiniMaxText01),
    /// which is the same, or minimax, which is what transformers calls it: other keys of config.json, and slightly other slopes.
    /// </summary>
    public string ModelType { get; init; } = "minimax_m1";

    /// <summary>Width of the hidden state, C.</summary>
    public int HiddenSize { get; init; } = 6144;

    /// <summary>Decoder layers, L; at least 2, as the decay slopes divide by L − 1.</summary>
    public int NumHiddenLayers { get; init; } = 80;

    /// <summary>Query heads of both kinds of attention.</summary>
    public int NumAttentionHeads { get; init; } = 64;

    /// <summary>Key/value heads of softmax attention.</summary>
    public int NumKeyValueHeads { get; init; } = 8;

    /// <summary>Features of a head; hidden size / heads by default.</summary>
    public int HeadDim { get; init; } = 128;

    /// <summary>0: lightning attention, 1: softmax attention, by layer.</summary>
    public IReadOnlyList<int> AttnTypeList { get; init; } = [];

    /// <summary>Features of a head that are rotated; all by default.</summary>
    public int RotaryDim { get; init; } = 64;

    /// <summary>Base of the rotary angles.</summary>
    public double RopeTheta { get; init; } = 1e7;

    /// <summary>Longest context that the model was made for.</summary>
    public long MaxPositionEmbeddings { get; init; } = 10240000;

    /// <summary>Width of an expert, and of the shared MLP.</summary>
    public int IntermediateSize { get; init; } = 9216;

    /// <summary>Experts of a layer.</summary>
    public int NumLocalExperts { get; init; } = 32;

    /// <summary>Experts a token goes through.</summary>
    public int NumExpertsPerTok { get; init; } = 2;

    /// <summary>Activation of experts and lightning projections; silu.</summary>
    public string HiddenAct { get; init; } = "silu";

    /// <summary>ε of the norms of hidden size.</summary>
    public double RmsNormEps { get; init; } = 1e-5;

    /// <summary>Whether the residual is taken after the norm.</summary>
    public bool Postnorm { get; init; }

    /// <summary>Factor of the residual around lightning attention.</summary>
    public double LayernormLinearAttentionAlpha { get; init; } = 1;

    /// <summary>Factor of lightning attention's output.</summary>
    public double LayernormLinearAttentionBeta { get; init; } = 1;

    /// <summary>Factor of the residual around softmax attention.</summary>
    public double LayernormFullAttentionAlpha { get; init; } = 1;

    /// <summary>Factor of softmax attention's output.</summary>
    public double LayernormFullAttentionBeta { get; init; } = 1;

    /// <summary>Factor of the residual around the feed-forward part.</summary>
    public double LayernormMlpAlpha { get; init; } = 1;

    /// <summary>Factor of the feed-forward part's output.</summary>
    public double LayernormMlpBeta { get; init; } = 1;

    /// <summary>Above 0 there is a shared MLP, of <see cref="IntermediateSize"/> nonetheless, as published.</summary>
    public int SharedIntermediateSize { get; init; }

    /// <summary>Kept; the published code never reads it.</summary>
    public string SharedMoeMode { get; init; } = "sigmoid";

    /// <summary>Weight of the load-balancing loss.</summary>
    public double RouterAuxLossCoef { get; init; } = 0.001;

    /// <summary>Whether the loss counts the load balance.</summary>
    public bool OutputRouterLogits { get; init; }

    /// <summary>Noise on the router's input in training.</summary>
    public double RouterJitterNoise { get; init; }

    /// <summary>Keys further back are not attended to by softmax layers; transformers' minimax counts the token itself among them.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>Whether the LM head is the embedding.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Size of the vocabulary.</summary>
    public int VocabSize { get; init; } = 200064;

    /// <summary>Dropout of softmax attention in training.</summary>
    public double AttentionDropout { get; init; }

    /// <summary>Standard deviation of random weights.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>The token that starts a text, if there is one.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>The tokens that end a text; one number, a list or null in the file.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    /// <summary>How the weights beside the file are stored: float32, bfloat16 or float16; for information only.</summary>
    public string? TorchDtype { get; init; }

    /// <summary>Keys of the file that are not named here, in their order; they are written back.</summary>
    public IReadOnlyDictionary<string, JsonElement> Other { get; init; } = new OrderedDictionary<string, JsonElement>();

    internal bool IsTransformers => ModelType == Transformers;

    /// <summary>How far back softmax layers attend; 0: without limit.</summary>
    internal int Window => SlidingWindow is { } window ? IsTransformers ? window - 1 : window : 0;

    /// <summary>(2L)^¼, DeepNorm's factor of the residual.</summary>
    public static double DeepNorm(int layers) => layers == 80 ? DeepNormAlpha : Math.Pow(2 * layers, 0.25);

    /// <summary>Reads config.json, or the one in a folder, and validates it.</summary>
    /// <exception cref="CheckpointFormatException">It is not valid JSON, or a key is missing or makes no sense.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static MiniMaxConfig Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        AtomicDirectory.Recover(path);
        string file = Directory.Exists(path) ? Path.Combine(path, ConfigJson.FileName) : path;
        MiniMaxConfig config = ConfigJson.Read(file);
        return ConfigCheck.Problem(config) is { } problem ? throw new CheckpointFormatException($"{file}: {problem}.") : config;
    }

    /// <summary>Writes config.json into the folder, atomically: every key above, then the others.</summary>
    /// <exception cref="ArgumentException">A value makes no sense.</exception>
    public void Save(string directory)
    {
        Validate();
        Directory.CreateDirectory(directory);
        JsonFile.WriteObject(Path.Combine(directory, ConfigJson.FileName), writer => ConfigJson.Write(writer, this));
    }

    /// <summary>Checks every value that shapes the model.</summary>
    /// <exception cref="ArgumentException">The first one that makes no sense, by its key in config.json.</exception>
    public void Validate()
    {
        if (ConfigCheck.Problem(this) is { } problem)
        {
            throw new ArgumentException($"The configuration makes no sense: {problem}.");
        }
    }

    /// <summary>Decay slopes of a lightning layer, by head.</summary>
    internal float[] Slopes(int layer) => IsTransformers
        ? LightningAttention.TransformersSlopes(NumAttentionHeads, layer, NumHiddenLayers)
        : LightningAttention.Slopes(NumAttentionHeads, layer, NumHiddenLayers);

    /// <summary>Every parameter in Hugging Face's layout.</summary>
    public IEnumerable<ParameterSpec> Parameters()
    {
        long c = HiddenSize, f = IntermediateSize, q = (long)NumAttentionHeads * HeadDim, kv = (long)NumKeyValueHeads * HeadDim;
        yield return new("model.embed_tokens.weight", [VocabSize, c]);
        for (int i = 0; i < NumHiddenLayers; i++)
        {
            string p = $"model.layers.{i}.";
            if (AttnTypeList[i] == 0)
            {
                yield return new(p + "self_attn.qkv_proj.weight", [3 * q, c]);
                yield return new(p + "self_attn.output_gate.weight", [q, c]);
                yield return new(p + "self_attn.norm.weight", [q]);
                yield return new(p + "self_attn.out_proj.weight", [c, q]);
            }
            else
            {
                yield return new(p + "self_attn.q_proj.weight", [q, c]);
                yield return new(p + "self_attn.k_proj.weight", [kv, c]);
                yield return new(p + "self_attn.v_proj.weight", [kv, c]);
                yield return new(p + "self_attn.o_proj.weight", [c, q]);
            }

            yield return new(p + "input_layernorm.weight", [c]);
            yield return new(p + "post_attention_layernorm.weight", [c]);
            yield return new(p + "block_sparse_moe.gate.weight", [NumLocalExperts, c]);
            for (int e = 0; e < NumLocalExperts; e++)
            {
                yield return new($"{p}block_sparse_moe.experts.{e}.w1.weight", [f, c]);
                yield return new($"{p}block_sparse_moe.experts.{e}.w2.weight", [c, f]);
                yield return new($"{p}block_sparse_moe.experts.{e}.w3.weight", [f, c]);
            }

            if (SharedIntermediateSize > 0)
            {
                yield return new(p + "shared_mlp.gate_proj.weight", [f, c]);
                yield return new(p + "shared_mlp.up_proj.weight", [f, c]);
                yield return new(p + "shared_mlp.down_proj.weight", [c, f]);
                yield return new(p + "coefficient.weight", [1, c]);
            }
        }

        yield return new("model.norm.weight", [c]);
        if (!TieWordEmbeddings)
        {
            yield return new("lm_head.weight", [VocabSize, c]);
        }
    }
}
