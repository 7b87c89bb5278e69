using System.Text.Json;
using System.Text.Json.Serialization;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli;

/// <summary>
/// Settings of minimax train. <c>model</c>: folder with checkpoint and tokenizer; <c>output</c>: where the result goes;
/// <c>steps</c>, <c>learning_rate</c>, <c>seed</c>, <c>device</c> by its name. For sft: <c>data</c>, see <see cref="TrainingData"/>, and <c>batch</c>
/// sequences a step. For cispo: <c>tasks</c> by name, <c>difficulty</c>, <c>prompts</c> a step, <c>group_size</c>,
/// <c>max_new_tokens</c>, <c>max_importance_weight</c>. What is left out has the value below; the properties have setters because
/// source-generated reading would lose the values of init-only ones.
/// </summary>
internal sealed record TrainSettings
{
    public required string Model { get; set; }

    public required string Output { get; set; }

    public int Steps { get; set; } = 100;

    public float LearningRate { get; set; } = 1e-4f;

    public ulong Seed { get; set; }

    public string Device { get; set; } = "cpu";

    public string? Data { get; set; }

    public int Batch { get; set; } = 16;

    public string[]? Tasks { get; set; }

    public int Difficulty { get; set; } = 1;

    public int Prompts { get; set; } = 16;

    public int GroupSize { get; set; } = 8;

    public int MaxNewTokens { get; set; } = 256;

    public float MaxImportanceWeight { get; set; } = 5;

    public static TrainSettings Load(string path)
    {
        try
        {
            TrainSettings settings = JsonSerializer.Deserialize(File.ReadAllText(path), TrainJson.Default.TrainSettings) ?? throw new JsonException("the file is empty");
            settings.Validate();
            return settings;
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path}, line {error.LineNumber + 1 ?? 1}: {TrainJson.Reason(error)}");
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{path}: {error.Message}");
        }
    }

    private void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Steps, 1, "steps");
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(LearningRate, "learning_rate");
        ArgumentOutOfRangeException.ThrowIfLessThan(Batch, 1, "batch");
        ArgumentOutOfRangeException.ThrowIfLessThan(Prompts, 1, "prompts");
        ArgumentOutOfRangeException.ThrowIfLessThan(GroupSize, 2, "group_size");
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxNewTokens, 1, "max_new_tokens");
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(TrainSettings))]
internal sealed partial class TrainJson : JsonSerializerContext
{
    /// <summary>What is wrong, without the place that the reader adds: it counts lines from 0.</summary>
    public static string Reason(JsonException error) => error.Message.Split(" Path: $")[0];
}

/// <summary>minimax train sft | cispo.</summary>
internal static class TrainCommand
{
    public static async Task<int> SupervisedAsync(string config, Func<string, Device> open, TextWriter output, CancellationToken cancellation)
    {
        await Task.Yield();
        TrainSettings settings = TrainSettings.Load(config);
        using Device device = open(settings.Device);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(settings.Model, device);
        Tokenizer tokenizer = Tokenizer.Load(settings.Model);
        IReadOnlyList<TrainingSequence> data = TrainingData.Encode(
            TrainingData.Read(settings.Data ?? throw new ArgumentException($"{config}: 'data' is missing.")), tokenizer, (int)Math.Min(model.Config.MaxPositionEmbeddings, int.MaxValue));
        using var optimizer = new AdamW(model.Parameters);
        var trainer = new SupervisedTrainer(
            model, optimizer, new SupervisedOptions { LearningRate = new LearningRateSchedule(settings.LearningRate, settings.Steps) { WarmupSteps = Math.Min(20, settings.Steps) } });
        for (int step = 0; step < settings.Steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            var random = new SplitMix64(SplitMix64.Mix(settings.Seed + (ulong)step));
            SupervisedStep done = trainer.Step([.. Enumerable.Range(0, settings.Batch).Select(_ => data[random.Below(data.Count)])], step);
            output.WriteLine($"step {step + 1}: loss {done.Loss:F4}, gradient norm {done.GradientNorm:F3}");
        }

        Save(settings.Output, model, tokenizer);
        return 0;
    }

    public static async Task<int> CispoAsync(string config, Func<string, Device> open, TextWriter output, CancellationToken cancellation)
    {
        await Task.Yield();
        TrainSettings settings = TrainSettings.Load(config);
        IReasoningTask[] tasks = [.. (settings.Tasks ?? throw new ArgumentException($"{config}: 'tasks' is missing.")).Select(TaskRegistry.Get)];
        using Device device = open(settings.Device);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(settings.Model, device);
        Tokenizer tokenizer = Tokenizer.Load(settings.Model);
        using var optimizer = new AdamW(model.Parameters);
        var trainer = new PolicyTrainer(
            model, optimizer, tokens => tokenizer.Decode(tokens, skipSpecialTokens: true), new TaskReward(), new PolicyOptions
            {
                Objective = PolicyObjective.Cispo(settings.MaxImportanceWeight),
                GroupSize = settings.GroupSize,
                LearningRate = new LearningRateSchedule(settings.LearningRate, settings.Steps),
                Generation = new GenerationOptions { MaxNewTokens = settings.MaxNewTokens, StopTokens = tokenizer.EosTokenId is int end ? [end] : [] },
            });
        for (int step = 0; step < settings.Steps; step++)
        {
            ulong seed = SplitMix64.Mix(settings.Seed + (ulong)step);
            var random = new SplitMix64(seed);
            PolicyStep done = await trainer.StepAsync(
                _ => [.. Enumerable.Range(0, settings.Prompts).Select(_ => Prompt(tasks[random.Below(tasks.Length)], random, settings, tokenizer))],
                step, seed, cancellation).ConfigureAwait(false);
            output.WriteLine($"step {step + 1}: reward {done.Reward:F3}, {done.Updates} updates, entropy {done.Entropy:F3}");
        }

        Save(settings.Output, model, tokenizer);
        return 0;
    }

    private static RolloutPrompt Prompt(IReasoningTask task, SplitMix64 random, TrainSettings settings, Tokenizer tokenizer)
    {
        TaskInstance instance = task.Generate(settings.Difficulty, random.Next(), PromptStyle.Compact, Split.Train);
        return new RolloutPrompt(Encode(instance.Prompt, tokenizer), instance);
    }

    private static int[] Encode(string prompt, Tokenizer tokenizer) =>
        tokenizer.Encode((tokenizer.ChatTemplate ?? ChatTemplate.MiniMaxM1).Render([new ChatMessage("user", prompt)], addGenerationPrompt: true));

    private static void Save(string directory, MiniMaxForCausalLM model, Tokenizer tokenizer) => AtomicDirectory.Replace(directory, target =>
    {
        model.Save(target);
        tokenizer.Save(target);
    });

    private sealed class TaskReward : IRewardFunction
    {
        public string Name => "task";

        public ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation) =>
            ValueTask.FromResult<IReadOnlyList<RewardResult>>(
                [.. responses.Select(r => new RewardResult(ResponseFormat.Score((TaskInstance)r.Prompt.Data!, r.Text).Reward))]);
    }
}
