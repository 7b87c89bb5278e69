using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Generation;

/// <summary>
/// Continues many prompts at once and returns when all are done. The model is only read: it may be shared, but a device serves
/// one caller at a time. For requests that come and go, see <see cref="GenerationEngine"/>.
/// </summary>
public sealed class TextGenerator
{
    // Enough tokens of prompts at a time to fill the machine, and little memory.
    private const int PrefillTokens = 8192;
    private readonly MiniMaxForCausalLM _model;
    private readonly Tokenizer? _tokenizer;

    /// <summary>A generator for the model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Needed for texts, stop strings and thinking budgets.</param>
    public TextGenerator(MiniMaxForCausalLM model, Tokenizer? tokenizer = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _tokenizer = tokenizer;
    }

    /// <summary>Whether completions say which experts their tokens went to (see <see cref="Completion.Experts"/>).</summary>
    public bool RecordExperts { get; init; }

    /// <summary>Continues each request; result [request][sample].</summary>
    /// <param name="requests">Prompts, none empty.</param>
    /// <param name="options">For all of them.</param>
    /// <param name="onUpdate">Told each new token as it is chosen, and the index of its request.</param>
    /// <param name="cancellation">Looked at between steps.</param>
    /// <exception cref="ArgumentException">A prompt is empty, holds an id outside the vocabulary, or does not fit the context.</exception>
    public IReadOnlyList<Completion[]> Generate(
        IReadOnlyList<GenerationRequest> requests,
        GenerationOptions options,
        Action<int, GenerationUpdate>? onUpdate = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        if (requests.Count == 0)
        {
            return [];
        }

        EngineOptions engine = Fitting(requests, options);
        for (int i = 0; i < requests.Count; i++)
        {
            Check(engine, requests[i], i, options);
        }

        using var batch = new ContinuousBatch(_model, engine, _tokenizer);
        var updates = requests.Select(r => Enumerable.Range(0, r.Samples).Select(_ => new List<GenerationUpdate>()).ToArray()).ToArray();
        for (int i = 0; i < requests.Count; i++)
        {
            int request = i;
            batch.Add(new ContinuousBatch.Job(
                requests[i],
                options,
                update =>
                {
                    updates[request][update.Sample].Add(update);
                    onUpdate?.Invoke(request, update);
                },
                error => throw new InvalidOperationException($"Request {request}: {error.Message}", error)));
        }

        while (!batch.Idle)
        {
            cancellation.ThrowIfCancellationRequested();
            batch.Step();
        }

        return [.. updates.Select(samples => samples.Select(Completion.Of).ToArray())];
    }

    // As much memory as the requests can use at a time.
    private EngineOptions Fitting(IReadOnlyList<GenerationRequest> requests, GenerationOptions options)
    {
        int sequences = Math.Max(requests.Max(r => r.Samples), Math.Min(options.MaxBatch, requests.Sum(r => r.Samples)));
        long longest = requests.Max(r => (long)r.Prompt.Length) + options.MaxNewTokens + ModelCache.PageSize;
        return new EngineOptions
        {
            MaxSequences = Math.Max(sequences, 1),
            CacheTokens = sequences * longest,
            PrefillTokens = PrefillTokens,
            SnapshotBytes = 0,
            RecordExperts = RecordExperts,
        };
    }

    private void Check(EngineOptions engine, GenerationRequest request, int index, GenerationOptions options)
    {
        try
        {
            ContinuousBatch.Check(_model, engine, request, options, _tokenizer is not null);
        }
        catch (ArgumentException e)
        {
            throw new ArgumentException($"Request {index}: {e.Message}", e);
        }
    }
}
