using MiniMaxSharp;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace FineTuneOnYourData;

/// <summary>From lines of JSON to an adapter and a merged checkpoint.</summary>
internal static class FineTuning
{
    public static void Run(Settings settings, TextWriter output, CancellationToken cancellation)
    {
        IReadOnlyList<TrainingExample> examples = NearDuplicates.Remove(TrainingData.Read(settings.Data), new NearDuplicateOptions { Threshold = 1 });
        (TrainingExample[] train, TrainingExample[] held) = Split(examples, settings.Seed);
        using Device device = Device.Open(settings.Device, why => output.WriteLine($"Warning: {why}"));
        (MiniMaxForCausalLM model, Tokenizer tokenizer) = settings.Model is { } folder
            ? (MiniMaxForCausalLM.Load(folder, device), Tokenizer.Load(folder))
            : TinyBase.Create(examples, device, settings.Seed);
        using (model)
        {
            Tune(model, tokenizer, train, held, settings, output, cancellation);
            AtomicDirectory.Replace(Path.Combine(settings.Output, "merged"), target =>
            {
                model.Save(target);
                tokenizer.Save(target);
            });
            output.WriteLine($"adapter and merged model: {settings.Output}");
            if (held.OfType<ChatExample>().FirstOrDefault() is { } question)
            {
                Ask(model, tokenizer, question, output, cancellation);
            }
        }
    }

    private static void Tune(
        MiniMaxForCausalLM model, Tokenizer tokenizer, TrainingExample[] train, TrainingExample[] held, Settings settings, TextWriter output, CancellationToken cancellation)
    {
        int longest = (int)Math.Min(model.Config.MaxPositionEmbeddings, int.MaxValue);
        IReadOnlyList<IReadOnlyList<TrainingSequence>> plan = Batches.Plan(TrainingData.Encode(train, tokenizer, longest), settings.TokensPerStep, settings.Epochs, settings.Seed);

        IReadOnlyList<string> head = model.Config.TieWordEmbeddings ? [] : LoraOptions.Head;
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions
        {
            Rank = settings.Rank,
            Alpha = 2 * settings.Rank,
            TargetModules = [.. LoraOptions.Attention, .. LoraOptions.Experts, .. head],
            Seed = settings.Seed,
        });
        using var optimizer = new AdamW(adapter.Parameters);
        var trainer = new SupervisedTrainer(model, optimizer, new SupervisedOptions
        {
            LearningRate = new LearningRateSchedule(settings.LearningRate, plan.Count) { WarmupSteps = Math.Min(10, plan.Count), DecayStart = 0.5f },
        });
        output.WriteLine(
            $"{train.Length} examples to learn, {held.Length} held out; {adapter.Parameters.Sum(p => p.Value.Count)} numbers are trained beside {model.Parameters.Sum(p => p.Value.Count)} frozen ones");
        SupervisedResult result = new SupervisedRun(trainer, adapter.Parameters).Train(
            plan, TrainingData.Encode(held, tokenizer, longest), new Lines(output), cancellation);
        output.WriteLine(held.Length == 0
            ? $"{result.Steps} steps, with nothing held out to tell how good they were"
            : $"held-out loss {result.InitialLoss:F4} -> {result.BestLoss:F4} after {result.BestStep} of {result.Steps} steps{(result.StoppedEarly ? ", stopped early" : "")}");
        adapter.Weights().Save(Path.Combine(settings.Output, "adapter"), settings.Model);
        adapter.Merge();
    }

    private static void Ask(MiniMaxForCausalLM model, Tokenizer tokenizer, ChatExample question, TextWriter output, CancellationToken cancellation)
    {
        ChatMessage[] asked = [.. question.Messages.TakeWhile(m => m.Role != "assistant")];
        string prompt = (tokenizer.ChatTemplate ?? ChatTemplate.MiniMaxM1).Render(asked, question.Tools, addGenerationPrompt: true);
        Completion answer = new TextGenerator(model).Generate(
            [new GenerationRequest(tokenizer.Encode(prompt), 0, 1)],
            new GenerationOptions { MaxNewTokens = 100, Temperature = 0, StopTokens = tokenizer.EosTokenId is { } end ? [end] : [] },
            cancellation: cancellation).Single().Single();
        output.WriteLine($"> {asked[^1].Content[0].Text}\n{tokenizer.Decode(answer.Tokens, skipSpecialTokens: true)}");
    }

    // One in eight is held out, at least one; a single example is all there is to learn.
    private static (TrainingExample[] Train, TrainingExample[] Held) Split(IReadOnlyList<TrainingExample> examples, ulong seed)
    {
        TrainingExample[] order = [.. examples];
        new SplitMix64(SplitMix64.Mix(seed)).Shuffle<TrainingExample>(order);
        int held = order.Length == 1 ? 0 : Math.Max(1, order.Length / 8);
        return (order[held..], order[..held]);
    }

    /// <summary>A line for each look at the held-out examples.</summary>
    private sealed class Lines(TextWriter output) : IProgress<SupervisedProgress>
    {
        public void Report(SupervisedProgress value)
        {
            if (value.ValidationLoss is { } loss)
            {
                output.WriteLine($"step {value.Done}/{value.Steps}: held-out loss {loss:F4}{(value.Training is { } step ? $", training loss {step.Loss:F4}" : "")}");
            }
        }
    }
}
