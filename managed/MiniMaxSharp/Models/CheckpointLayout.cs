using System.Globalization;
using MiniMaxSharp.Checkpoints;

namespace MiniMaxSharp.Models;

/// <summary>
/// Where a checkpoint keeps a parameter: under its name in MiniMax-M1's layout, or as transformers 5 may write it, with
/// mlp for block_sparse_moe and the experts of a layer in two tensors, gate_up_proj [experts, 2 · ffn, hidden] (w1 above w3)
/// and down_proj [experts, hidden, ffn].
/// </summary>
internal static class CheckpointLayout
{
    private const string Block = ".block_sparse_moe.";

    // Constants of transformers' lightning attention, which it saves among the weights.
    private static readonly string[] s_decays = [".self_attn.slope_rate", ".self_attn.query_decay", ".self_attn.key_decay", ".self_attn.diagonal_decay"];

    /// <summary>A parameter's bytes, and the tensor of the file that they are, or are part of.</summary>
    public readonly record struct Place(SafetensorsFile File, TensorInfo Tensor, TensorInfo Parameter);

    /// <exception cref="CheckpointFormatException">It is nowhere, or the tensor that should hold it among others has another shape.</exception>
    public static Place Find(ShardedCheckpoint checkpoint, MiniMaxConfig config, string name)
    {
        int block = name.IndexOf(Block, StringComparison.Ordinal);
        if (block < 0 || checkpoint.Names.Contains(name))
        {
            return Whole(checkpoint, name);
        }

        string layer = name[..block] + ".mlp.", rest = name[(block + Block.Length)..];
        if (checkpoint.Names.Contains(layer + rest))
        {
            return Whole(checkpoint, layer + rest);
        }

        string experts = layer + (rest.EndsWith(".w2.weight", StringComparison.Ordinal) ? "experts.down_proj" : "experts.gate_up_proj");
        return rest.StartsWith("experts.", StringComparison.Ordinal) && checkpoint.Names.Contains(experts)
            ? Part(checkpoint, config, experts, rest)
            : Whole(checkpoint, name);
    }

    /// <summary>Whether a tensor that is no parameter may be there.</summary>
    public static bool IsConstant(MiniMaxConfig config, string name) =>
        config.IsTransformers && s_decays.Any(decay => name.EndsWith(decay, StringComparison.Ordinal));

    private static Place Whole(ShardedCheckpoint checkpoint, string name)
    {
        SafetensorsFile file = checkpoint.FileOf(name);
        return new(file, file.Info(name), file.Info(name));
    }

    private static Place Part(ShardedCheckpoint checkpoint, MiniMaxConfig config, string name, string expert)
    {
        SafetensorsFile file = checkpoint.FileOf(name);
        TensorInfo tensor = file.Info(name);
        string[] words = expert.Split('.');
        long c = config.HiddenSize, f = config.IntermediateSize, index = long.Parse(words[1], CultureInfo.InvariantCulture);
        bool down = words[2] == "w2";
        long[] shape = down ? [config.NumLocalExperts, c, f] : [config.NumLocalExperts, 2 * f, c];
        if (!tensor.Shape.SequenceEqual(shape))
        {
            throw file.Error(tensor, $"the configuration asks for the shape {Tensor.Describe(shape)}");
        }

        long bytes = c * f * StoredTypes.Size(tensor.DType), place = down ? index : 2 * index + (words[2] == "w3" ? 1 : 0);
        TensorInfo part = tensor with { Name = $"{name} ({expert})", Shape = down ? [c, f] : [f, c], Offset = tensor.Offset + place * bytes, ByteLength = bytes };
        return new(file, tensor, part);
    }
}
