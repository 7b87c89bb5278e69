using System.Text.Json;
using MiniMaxSharp.Checkpoints;

namespace MiniMaxSharp.Models;

/// <summary>
/// config.json in and out. A key that is missing or null takes its default, where it has one. Transformers' minimax has
/// layer_types for attn_type_list, other names for α and β, and rope_parameters. Its released configuration says beside them
/// with how many features a head was trained to be rotated, in rotary_dim, which that class does not read: it is followed
/// here as far as heads are that wide, and otherwise whole heads are rotated.
/// </summary>
internal static class ConfigJson
{
    public const string FileName = "config.json";
    private const string Architectures = "architectures";

    public static MiniMaxConfig Read(string file)
    {
        var keys = new Keys(file, JsonFile.ReadObject(file));
        var defaults = new MiniMaxConfig();
        string type = keys.Text("model_type") ?? defaults.ModelType;
        bool transformers = type == MiniMaxConfig.Transformers;
        int hidden = keys.Int("hidden_size"), heads = keys.Int("num_attention_heads");
        int headDim = keys.OptionalInt("head_dim") ?? (heads == 0 ? 0 : hidden / heads);
        (int rotary, double theta) = transformers ? TransformersRope(keys, headDim)
            : (keys.OptionalInt("rotary_dim") ?? headDim, keys.Number("rope_theta", defaults.RopeTheta));
        return new MiniMaxConfig
        {
            ModelType = type,
            HiddenSize = hidden,
            NumHiddenLayers = keys.Int("num_hidden_layers"),
            NumAttentionHeads = heads,
            NumKeyValueHeads = transformers ? keys.OptionalInt("num_key_value_heads") ?? heads : keys.Int("num_key_value_heads"),
            HeadDim = headDim,
            AttnTypeList = transformers ? LayerTypes(keys) : keys.List("attn_type_list") ?? throw keys.Error("attn_type_list", "is missing"),
            RotaryDim = rotary,
            RopeTheta = theta,
            MaxPositionEmbeddings = keys.Long("max_position_embeddings", defaults.MaxPositionEmbeddings),
            IntermediateSize = keys.Int("intermediate_size"),
            NumLocalExperts = keys.Int("num_local_experts"),
            NumExpertsPerTok = keys.Int("num_experts_per_tok"),
            HiddenAct = keys.Text("hidden_act") ?? defaults.HiddenAct,
            RmsNormEps = keys.Number("rms_norm_eps", defaults.RmsNormEps),
            Postnorm = keys.Bool("postnorm", transformers),
            LayernormLinearAttentionAlpha = keys.Number(Factor(transformers, "linear_attention_alpha"), 1),
            LayernormLinearAttentionBeta = keys.Number(Factor(transformers, "linear_attention_beta"), 1),
            LayernormFullAttentionAlpha = keys.Number(Factor(transformers, "full_attention_alpha"), 1),
            LayernormFullAttentionBeta = keys.Number(Factor(transformers, "full_attention_beta"), 1),
            LayernormMlpAlpha = keys.Number(Factor(transformers, "mlp_alpha"), 1),
            LayernormMlpBeta = keys.Number(Factor(transformers, "mlp_beta"), 1),
            SharedIntermediateSize = keys.OptionalInt("shared_intermediate_size") ?? 0,
            SharedMoeMode = keys.Text("shared_moe_mode") ?? defaults.SharedMoeMode,
            RouterAuxLossCoef = keys.Number("router_aux_loss_coef", defaults.RouterAuxLossCoef),
            OutputRouterLogits = keys.Bool("output_router_logits", false),
            RouterJitterNoise = keys.Number("router_jitter_noise", 0),
            SlidingWindow = keys.OptionalInt("sliding_window"),
            TieWordEmbeddings = keys.Bool("tie_word_embeddings", false),
            VocabSize = keys.Int("vocab_size"),
            AttentionDropout = keys.Number("attention_dropout", 0),
            InitializerRange = keys.Number("initializer_range", defaults.InitializerRange),
            BosTokenId = keys.OptionalInt("bos_token_id"),
            EosTokenIds = keys.OneOrMore("eos_token_id"),
            TorchDtype = keys.Text("torch_dtype") ?? keys.Text("dtype"),
            Other = keys.Rest(),
        };
    }

    public static void Write(Utf8JsonWriter writer, MiniMaxConfig c)
    {
        writer.WriteString("model_type", c.ModelType);
        writer.WriteNumber("hidden_size", c.HiddenSize);
        writer.WriteNumber("num_hidden_layers", c.NumHiddenLayers);
        writer.WriteNumber("num_attention_heads", c.NumAttentionHeads);
        writer.WriteNumber("num_key_value_heads", c.NumKeyValueHeads);
        writer.WriteNumber("head_dim", c.HeadDim);
        WriteLayers(writer, c);
        writer.WriteNumber("max_position_embeddings", c.MaxPositionEmbeddings);
        writer.WriteNumber("intermediate_size", c.IntermediateSize);
        writer.WriteNumber("num_local_experts", c.NumLocalExperts);
        writer.WriteNumber("num_experts_per_tok", c.NumExpertsPerTok);
        writer.WriteString("hidden_act", c.HiddenAct);
        writer.WriteNumber("rms_norm_eps", c.RmsNormEps);
        writer.WriteBoolean("postnorm", c.Postnorm);
        writer.WriteNumber(Factor(c.IsTransformers, "linear_attention_alpha"), c.LayernormLinearAttentionAlpha);
        writer.WriteNumber(Factor(c.IsTransformers, "linear_attention_beta"), c.LayernormLinearAttentionBeta);
        writer.WriteNumber(Factor(c.IsTransformers, "full_attention_alpha"), c.LayernormFullAttentionAlpha);
        writer.WriteNumber(Factor(c.IsTransformers, "full_attention_beta"), c.LayernormFullAttentionBeta);
        writer.WriteNumber(Factor(c.IsTransformers, "mlp_alpha"), c.LayernormMlpAlpha);
        writer.WriteNumber(Factor(c.IsTransformers, "mlp_beta"), c.LayernormMlpBeta);
        writer.WriteNumber("shared_intermediate_size", c.SharedIntermediateSize);
        writer.WriteString("shared_moe_mode", c.SharedMoeMode);
        writer.WriteNumber("router_aux_loss_coef", c.RouterAuxLossCoef);
        writer.WriteBoolean("output_router_logits", c.OutputRouterLogits);
        writer.WriteNumber("router_jitter_noise", c.RouterJitterNoise);
        WriteOptional(writer, "sliding_window", c.SlidingWindow);
        writer.WriteBoolean("tie_word_embeddings", c.TieWordEmbeddings);
        writer.WriteNumber("vocab_size", c.VocabSize);
        writer.WriteNumber("attention_dropout", c.AttentionDropout);
        writer.WriteNumber("initializer_range", c.InitializerRange);
        WriteOptional(writer, "bos_token_id", c.BosTokenId);
        WriteOneOrMore(writer, "eos_token_id", c.EosTokenIds);
        if (c.TorchDtype is not null)
        {
            writer.WriteString("torch_dtype", c.TorchDtype);
        }

        foreach ((string key, JsonElement value) in c.Other)
        {
            writer.WritePropertyName(key);
            value.WriteTo(writer);
        }

        // Last, where it stays when the file is read and written again.
        if (!c.Other.ContainsKey(Architectures))
        {
            writer.WriteStartArray(Architectures);
            writer.WriteStringValue(c.IsTransformers ? "MiniMaxForCausalLM" : c.ModelType is "minimax_text_01" or "MiniMaxText01" ? "MiniMaxText01ForCausalLM" : "MiniMaxM1ForCausalLM");
            writer.WriteEndArray();
        }
    }

    /// <summary>The key of an α or β.</summary>
    public static string Factor(bool transformers, string name) => transformers
        ? $"{name.Replace("attention", "attn", StringComparison.Ordinal)}_factor"
        : $"layernorm_{name}";

    private static int[] LayerTypes(Keys keys) => keys.Texts("layer_types") is { } names
        ? Array.ConvertAll(names, name => name switch
        {
            "linear_attention" => 0,
            "full_attention" => 1,
            _ => throw keys.Error("layer_types", $"has '{name}', only 'linear_attention' and 'full_attention' are supported"),
        })
        : throw keys.Error("layer_types", "is missing");

    private static (int RotaryDim, double Theta) TransformersRope(Keys keys, int headDim)
    {
        // rope_scaling, and rope_theta on its own, are how versions before 5 had it.
        Keys? rope = keys.Section("rope_parameters"), scaling = keys.Section("rope_scaling");
        foreach (Keys? section in new[] { rope, scaling })
        {
            foreach (string key in new[] { "rope_type", "type" })
            {
                if (section?.Text(key) is { } kind and not "default")
                {
                    throw section.Error(key, $"is '{kind}', only 'default' is supported");
                }
            }
        }

        double theta = keys.Number("rope_theta", 1e6), share = rope?.Number("partial_rotary_factor", 0) ?? 0;
        int rotary = keys.OptionalInt("rotary_dim") is { } trained && trained <= headDim ? trained : headDim;
        return (share == 0 ? rotary : (int)(headDim * share + 1e-6), rope?.Number("rope_theta", theta) ?? theta);
    }

    private static void WriteLayers(Utf8JsonWriter writer, MiniMaxConfig c)
    {
        writer.WriteNumber("rotary_dim", c.RotaryDim);
        writer.WriteNumber("rope_theta", c.RopeTheta);
        if (!c.IsTransformers)
        {
            WriteList(writer, "attn_type_list", c.AttnTypeList);
            return;
        }

        writer.WriteStartArray("layer_types");
        foreach (int type in c.AttnTypeList)
        {
            writer.WriteStringValue(type == 0 ? "linear_attention" : "full_attention");
        }

        writer.WriteEndArray();
        writer.WriteStartObject("rope_parameters");
        writer.WriteString("rope_type", "default");
        writer.WriteNumber("rope_theta", c.RopeTheta);
        writer.WriteNumber("partial_rotary_factor", (double)c.RotaryDim / c.HeadDim);
        writer.WriteEndObject();
    }

    private static void WriteOptional(Utf8JsonWriter writer, string key, int? value)
    {
        writer.WritePropertyName(key);
        if (value is { } number)
        {
            writer.WriteNumberValue(number);
        }
        else
        {
            writer.WriteNullValue();
        }
    }

    private static void WriteOneOrMore(Utf8JsonWriter writer, string key, IReadOnlyList<int> values)
    {
        if (values.Count > 1)
        {
            WriteList(writer, key, values);
        }
        else
        {
            WriteOptional(writer, key, values.Count == 1 ? values[0] : null);
        }
    }

    private static void WriteList(Utf8JsonWriter writer, string key, IReadOnlyList<int> values)
    {
        writer.WriteStartArray(key);
        foreach (int value in values)
        {
            writer.WriteNumberValue(value);
        }

        writer.WriteEndArray();
    }

    /// <summary>The keys of a file; remembers which were asked for.</summary>
    private sealed class Keys(string file, JsonElement root, string prefix = "")
    {
        private readonly HashSet<string> _known = new(StringComparer.Ordinal);

        public int Int(string key) => OptionalInt(key) ?? throw Error(key, "is missing");

        public int? OptionalInt(string key) => Find(key) is { } value ? ToInt(key, value) : null;

        public long Long(string key, long otherwise)
        {
            if (Find(key) is not { } value)
            {
                return otherwise;
            }

            return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) ? number : throw Wrong(key, value, "an integer");
        }

        public double Number(string key, double otherwise)
        {
            if (Find(key) is not { } value)
            {
                return otherwise;
            }

            return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) ? number : throw Wrong(key, value, "a number");
        }

        public bool Bool(string key, bool otherwise) => Find(key) is not { } value ? otherwise : value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Wrong(key, value, "true or false"),
        };

        public string? Text(string key)
        {
            if (Find(key) is not { } value)
            {
                return null;
            }

            return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong(key, value, "a string");
        }

        public IReadOnlyList<int>? List(string key)
        {
            if (Find(key) is not { } value)
            {
                return null;
            }

            return value.ValueKind == JsonValueKind.Array
                ? [.. value.EnumerateArray().Select((element, i) => ToInt($"{key}[{i}]", element))]
                : throw Wrong(key, value, "an array");
        }

        public string[]? Texts(string key)
        {
            if (Find(key) is not { } value)
            {
                return null;
            }

            return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String)
                ? [.. value.EnumerateArray().Select(v => v.GetString()!)]
                : throw Wrong(key, value, "an array of strings");
        }

        /// <summary>An object of keys of its own; null if there is none.</summary>
        public Keys? Section(string key)
        {
            if (Find(key) is not { } value)
            {
                return null;
            }

            return value.ValueKind == JsonValueKind.Object ? new Keys(file, value, $"{prefix}{key}.") : throw Wrong(key, value, "an object");
        }

        public IReadOnlyList<int> OneOrMore(string key) =>
            Find(key) is { ValueKind: JsonValueKind.Number } value ? [ToInt(key, value)] : List(key) ?? [];

        public IReadOnlyDictionary<string, JsonElement> Rest()
        {
            var rest = new OrderedDictionary<string, JsonElement>(StringComparer.Ordinal);
            foreach (JsonProperty property in root.EnumerateObject())
            {
                if (!_known.Contains(property.Name))
                {
                    rest.Add(property.Name, property.Value);
                }
            }

            return rest;
        }

        public CheckpointFormatException Error(string key, string problem) => new($"{file}: {prefix}{key} {problem}.");

        private JsonElement? Find(string key)
        {
            _known.Add(key);
            return root.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
        }

        private int ToInt(string key, JsonElement value) =>
            value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number : throw Wrong(key, value, "an integer of 32 bits");

        private CheckpointFormatException Wrong(string key, JsonElement value, string expected)
        {
            string text = value.GetRawText();
            return Error(key, $"should be {expected}, not {(text.Length > 40 ? text[..40] + "…" : text)}");
        }
    }
}
