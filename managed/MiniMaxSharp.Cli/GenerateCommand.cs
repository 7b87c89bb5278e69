using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Cli;

/// <summary>minimax generate: prints text as it comes, or ids where the model has no tokenizer.</summary>
internal static class GenerateCommand
{
    public static async Task<int> RunAsync(
        string directory,
        Func<Device> open,
        ExpertStorage experts,
        int[]? ids,
        string? prompt,
        GenerationOptions options,
        ulong seed,
        string? file,
        TextWriter output,
        CancellationToken cancellation)
    {
        await Task.Yield();
        if (ids is null == prompt is null)
        {
            throw new ArgumentException("Give either --ids or --prompt.");
        }

        using Device device = open();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(directory, device, experts: experts);
        Tokenizer? tokenizer = prompt is not null || File.Exists(Path.Combine(directory, "tokenizer.json")) ? Tokenizer.Load(directory) : null;
        int[] start = ids ?? tokenizer!.Encode((tokenizer.ChatTemplate ?? ChatTemplate.MiniMaxM1).Render([new ChatMessage("user", prompt!)], addGenerationPrompt: true));
        options = options with { StopTokens = [.. model.Config.EosTokenIds.Concat(tokenizer?.EosTokenId is int end ? [end] : []).Distinct()] };

        bool first = true;
        Completion completion = new TextGenerator(model, tokenizer).Generate([new GenerationRequest(start, seed)], options, (_, update) =>
        {
            output.Write(ids is null ? update.Text : $"{(first ? "" : ",")}{update.Token}");
            output.Flush();
            first = false;
        }, cancellation)[0][0];
        output.WriteLine();
        if (file is not null)
        {
            using TensorScope scope = device.Scope();
            SafetensorsWriter.Write(file,
            [
                ("prompt_ids", Tensor.From<long>(device, Array.ConvertAll(start, x => (long)x), 1, start.Length)),
                ("new_ids", Tensor.From<long>(device, Array.ConvertAll(completion.Tokens, x => (long)x), 1, completion.Tokens.Length)),
                ("logp", Tensor.From<float>(device, completion.LogProbabilities, 1, completion.Tokens.Length)),
            ]);
        }

        return 0;
    }
}
