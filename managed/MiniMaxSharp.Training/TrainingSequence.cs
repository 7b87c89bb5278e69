using MiniMaxSharp.Native;

namespace MiniMaxSharp.Training;

/// <summary>A prompt and a response, in tokens. Losses look at the response only.</summary>
/// <param name="Tokens">Prompt followed by response.</param>
/// <param name="PromptLength">Tokens of the prompt; at least one.</param>
public sealed record TrainingSequence(int[] Tokens, int PromptLength)
{
    /// <summary>Tokens of the response.</summary>
    public int ResponseLength => Tokens.Length - PromptLength;
}

/// <summary>
/// Sequences packed for a forward pass that scores their responses: each sequence without its last token, and for each
/// row the token that follows, -100 within the prompt.
/// </summary>
internal sealed class ScoringBatch : IDisposable
{
    private ScoringBatch(PackedBatch batch, Tensor targets, int[] rows)
    {
        Batch = batch;
        Targets = targets;
        ResponseRows = rows;
    }

    public PackedBatch Batch { get; }

    /// <summary>int32 [rows].</summary>
    public Tensor Targets { get; }

    /// <summary>The rows that score response tokens: of the first sequence in order, then of the second, …</summary>
    public int[] ResponseRows { get; }

    public static ScoringBatch Create(Device device, IReadOnlyList<TrainingSequence> sequences)
    {
        var inputs = new List<ReadOnlyMemory<int>>();
        var targets = new List<int>();
        var rows = new List<int>();
        foreach (TrainingSequence sequence in sequences)
        {
            if (sequence.PromptLength < 1 || sequence.ResponseLength < 1)
            {
                throw new ArgumentException(
                    $"A sequence has {sequence.PromptLength} prompt and {sequence.ResponseLength} response tokens; at least one of each is needed.");
            }

            inputs.Add(sequence.Tokens.AsMemory(0, sequence.Tokens.Length - 1));
            for (int t = 1; t < sequence.Tokens.Length; t++)
            {
                bool scored = t >= sequence.PromptLength;
                if (scored)
                {
                    rows.Add(targets.Count);
                }

                targets.Add(scored ? sequence.Tokens[t] : NativeMethods.ExpectedIgnoreLabel);
            }
        }

        return new ScoringBatch(
            PackedBatch.Create(device, inputs),
            Tensor.From<int>(device, targets.ToArray(), targets.Count),
            [.. rows]);
    }

    /// <summary>Spreads values of response tokens over all rows, 0 elsewhere; float [rows].</summary>
    public Tensor Spread(Device device, ReadOnlySpan<float> values)
    {
        var spread = new float[Targets.Count];
        for (int i = 0; i < ResponseRows.Length; i++)
        {
            spread[ResponseRows[i]] = values[i];
        }

        return Tensor.From<float>(device, spread, spread.Length);
    }

    /// <summary>The values of the response tokens, out of those of all rows.</summary>
    public float[] Gather(Tensor values)
    {
        float[] all = values.ToFloats();
        return Array.ConvertAll(ResponseRows, row => all[row]);
    }

    public void Dispose()
    {
        Batch.Dispose();
        Targets.Dispose();
    }
}
