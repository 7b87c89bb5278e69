namespace MiniMaxSharp.Training;

/// <summary>What a new LoRA adapter is like (arXiv 2106.09685, section 4).</summary>
public sealed record LoraOptions
{
    /// <summary>The linear maps of both kinds of attention.</summary>
    public static IReadOnlyList<string> Attention { get; } = ["q_proj", "k_proj", "v_proj", "o_proj", "qkv_proj", "output_gate", "out_proj"];

    /// <summary>The experts', and those of the shared MLP where the model has one.</summary>
    public static IReadOnlyList<string> Experts { get; } = ["w1", "w2", "w3", "gate_proj", "up_proj", "down_proj"];

    /// <summary>The LM head, unless it is the embedding.</summary>
    public static IReadOnlyList<string> Head { get; } = ["lm_head"];

    /// <summary>Rank of the additions, r.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>α: what is added is α/r · B A.</summary>
    public float Alpha { get; init; } = 16;

    /// <summary>The adapted maps by the last part of their module's name, as in PEFT; layers without such a map are passed over.</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = Attention;

    /// <summary>Decides A. Adapters that are to be added elementwise need a common one.</summary>
    public ulong Seed { get; init; }
}
