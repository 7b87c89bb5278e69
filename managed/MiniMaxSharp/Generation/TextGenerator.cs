using MiniMaxSharp.Models;

namespace MiniMaxSharp.Generation;

/// <summary>
/// Continues many prompts at once on a cache. The model is only read: it may be shared, but a generator serves one
/// caller at a time.
/// </summary>
public sealed class TextGenerator
{
    // Prompts are run through the model in pieces of about so many tokens: enough to fill the machine, little memory.
    private const int PrefillTokens = 8192;
    private readonly MiniMaxForCausalLM _model;

    /// <summary>A generator for the model.</summary>
    public TextGenerator(MiniMaxForCausalLM model)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
    }

    /// <summary>Continues each request; result [request][sample].</summary>
    /// <param name="requests">Prompts, none empty.</param>
    /// <param name="options">For all of them.</param>
    /// <param name="onToken">Told each new token as it is chosen: request, sample, token.</param>
    /// <param name="cancellation">Looked at between steps.</param>
    /// <exception cref="ArgumentException">A prompt is empty or holds an id outside the vocabulary.</exception>
    public IReadOnlyList<Completion[]> Generate(
        IReadOnlyList<GenerationRequest> requests,
        GenerationOptions options,
        Action<int, int, int>? onToken = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        for (int i = 0; i < requests.Count; i++)
        {
            RequirePrompt(requests[i], i);
        }

        var results = requests.Select(r => new Completion[r.Samples]).ToArray();
        for (int first = 0; first < requests.Count;)
        {
            int next = first, samples = 0;
            while (next < requests.Count && (samples == 0 || samples + requests[next].Samples <= options.MaxBatch))
            {
                samples += requests[next++].Samples;
            }

            GenerateWave(requests, first, next, options, results, onToken, cancellation);
            first = next;
        }

        return results;
    }

    private void GenerateWave(
        IReadOnlyList<GenerationRequest> requests,
        int first,
        int next,
        GenerationOptions options,
        Completion[][] results,
        Action<int, int, int>? onToken,
        CancellationToken cancellation)
    {
        int samples = 0;
        long tokens = 0;
        for (int i = first; i < next; i++)
        {
            samples += requests[i].Samples;
            tokens += requests[i].Samples * ((long)requests[i].Prompt.Length + options.MaxNewTokens + ModelCache.PageSize);
        }

        using var cache = new ModelCache(_model, samples, tokens);
        List<Running> running = Prefill(cache, requests, first, next, options, cancellation);
        while (running.Count > 0)
        {
            for (int i = running.Count - 1; i >= 0; i--)
            {
                Running sequence = running[i];
                onToken?.Invoke(sequence.Request, sequence.Sample, sequence.Last);
                if (sequence.Finished(options) is { } reason)
                {
                    results[sequence.Request][sequence.Sample] = sequence.Complete(reason);
                    cache.Remove(sequence.Cached);
                    running.RemoveAt(i);
                }
            }

            if (running.Count > 0)
            {
                cancellation.ThrowIfCancellationRequested();
                Step(cache, running, options);
            }
        }
    }

    // The first new token of every sample: each prompt is computed once, and its sequence forked for the other samples.
    private List<Running> Prefill(
        ModelCache cache, IReadOnlyList<GenerationRequest> requests, int first, int next, GenerationOptions options, CancellationToken cancellation)
    {
        var running = new List<Running>();
        if (options.MaxNewTokens == 0)
        {
            throw new ArgumentOutOfRangeException(nameof(options), "MaxNewTokens is 0: there is nothing to generate.");
        }

        for (int start = first; start < next;)
        {
            cancellation.ThrowIfCancellationRequested();
            int end = start, length = 0;
            while (end < next && (length == 0 || length + requests[end].Prompt.Length <= PrefillTokens))
            {
                length += requests[end++].Prompt.Length;
            }

            running.AddRange(PrefillPiece(cache, requests, start, end, options));
            start = end;
        }

        return running;
    }

    private List<Running> PrefillPiece(ModelCache cache, IReadOnlyList<GenerationRequest> requests, int start, int end, GenerationOptions options)
    {
        Device device = _model.Device;
        using TensorScope scope = device.Scope();
        var prompts = new List<ReadOnlyMemory<int>>();
        var sequences = new List<CachedSequence>();
        var lastRows = new List<int>();
        var running = new List<Running>();
        int rows = 0;
        for (int i = start; i < end; i++)
        {
            prompts.Add(requests[i].Prompt);
            sequences.Add(cache.Add());
            rows += requests[i].Prompt.Length;
            lastRows.Add(rows - 1);
        }

        Tensor hidden = _model.Forward(cache, sequences, prompts);
        var sampleRows = new List<int>();
        for (int i = start; i < end; i++)
        {
            for (int sample = 0; sample < requests[i].Samples; sample++)
            {
                CachedSequence cached = sample == 0 ? sequences[i - start] : cache.Fork(sequences[i - start]);
                running.Add(new Running(i, sample, cached, SplitMix64.Mix(requests[i].Seed + (ulong)sample * 0x9e3779b97f4a7c15)));
                sampleRows.Add(lastRows[i - start]);
            }
        }

        Choose(running, Rows(hidden, sampleRows), options);
        return running;
    }

    private void Step(ModelCache cache, List<Running> running, GenerationOptions options)
    {
        using TensorScope scope = _model.Device.Scope();
        Tensor hidden = _model.Forward(
            cache, [.. running.Select(r => r.Cached)], [.. running.Select(r => (ReadOnlyMemory<int>)new[] { r.Last })]);
        Choose(running, hidden, options);
    }

    private void Choose(List<Running> running, Tensor hidden, GenerationOptions options)
    {
        long[] seeds = [.. running.Select(r => (long)r.Seed)];
        long[] positions = [.. running.Select(r => (long)r.Count)];
        (int[] tokens, float[] logp) = Sampler.Sample(_model.Logits(hidden), options, seeds, positions);
        for (int i = 0; i < running.Count; i++)
        {
            running[i].Append(tokens[i], logp[i], options);
        }
    }

    private static Tensor Rows(Tensor hidden, List<int> rows)
    {
        Tensor picked = Tensor.Empty(hidden.Device, hidden.ElementType, rows.Count, hidden.Shape[1]);
        for (int i = 0; i < rows.Count; i++)
        {
            using Tensor from = hidden.Slice(rows[i], 1);
            using Tensor to = picked.Slice(i, 1);
            to.CopyFrom(from);
        }

        return picked;
    }

    private void RequirePrompt(GenerationRequest request, int index)
    {
        if (request.Prompt.IsEmpty)
        {
            throw new ArgumentException($"The prompt of request {index} is empty.");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(request.Samples, 1);
        foreach (int id in request.Prompt.Span)
        {
            if ((uint)id >= (uint)_model.Config.VocabSize)
            {
                throw new ArgumentException($"The prompt of request {index} holds the id {id}; the vocabulary has {_model.Config.VocabSize}.");
            }
        }
    }

    private sealed class Running(int request, int sample, CachedSequence cached, ulong seed)
    {
        private readonly List<int> _tokens = [];
        private readonly List<float> _logp = [];
        private int _sure;

        public int Request => request;

        public int Sample => sample;

        public CachedSequence Cached => cached;

        public ulong Seed => seed;

        public int Count => _tokens.Count;

        public int Last => _tokens[^1];

        public void Append(int token, float logp, GenerationOptions options)
        {
            _tokens.Add(token);
            _logp.Add(logp);
            _sure = logp > MathF.Log(options.RepetitionProbability) ? _sure + 1 : 0;
        }

        public FinishReason? Finished(GenerationOptions options) =>
            options.StopTokens.Contains(Last) ? FinishReason.Stop
            : _sure >= options.RepetitionTokens ? FinishReason.Repetition
            : Count >= options.MaxNewTokens ? FinishReason.Length
            : null;

        public Completion Complete(FinishReason reason) => new([.. _tokens], [.. _logp], reason);
    }
}
