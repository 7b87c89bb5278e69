using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Generation;

/// <summary>
/// The sequences that one model generates at the same time. Requests come and go between steps; a step is one more token of
/// every sequence and a piece of the prompts that wait. For one caller at a time.
/// </summary>
internal sealed class ContinuousBatch : IDisposable
{
    private readonly MiniMaxForCausalLM _model;
    private readonly Tokenizer? _tokenizer;
    private readonly EngineOptions _options;
    private readonly ModelCache _cache;
    private readonly PrefixCache _prefixes;
    private readonly DecodeGraphs? _graphs;
    private readonly LinkedList<Job> _waiting = [];
    private readonly List<Job> _prompts = [];
    private readonly List<(Job Job, ActiveSequence Sequence)> _decoding = [];

    public ContinuousBatch(MiniMaxForCausalLM model, EngineOptions options, Tokenizer? tokenizer)
    {
        options.Validate();
        _model = model;
        _options = options;
        _tokenizer = tokenizer;
        long state = Math.Max(ModelCache.StateBytes(model.Config), 1);
        int snapshots = (int)Math.Min(options.SnapshotBytes / state, 4096);
        bool graphs = !model.Device.IsCpu;
        _cache = new ModelCache(model, options.MaxSequences + snapshots, options.CacheTokens, graphs ? DecodeGraphs.MostPadding(options.MaxSequences) : 0);
        _graphs = graphs ? new DecodeGraphs(model, _cache, options.RecordExperts) : null;
        _prefixes = new PrefixCache(_cache, snapshots);
    }

    /// <summary>Takes the memory now, so that the system cannot refuse it in the middle of a text.</summary>
    public void Commit() => _cache.Commit();

    /// <summary>Whether there is nothing to do.</summary>
    public bool Idle => _waiting.Count == 0 && _prompts.Count == 0 && _decoding.Count == 0;

    /// <summary>Sequences being generated or computed.</summary>
    public int Running => _decoding.Count + _prompts.Sum(p => p.Request.Samples);

    /// <summary>Sequences that wait for memory.</summary>
    public int Waiting => _waiting.Sum(p => p.Request.Samples);

    /// <summary>Prompt tokens that were computed, and those that a snapshot saved.</summary>
    public (long Computed, long Reused) PromptTokens { get; private set; }

    /// <summary>Beginnings of prompts that are remembered.</summary>
    public int Snapshots => _prefixes.Count;

    /// <summary>Pages of keys and values in use, and in all.</summary>
    public (int Used, int Total) Pages => (_cache.TotalPages - _cache.FreePages, _cache.TotalPages);

    /// <summary>A request that joins as soon as there is memory for it.</summary>
    public sealed class Job(GenerationRequest request, GenerationOptions options, Action<GenerationUpdate> onUpdate, Action<Exception> onError)
    {
        public GenerationRequest Request => request;

        public GenerationOptions Options => options;

        public Action<GenerationUpdate> OnUpdate => onUpdate;

        public Action<Exception> OnError => onError;

        /// <summary>What the cache holds of the prompt, once the job is admitted.</summary>
        public CachedSequence? Cached { get; set; }

        /// <summary>Lengths of the prompt at which to stop for a snapshot.</summary>
        public HashSet<int> Cuts { get; } = [];

        public int Length => Request.Prompt.Length;
    }

    /// <exception cref="ArgumentException">The request can never run; the message has the figures.</exception>
    public static void Check(MiniMaxForCausalLM model, EngineOptions engine, GenerationRequest request, GenerationOptions options, bool hasTokenizer)
    {
        options.Validate();
        ArgumentOutOfRangeException.ThrowIfLessThan(request.Samples, 1);
        if (request.Prompt.IsEmpty)
        {
            throw new ArgumentException("The prompt is empty.", nameof(request));
        }

        for (int i = 0; i < request.Prompt.Length; i++)
        {
            if ((uint)request.Prompt.Span[i] >= (uint)model.Config.VocabSize)
            {
                throw new ArgumentException($"The prompt holds the id {request.Prompt.Span[i]} at position {i}; the vocabulary has {model.Config.VocabSize}.", nameof(request));
            }
        }

        if (!hasTokenizer && (options.StopStrings.Count > 0 || options.ThinkingBudget is not null))
        {
            throw new ArgumentException("Stop strings and a thinking budget need a tokenizer.", nameof(options));
        }

        long length = (long)request.Prompt.Length + options.MaxNewTokens;
        if (length > model.Config.MaxPositionEmbeddings)
        {
            throw new ArgumentException($"A prompt of {request.Prompt.Length} tokens and {options.MaxNewTokens} new ones are {length}, more than the model's context of {model.Config.MaxPositionEmbeddings}.", nameof(request));
        }

        if (request.Samples > engine.MaxSequences)
        {
            throw new ArgumentException($"{request.Samples} samples are asked for; {engine.MaxSequences} sequences fit at a time.", nameof(request));
        }

        // In whole pages: the prompt's full ones are shared, each sample has the others for itself.
        long shared = request.Prompt.Length / ModelCache.PageSize * ModelCache.PageSize;
        long tokens = shared + request.Samples * (length - shared);
        if (model.Config.AttnTypeList.Contains(1) && tokens > engine.CacheTokens)
        {
            throw new ArgumentException($"{request.Samples} × {options.MaxNewTokens} new tokens after a prompt of {request.Prompt.Length} take {tokens} tokens of cache; the engine has {engine.CacheTokens}.", nameof(request));
        }
    }

    /// <summary>Queues a request that passed <see cref="Check"/>.</summary>
    public void Add(Job job) => _waiting.AddLast(job);

    /// <summary>Takes a request out, wherever it is, and frees its memory.</summary>
    public void Cancel(Job job)
    {
        _waiting.Remove(job);
        if (_prompts.Remove(job))
        {
            _cache.Remove(job.Cached!);
        }

        foreach ((_, ActiveSequence sequence) in _decoding.FindAll(d => d.Job == job))
        {
            _cache.Remove(sequence.Cached);
        }

        _decoding.RemoveAll(d => d.Job == job);
    }

    /// <summary>All requests, for an error that concerns them all.</summary>
    public IReadOnlyList<Job> Jobs => [.. _waiting.Concat(_prompts).Concat(_decoding.Select(d => d.Job)).Distinct()];

    /// <summary>One more token of each sequence, then a piece of prompts.</summary>
    public void Step()
    {
        Admit();
        Decode();
        Prefill();
    }

    public void Dispose()
    {
        _graphs?.Dispose();
        _cache.Dispose();
    }

    // First come, first served: a request never waits for a later one.
    private void Admit()
    {
        while (_waiting.First?.Value is { } job && Admit(job))
        {
            _waiting.RemoveFirst();
            _prompts.Add(job);
        }
    }

    private bool Admit(Job job)
    {
        ReadOnlySpan<int> prompt = job.Request.Prompt.Span;
        if (Running + job.Request.Samples > _options.MaxSequences)
        {
            return false;
        }

        CachedSequence? prefix = _prefixes.Find(prompt);
        if (WaitsForPrefix(prompt, prefix?.Length ?? 0))
        {
            return false;
        }

        int own = Needed(job, prefix?.Length ?? 0);
        while (_cache.FreePages - Promised() < own)
        {
            if (!_prefixes.Evict())
            {
                return false;
            }

            prefix = _prefixes.Find(prompt);
            own = Needed(job, prefix?.Length ?? 0);
        }

        job.Cached = prefix is null ? _cache.Add() : _cache.Fork(prefix);
        if (_options.RecordExperts)
        {
            job.Cached.Experts ??= [];
        }

        job.Cuts.Clear();
        if (_options.SnapshotBytes > 0)
        {
            job.Cuts.Add(_prefixes.Branch(prompt));
            job.Cuts.Add(PrefixCache.Align(prompt.Length - 1));
        }

        PromptTokens = (PromptTokens.Computed, PromptTokens.Reused + job.Cached.Length);
        return true;
    }

    // Another prompt that begins alike is being computed: its snapshot is worth waiting for.
    private bool WaitsForPrefix(ReadOnlySpan<int> prompt, int found)
    {
        if (_prefixes.Capacity == 0)
        {
            return false;
        }

        foreach (Job other in _prompts)
        {
            int common = PrefixCache.Align(Math.Min(prompt.Length - 1, prompt.CommonPrefixLength(other.Request.Prompt.Span)));
            if (common > found && common >= other.Cached!.Length)
            {
                other.Cuts.Add(common);
                return true;
            }
        }

        return false;
    }

    // Pages that a job takes at most, beyond those of a snapshot: one prompt, and what each sample adds to its full pages.
    private int Needed(Job job, int held)
    {
        int shared = _cache.TotalPages == 0 ? 0 : job.Length / ModelCache.PageSize;
        return shared - _cache.PagesFor(held) + job.Request.Samples * (_cache.PagesFor((long)job.Length + job.Options.MaxNewTokens) - shared);
    }

    // Pages that running sequences may still ask for.
    private int Promised() =>
        _prompts.Sum(job => Needed(job, 0) - job.Cached!.Pages.Count)
        + _decoding.Sum(d => _cache.PagesFor(d.Sequence.MaxLength) - d.Sequence.Cached.Pages.Count);

    private void Decode()
    {
        if (_decoding.Count == 0)
        {
            return;
        }

        using TensorScope scope = _model.Device.Scope();
        CachedSequence[] cached = [.. _decoding.Select(d => d.Sequence.Cached)];
        int[] tokens = [.. _decoding.Select(d => d.Sequence.Last)];
        List<Tensor>? experts = ExpertChoices();
        Tensor logits = _graphs is not null
            ? _graphs.Logits(cached, tokens, experts)
            : _model.Logits(_model.Forward(_cache, cached, [.. tokens.Select((_, i) => new ReadOnlyMemory<int>(tokens, i, 1))], decoding: true, experts));
        Record(experts, cached, [.. cached.Select(_ => 1)]);
        Choose(logits, _decoding);
    }

    private void Prefill()
    {
        if (_prompts.Count == 0)
        {
            return;
        }

        using TensorScope scope = _model.Device.Scope();
        var jobs = new List<Job>();
        var pieces = new List<ReadOnlyMemory<int>>();
        int left = _options.PrefillTokens;
        foreach (Job job in _prompts)
        {
            int length = NextPiece(job, left);
            if (length == 0)
            {
                break;
            }

            jobs.Add(job);
            pieces.Add(job.Request.Prompt.Slice(job.Cached!.Length, length));
            left -= length;
        }

        CachedSequence[] cached = [.. jobs.Select(j => j.Cached!)];
        List<Tensor>? experts = ExpertChoices();
        Tensor hidden = _model.Forward(_cache, cached, pieces, decoding: false, experts);
        Record(experts, cached, [.. pieces.Select(p => p.Length)]);
        PromptTokens = (PromptTokens.Computed + hidden.Shape[0], PromptTokens.Reused);
        foreach (Job job in jobs.Where(j => j.Cuts.Contains(j.Cached!.Length)))
        {
            _prefixes.Add(job.Request.Prompt.Span[..job.Cached!.Length], job.Cached);
        }

        Start(jobs, pieces, hidden);
    }

    // Up to the next cut, and no further than the budget; a piece that does not end the prompt ends at the grain.
    private static int NextPiece(Job job, int left)
    {
        int start = job.Cached!.Length;
        int end = job.Cuts.Where(c => c > start).Append(job.Length).Min();
        return end - start <= left ? end - start : PrefixCache.Align(left);
    }

    // The first token of every sample of the prompts that are complete.
    private void Start(List<Job> jobs, List<ReadOnlyMemory<int>> pieces, Tensor hidden)
    {
        var started = new List<(Job Job, ActiveSequence Sequence)>();
        var rows = new List<int>();
        for (int i = 0, row = -1; i < jobs.Count; i++)
        {
            row += pieces[i].Length;
            Job job = jobs[i];
            if (job.Cached!.Length < job.Length)
            {
                continue;
            }

            // Each is listed as soon as it has memory, so that Cancel finds it whatever fails.
            _prompts.Remove(job);
            for (int sample = 0; sample < job.Request.Samples; sample++)
            {
                CachedSequence cached = sample == 0 ? job.Cached : _cache.Fork(job.Cached);
                ulong seed = SplitMix64.Mix(job.Request.Seed + (ulong)sample * 0x9e3779b97f4a7c15);
                started.Add((job, new ActiveSequence(job.Request.Prompt, sample, seed, cached, job.Options, _tokenizer)));
                _decoding.Add(started[^1]);
                rows.Add(row);
            }
        }

        if (started.Count > 0)
        {
            Choose(_model.Logits(Rows(hidden, rows)), started);
        }
    }

    private void Choose(Tensor logits, IReadOnlyList<(Job Job, ActiveSequence Sequence)> sequences)
    {
        (Job Job, ActiveSequence Sequence)[] rows = [.. sequences];
        GenerationUpdate?[] updates = Sampler.Choose(logits, [.. rows.Select(r => r.Sequence)]);
        for (int i = 0; i < rows.Length; i++)
        {
            if (updates[i]?.Finish is not null)
            {
                _cache.Remove(rows[i].Sequence.Cached);
                _decoding.Remove(rows[i]);
            }
        }

        for (int i = 0; i < rows.Length; i++)
        {
            (Job job, ActiveSequence sequence) = rows[i];
            if (updates[i] is { } update)
            {
                job.OnUpdate(update);
            }
            else
            {
                Cancel(job);
                job.OnError(sequence.Error!);
            }
        }
    }

    private List<Tensor>? ExpertChoices() => _options.RecordExperts ? [] : null;

    // Choices int32 [rows, topK] by layer; the rows are new tokens of the sequences, in their order, and may be followed by others.
    private static void Record(List<Tensor>? choices, CachedSequence[] sequences, int[] counts)
    {
        if (choices is null)
        {
            return;
        }

        int[][] layers = [.. choices.Select(c => c.ToArray<int>())];
        int topK = (int)choices[0].Shape[1], row = 0;
        for (int i = 0; i < sequences.Length; i++)
        {
            for (int end = row + counts[i]; row < end; row++)
            {
                foreach (int[] layer in layers)
                {
                    for (int k = 0; k < topK; k++)
                    {
                        sequences[i].Experts!.Add((ushort)layer[row * topK + k]);
                    }
                }
            }
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
}
