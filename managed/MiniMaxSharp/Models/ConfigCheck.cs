namespace MiniMaxSharp.Models;

/// <summary>What can be wrong with a configuration, by the keys of config.json.</summary>
internal static class ConfigCheck
{
    /// <summary>The first problem; null if there is none.</summary>
    public static string? Problem(MiniMaxConfig c) =>
        Sizes(c) ?? Heads(c) ?? Layers(c) ?? Numbers(c) ?? Tokens(c) ?? (c.IsTransformers ? NotInTransformers(c) : null);

    private static string? NotInTransformers(MiniMaxConfig c) =>
        !c.Postnorm ? "postnorm is false, but transformers' minimax always takes the residual after the norm"
        : c.SharedIntermediateSize > 0 ? $"shared_intermediate_size is {c.SharedIntermediateSize}, but transformers' minimax has no shared MLP"
        : c.SlidingWindow == 1 ? "sliding_window is 1, it should be at least 2"
        : null;

    private static string? Sizes(MiniMaxConfig c)
    {
        (string Key, long Value)[] sizes =
        [
            ("hidden_size", c.HiddenSize),
            ("num_hidden_layers", c.NumHiddenLayers),
            ("num_attention_heads", c.NumAttentionHeads),
            ("num_key_value_heads", c.NumKeyValueHeads),
            ("head_dim", c.HeadDim),
            ("rotary_dim", c.RotaryDim),
            ("intermediate_size", c.IntermediateSize),
            ("num_local_experts", c.NumLocalExperts),
            ("num_experts_per_tok", c.NumExpertsPerTok),
            ("max_position_embeddings", c.MaxPositionEmbeddings),
            ("vocab_size", c.VocabSize),
            ("sliding_window", c.SlidingWindow ?? 1),
        ];
        foreach ((string key, long value) in sizes)
        {
            if (value < 1)
            {
                return $"{key} is {value}, it should be at least 1";
            }
        }

        return c.SharedIntermediateSize < 0 ? $"shared_intermediate_size is {c.SharedIntermediateSize}, it should not be negative" : null;
    }

    private static string? Heads(MiniMaxConfig c)
    {
        if (c.NumAttentionHeads % c.NumKeyValueHeads != 0)
        {
            return $"num_attention_heads is {c.NumAttentionHeads}, not a multiple of num_key_value_heads, {c.NumKeyValueHeads}";
        }

        // Rows of qkv_proj, counted in 32 bits by everything that walks over heads.
        if (3L * c.NumAttentionHeads * c.HeadDim > int.MaxValue)
        {
            return $"num_attention_heads {c.NumAttentionHeads} × head_dim {c.HeadDim} is too large";
        }

        return c.RotaryDim % 2 != 0 || c.RotaryDim > c.HeadDim
            ? $"rotary_dim is {c.RotaryDim}, it should be even and at most head_dim, {c.HeadDim}"
            : null;
    }

    private static string? Layers(MiniMaxConfig c)
    {
        if (c.NumHiddenLayers < 2)
        {
            return $"num_hidden_layers is {c.NumHiddenLayers}, it should be at least 2 (decay slopes divide by one less)";
        }

        string list = c.IsTransformers ? "layer_types" : "attn_type_list";
        if (c.AttnTypeList.Count != c.NumHiddenLayers)
        {
            return $"{list} has {c.AttnTypeList.Count} entries, but num_hidden_layers is {c.NumHiddenLayers}";
        }

        for (int i = 0; i < c.AttnTypeList.Count; i++)
        {
            if (c.AttnTypeList[i] is not (0 or 1))
            {
                return $"{list}[{i}] is {c.AttnTypeList[i]}, it should be 0 (lightning) or 1 (softmax)";
            }
        }

        return c.NumExpertsPerTok > c.NumLocalExperts
            ? $"num_experts_per_tok is {c.NumExpertsPerTok}, more than num_local_experts, {c.NumLocalExperts}"
            : null;
    }

    private static string? Numbers(MiniMaxConfig c)
    {
        (string Key, double Value, bool Good)[] numbers =
        [
            ("rope_theta", c.RopeTheta, c.RopeTheta > 0),
            ("rms_norm_eps", c.RmsNormEps, c.RmsNormEps > 0),
            (ConfigJson.Factor(c.IsTransformers, "linear_attention_alpha"), c.LayernormLinearAttentionAlpha, true),
            (ConfigJson.Factor(c.IsTransformers, "linear_attention_beta"), c.LayernormLinearAttentionBeta, true),
            (ConfigJson.Factor(c.IsTransformers, "full_attention_alpha"), c.LayernormFullAttentionAlpha, true),
            (ConfigJson.Factor(c.IsTransformers, "full_attention_beta"), c.LayernormFullAttentionBeta, true),
            (ConfigJson.Factor(c.IsTransformers, "mlp_alpha"), c.LayernormMlpAlpha, true),
            (ConfigJson.Factor(c.IsTransformers, "mlp_beta"), c.LayernormMlpBeta, true),
            ("router_aux_loss_coef", c.RouterAuxLossCoef, c.RouterAuxLossCoef >= 0),
            ("router_jitter_noise", c.RouterJitterNoise, c.RouterJitterNoise is >= 0 and < 1),
            ("attention_dropout", c.AttentionDropout, c.AttentionDropout is >= 0 and < 1),
            ("initializer_range", c.InitializerRange, c.InitializerRange >= 0),
        ];
        foreach ((string key, double value, bool good) in numbers)
        {
            if (!good || !float.IsFinite((float)value))
            {
                return FormattableString.Invariant($"{key} is {value}, which is out of range");
            }
        }

        return null;
    }

    private static string? Tokens(MiniMaxConfig c)
    {
        if (c.HiddenAct != "silu")
        {
            return $"hidden_act is '{c.HiddenAct}', only 'silu' is supported";
        }

        if (c.ModelType is not ("minimax_m1" or "MiniMaxM1" or "minimax_text_01" or "MiniMaxText01" or MiniMaxConfig.Transformers))
        {
            return $"model_type is '{c.ModelType}'; 'minimax_m1', 'MiniMaxM1', 'minimax_text_01', 'MiniMaxText01' and 'minimax' are supported";
        }

        if (c.BosTokenId is { } bos && bos < 0)
        {
            return $"bos_token_id is {bos}";
        }

        foreach (int eos in c.EosTokenIds)
        {
            if (eos < 0)
            {
                return $"eos_token_id is {eos}";
            }
        }

        return null;
    }
}
