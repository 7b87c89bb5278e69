using System.Numerics;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Training;

/// <summary>A part of a run with contexts of one length.</summary>
/// <param name="ContextTokens">Tokens of a sequence at most.</param>
/// <param name="Steps">Steps that the stage takes.</param>
public sealed record ContextStage(int ContextTokens, int Steps);

/// <summary>Continual pretraining as the MiniMax-M1 report does it (section 2.1), scaled to a run of any length.</summary>
public static class ContinualPretraining
{
    /// <summary>
    /// 8e-5 for the first third (2.5T of 7.5T tokens), falling to 8e-6 over the rest (5T). The report names no form of the decay; choice: linear.
    /// </summary>
    /// <param name="totalSteps">Steps of the run.</param>
    public static LearningRateSchedule LearningRate(int totalSteps) => new(8e-5f, totalSteps) { DecayStart = 1f / 3, FinalShare = 0.1f };

    /// <summary>
    /// Stages from 32K to 1M tokens of context, four in the report, which names only the first and the last. Choice: growing by a constant factor,
    /// rounded to powers of two (32K, 128K, 256K, 1M), equal numbers of steps; what is left over goes to the last.
    /// </summary>
    /// <param name="totalSteps">Steps of the run.</param>
    /// <param name="first">Context of the first stage, in tokens.</param>
    /// <param name="last">Context of the last stage, in tokens.</param>
    /// <param name="stages">Number of stages, at least 2.</param>
    public static IReadOnlyList<ContextStage> ContextStages(int totalSteps, int first = 1 << 15, int last = 1 << 20, int stages = 4)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(stages, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(totalSteps, stages);
        ArgumentOutOfRangeException.ThrowIfLessThan(first, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(last, first);
        int steps = totalSteps / stages;
        return
        [
            new ContextStage(first, steps),
            .. Enumerable.Range(1, stages - 2).Select(i => new ContextStage(PowerOfTwo(first * Math.Pow((double)last / first, (double)i / (stages - 1))), steps)),
            new ContextStage(last, totalSteps - (stages - 1) * steps),
        ];
    }

    /// <summary>
    /// The batches of a run through the stages, for <see cref="SupervisedRun"/>. Each stage cuts the texts anew, to its own length, and goes
    /// through them as often as its steps need.
    /// </summary>
    /// <param name="examples">What there is to learn.</param>
    /// <param name="tokenizer">Makes it tokens.</param>
    /// <param name="stages">In order.</param>
    /// <param name="tokensPerStep">Tokens of a batch at most; where a sequence is longer, it is a batch of its own.</param>
    /// <param name="seed">Decides the order within each epoch of each stage.</param>
    public static IReadOnlyList<IReadOnlyList<TrainingSequence>> Plan(
        IReadOnlyList<TrainingExample> examples, Tokenizer tokenizer, IReadOnlyList<ContextStage> stages, int tokensPerStep, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(examples);
        ArgumentNullException.ThrowIfNull(stages);
        ArgumentOutOfRangeException.ThrowIfZero(examples.Count, nameof(examples));
        var plan = new List<IReadOnlyList<TrainingSequence>>();
        for (int stage = 0; stage < stages.Count; stage++)
        {
            IReadOnlyList<TrainingSequence> sequences = TrainingData.Encode(examples, tokenizer, stages[stage].ContextTokens);
            int end = plan.Count + stages[stage].Steps;
            for (ulong epoch = 0; plan.Count < end; epoch++)
            {
                plan.AddRange(Batches.Plan(sequences, tokensPerStep, 1, SplitMix64.Mix(seed + (ulong)stage) + epoch).Take(end - plan.Count));
            }
        }

        return plan;
    }

    private static int PowerOfTwo(double tokens) => 1 << BitOperations.Log2((uint)Math.Round(tokens * Math.Sqrt(2)));
}
