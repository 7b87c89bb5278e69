using System.Numerics.Tensors;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Generation;

/// <summary>A sequence that is being generated: its tokens, its text, and what may end it.</summary>
internal sealed class ActiveSequence(ReadOnlyMemory<int> prompt, int sample, ulong seed, CachedSequence cached, GenerationOptions options, Tokenizer? tokenizer)
{
    private readonly TextWatch? _watch = tokenizer is null ? null : new TextWatch(tokenizer, options, prompt.Span);
    private readonly Dictionary<int, int> _counts = [];
    private readonly List<int> _tokens = [];
    private readonly Queue<int> _injections = [];
    private int _sure;

    public ReadOnlyMemory<int> Prompt => prompt;

    public ulong Seed => seed;

    public CachedSequence Cached => cached;

    public GenerationOptions Options => options;

    public IReadOnlyList<int> Tokens => _tokens;

    public int Last => _tokens[^1];

    /// <summary>Tokens that prompt and answer come to at most.</summary>
    public long MaxLength => (long)prompt.Length + options.MaxNewTokens;

    /// <summary>Whether the row of logits is needed on the host.</summary>
    public bool LooksAtLogits => Penalises || options.LogitProcessors.Count > 0 || options.TopLogProbabilities > 0 || _injections.Count > 0;

    private bool Penalises => options is not { RepetitionPenalty: 1, PresencePenalty: 0, FrequencyPenalty: 0 };

    /// <summary>Why the sequence cannot go on.</summary>
    public Exception? Error { get; set; }

    /// <summary>Penalties, then the caller's processors; false, and <see cref="Error"/>, if those fail or leave nothing to choose.</summary>
    public bool TryEdit(Span<float> logits)
    {
        try
        {
            Edit(logits);
            if (!float.IsFinite(TensorPrimitives.Max<float>(logits)))
            {
                throw new ArithmeticException($"Penalties and logit processors leave no possible token, or NaN or infinity, after {prompt.Length + _tokens.Count} tokens.");
            }

            return true;
        }
        catch (Exception error)
        {
            Error = error;
            return false;
        }
    }

    private void Edit(Span<float> logits)
    {
        if (options.RepetitionPenalty != 1)
        {
            foreach (int id in prompt.ToArray().Concat(_tokens).Distinct())
            {
                logits[id] = logits[id] > 0 ? logits[id] / options.RepetitionPenalty : logits[id] * options.RepetitionPenalty;
            }
        }

        foreach ((int id, int count) in _counts)
        {
            logits[id] -= options.PresencePenalty + options.FrequencyPenalty * count;
        }

        foreach (ILogitProcessor processor in options.LogitProcessors)
        {
            processor.Process(prompt.Span, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_tokens), logits);
        }
    }

    /// <summary>The next token that a thinking budget puts in.</summary>
    public bool TryInject(out int token) => _injections.TryDequeue(out token);

    public GenerationUpdate Append(int token, float logProbability, bool injected, IReadOnlyList<TokenLogProbability> top)
    {
        _tokens.Add(token);
        if (Penalises)
        {
            _counts[token] = _counts.GetValueOrDefault(token) + 1;
        }

        _sure = !injected && logProbability > MathF.Log(options.RepetitionProbability) ? _sure + 1 : 0;
        bool stopToken = !injected && options.StopTokens.Contains(token);
        string text = stopToken ? "" : _watch?.Append(token, injected, _injections) ?? "";
        FinishReason? finish = stopToken || _watch is { Stopped: true } ? FinishReason.Stop
            : _sure >= options.RepetitionTokens ? FinishReason.Repetition
            : _tokens.Count >= options.MaxNewTokens ? FinishReason.Length
            : null;
        return new GenerationUpdate(sample, token, logProbability)
        {
            Injected = injected,
            Text = finish is null ? text : text + _watch?.Flush(),
            Top = top,
            Finish = finish,
            Experts = finish is null ? null : cached.Experts?.ToArray(),
        };
    }
}
