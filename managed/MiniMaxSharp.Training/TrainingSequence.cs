using MiniMaxSharp.Generation;
using MiniMaxSharp.Layers;
using MiniMaxSharp.Models;
using MiniMaxSharp.Native;

namespace MiniMaxSharp.Training;

/// <summary>Tokens of which some are learnt from: the response to a prompt, the assistant's turns of a chat.</summary>
public sealed record TrainingSequence
{
    /// <param name="tokens">The whole sequence.</param>
    /// <param name="scored">For each token whether losses look at it. The first has nothing before it to be predicted from.</param>
    /// <exception cref="ArgumentException">Lengths differ, the first token is scored, or none is.</exception>
    public TrainingSequence(int[] tokens, bool[] scored)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(scored);
        int count = scored.Count(s => s);
        if (scored.Length != tokens.Length || count == 0 || scored[0])
        {
            throw new ArgumentException(
                $"{tokens.Length} tokens came with {scored.Length} marks, {count} of them set{(count > 0 && scored[0] ? ", the first among them" : "")}; "
                + "each token needs a mark, at least one has to be set and the first cannot be.");
        }

        Tokens = tokens;
        Scored = scored;
        ScoredTokens = count;
    }

    /// <summary>A prompt of at least one token followed by a response that is scored whole.</summary>
    public TrainingSequence(int[] tokens, int promptLength)
        : this(tokens, [.. tokens.Select((_, i) => i >= promptLength)])
    {
    }

    /// <summary>The whole sequence.</summary>
    public int[] Tokens { get; }

    /// <summary>For each token whether losses look at it.</summary>
    public bool[] Scored { get; }

    /// <summary>How many are scored.</summary>
    public int ScoredTokens { get; }

    /// <summary>
    /// Experts that all tokens but the last go to in reinforcement learning, [tokens − 1, layers, experts per token] as in <see cref="Completion.Experts"/>; null: the
    /// routers choose.
    /// </summary>
    public ushort[]? Experts { get; init; }
}

/// <summary>
/// Sequences packed for a forward pass that scores them: each sequence without its last token, and for each
/// row the token that follows, -100 where it is not scored.
/// </summary>
internal sealed class ScoringBatch : IDisposable
{
    private readonly int[] _scoredTokens;

    private readonly ushort[]? _experts;

    private ScoringBatch(PackedBatch batch, Tensor targets, int[] rows, int[] scoredTokens, ushort[]? experts)
    {
        _experts = experts;
        _scoredTokens = scoredTokens;
        Batch = batch;
        Targets = targets;
        ScoredRows = rows;
    }

    public PackedBatch Batch { get; }

    /// <summary>int32 [rows].</summary>
    public Tensor Targets { get; }

    /// <summary>The rows of scored tokens: of the first sequence in order, then of the second, …</summary>
    public int[] ScoredRows { get; }

    public static ScoringBatch Create(Device device, IReadOnlyList<TrainingSequence> sequences)
    {
        var inputs = new List<ReadOnlyMemory<int>>();
        var targets = new List<int>();
        var rows = new List<int>();
        foreach (TrainingSequence sequence in sequences)
        {
            inputs.Add(sequence.Tokens.AsMemory(0, sequence.Tokens.Length - 1));
            for (int t = 1; t < sequence.Tokens.Length; t++)
            {
                bool scored = sequence.Scored[t];
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
            [.. rows],
            [.. sequences.Select(s => s.ScoredTokens)],
            Experts(sequences));
    }

    /// <summary>A pass over the batch, through the experts that the sequences name.</summary>
    /// <exception cref="ArgumentException">They do not fit the model.</exception>
    public ForwardPass Pass(MiniMaxForCausalLM model)
    {
        ForwardPass pass = model.Pass(Batch);
        if (_experts is null)
        {
            return pass;
        }

        int rows = (int)Targets.Count, layers = model.Config.NumHiddenLayers, topK = model.Config.NumExpertsPerTok;
        if (_experts.Length != rows * layers * topK)
        {
            throw new ArgumentException($"{_experts.Length} expert choices do not fit {rows} tokens × {layers} layers × {topK} experts.");
        }

        return pass with { Replay = [.. Enumerable.Range(0, layers).Select(Layer)] };

        Tensor Layer(int layer)
        {
            var choices = new int[rows * topK];
            for (int i = 0; i < choices.Length; i++)
            {
                choices[i] = _experts[(i / topK * layers + layer) * topK + i % topK];
            }

            return Tensor.From<int>(model.Device, choices, rows, topK);
        }
    }

    private static ushort[]? Experts(IReadOnlyList<TrainingSequence> sequences)
    {
        int named = sequences.Count(s => s.Experts is not null);
        return named == 0 ? null
            : named == sequences.Count ? [.. sequences.SelectMany(s => s.Experts!)]
            : throw new ArgumentException($"{named} of {sequences.Count} sequences name their experts; all or none should.");
    }

    /// <summary>Spreads values of scored tokens over all rows, 0 elsewhere; float [rows].</summary>
    public Tensor Spread(Device device, ReadOnlySpan<float> values)
    {
        var spread = new float[Targets.Count];
        for (int i = 0; i < ScoredRows.Length; i++)
        {
            spread[ScoredRows[i]] = values[i];
        }

        return Tensor.From<float>(device, spread, spread.Length);
    }

    /// <summary>The values of the scored tokens, out of those of all rows.</summary>
    public float[] Gather(Tensor values)
    {
        float[] all = values.ToFloats();
        return Array.ConvertAll(ScoredRows, row => all[row]);
    }

    /// <summary>Cuts values of the scored tokens into those of each sequence.</summary>
    public IEnumerable<float[]> BySequence(float[] values)
    {
        int start = 0;
        foreach (int count in _scoredTokens)
        {
            yield return values[start..(start + count)];
            start += count;
        }
    }

    public void Dispose()
    {
        Batch.Dispose();
        Targets.Dispose();
    }
}
