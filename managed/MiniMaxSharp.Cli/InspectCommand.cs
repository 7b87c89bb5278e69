using System.Globalization;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Models;

namespace MiniMaxSharp.Cli;

/// <summary>
/// minimax inspect: what a configuration amounts to, and whether the files beside it fit it. Of them only the headers are
/// read, and no memory is taken for weights.
/// </summary>
internal static class InspectCommand
{
    private static readonly int[] s_lengths = [1_000, 8_000, 16_384, 32_768, 65_536, 100_000, 131_072, 262_144, 524_288, 1_000_000];

    public static int Run(string path, TextWriter output)
    {
        MiniMaxConfig config = MiniMaxConfig.Load(path);
        ModelSize size = ModelSize.Of(config);
        int softmax = config.AttnTypeList.Sum();
        Line(output, $"model:       {config.ModelType}, {config.NumHiddenLayers} layers ({config.NumHiddenLayers - softmax} lightning, {softmax} softmax), {config.NumLocalExperts} experts, {config.NumExpertsPerTok} a token");
        Line(output, $"tensors:     {size.Tensors:N0}");
        Line(output, $"parameters:  {size.Parameters:N0}");
        Line(output, $"active:      {size.ActiveParameters:N0} a token, {size.ActiveParameters - size.HeadParameters:N0} without the LM head");
        Line(output, $"bytes:       {size.Bytes:N0} as {config.TorchDtype ?? "bfloat16"}, routers as float32");
        Line(output, $"state:       {size.StateBytes:N0} bytes a sequence (lightning layers)");
        Line(output, $"cache:       {size.CacheBytesPerToken:N0} bytes a token (softmax layers)");
        Weights(path, config, output);
        Costs(config, output);
        return 0;
    }

    private static void Weights(string path, MiniMaxConfig config, TextWriter output)
    {
        if (!ShardedCheckpoint.Exists(path))
        {
            Line(output, $"checkpoint:  there are no weights in {path}");
            return;
        }

        using ShardedCheckpoint checkpoint = ShardedCheckpoint.Open(path);
        ModelLoader.Check(checkpoint, config);
        Line(output, $"checkpoint:  {checkpoint.Files.Count:N0} files, {checkpoint.Names.Count:N0} tensors, {checkpoint.Files.Sum(f => f.Tensors.Values.Sum(t => t.ByteLength)):N0} bytes; names, shapes and sizes fit");
    }

    private static void Costs(MiniMaxConfig config, TextWriter output)
    {
        GenerationCost own = GenerationCost.Of(config), dense = GenerationCost.Of(config with { AttnTypeList = [.. config.AttnTypeList.Select(_ => 1)] });
        Line(output, $"");
        Line(output, $"FLOPs of generating L tokens, against softmax attention in every layer; a pair of tokens counted as c·heads·head_dim");
        Line(output, $"{"",9}  {"c = 4",-30}  c = 6");
        Line(output, $"{"L",9}  {"model",9}  {"dense",9}  {"ratio",8}  {"model",9}  {"dense",9}  {"ratio",8}");
        foreach (int length in s_lengths)
        {
            (double four, double denseFour, double six, double denseSix) = (own.Of(length, 4), dense.Of(length, 4), own.Of(length, 6), dense.Of(length, 6));
            Line(output, $"{length,9}  {four,9:0.000e0}  {denseFour,9:0.000e0}  {four / denseFour,8:0.000}  {six,9:0.000e0}  {denseSix,9:0.000e0}  {six / denseSix,8:0.000}");
        }
    }

    private static void Line(TextWriter output, FormattableString text) => output.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
