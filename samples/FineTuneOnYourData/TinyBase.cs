using MiniMaxSharp;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace FineTuneOnYourData;

/// <summary>A model to try things out on: all that MiniMax-M1 has, in miniature, with random weights, and a tokenizer of the data's words.</summary>
internal static class TinyBase
{
    public static (MiniMaxForCausalLM Model, Tokenizer Tokenizer) Create(IReadOnlyList<TrainingExample> examples, Device device, ulong seed)
    {
        Tokenizer tokenizer = BpeTrainer.Train(
            [ChatTemplate.MiniMaxM1.Render([new ChatMessage("user", "")], addGenerationPrompt: true), .. examples.Select(e => e.Content)],
            new BpeTrainerOptions { VocabularySize = 2048, Pattern = @" ?[\p{L}\p{N}_=]+|[^\p{L}\p{N}_=]" });
        var config = new MiniMaxConfig
        {
            HiddenSize = 64,
            NumHiddenLayers = 2,
            AttnTypeList = [0, 1],
            NumAttentionHeads = 4,
            NumKeyValueHeads = 2,
            HeadDim = 16,
            RotaryDim = 16,
            RopeTheta = 10000,
            MaxPositionEmbeddings = 2048,
            IntermediateSize = 96,
            NumLocalExperts = 4,
            NumExpertsPerTok = 2,
            Postnorm = true,
            LayernormLinearAttentionAlpha = MiniMaxConfig.DeepNorm(2),
            LayernormFullAttentionAlpha = MiniMaxConfig.DeepNorm(2),
            LayernormMlpAlpha = MiniMaxConfig.DeepNorm(2),
            InitializerRange = 0.1,
            VocabSize = tokenizer.VocabularySize,
            EosTokenIds = tokenizer.EosTokenId is { } end ? [end] : [],
        };
        return (MiniMaxForCausalLM.Create(config, device, seed), tokenizer);
    }
}
