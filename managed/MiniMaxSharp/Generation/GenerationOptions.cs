namespace MiniMaxSharp.Generation;

/// <summary>How to continue a prompt. Checked by <see cref="Validate"/> before anything runs.</summary>
public sealed record GenerationOptions
{
    /// <summary>Tokens to generate at most, for each sequence.</summary>
    public int MaxNewTokens { get; init; } = 256;

    /// <summary>Divides the logits; 0 always takes the most probable token.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Smallest set of tokens whose probability reaches this; 1: all.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Number of most probable tokens to choose from; 0: all.</summary>
    public int TopK { get; init; }

    /// <summary>Tokens less probable than this share of the most probable one are left out; 0: none.</summary>
    public float MinP { get; init; }

    /// <summary>Divides a positive logit, and multiplies a negative one, of every token that prompt or answer hold; 1: no effect.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Taken off the logit of every token that the answer holds; as OpenAI's interface has it.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Taken off the logit of a token for each time that the answer holds it.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Change the logits before a token is chosen, in this order, after the penalties.</summary>
    public IReadOnlyList<ILogitProcessor> LogitProcessors { get; init; } = [];

    /// <summary>So many most probable tokens are reported beside each chosen one, at most 20.</summary>
    public int TopLogProbabilities { get; init; }

    /// <summary>Tokens that end a sequence; they are part of it, but not of its text.</summary>
    public IReadOnlyList<int> StopTokens { get; init; } = [];

    /// <summary>Texts that end a sequence; the text ends before them. They need a tokenizer.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Bounds thinking; null: it may go on to the end. Needs a tokenizer.</summary>
    public ThinkingBudget? ThinkingBudget { get; init; }

    /// <summary>
    /// A sequence ends when so many consecutive tokens each had a probability above <see cref="RepetitionProbability"/>: a
    /// model that repeats itself is sure of it (MiniMax-M1 report, section 3.2).
    /// </summary>
    public int RepetitionTokens { get; init; } = 3000;

    /// <summary>See <see cref="RepetitionTokens"/>.</summary>
    public float RepetitionProbability { get; init; } = 0.99f;

    /// <summary>Sequences that are generated at the same time. No text depends on it.</summary>
    public int MaxBatch { get; init; } = 512;

    /// <summary>Throws on a value that makes no sense, naming it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MaxNewTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(Temperature);
        RequireFinite(Temperature, nameof(Temperature));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(RepetitionPenalty);
        RequireFinite(RepetitionPenalty, nameof(RepetitionPenalty));
        RequireFinite(PresencePenalty, nameof(PresencePenalty));
        RequireFinite(FrequencyPenalty, nameof(FrequencyPenalty));
        ArgumentOutOfRangeException.ThrowIfNegative(TopLogProbabilities);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(TopLogProbabilities, 20);
        if (StopStrings.Contains(""))
        {
            throw new ArgumentException("A stop string is empty.", nameof(StopStrings));
        }

        ThinkingBudget?.Validate();
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(TopP);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(TopP, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(TopK);
        ArgumentOutOfRangeException.ThrowIfNegative(MinP);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MinP, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(RepetitionTokens);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MaxBatch);
    }

    private static void RequireFinite(float value, string name)
    {
        if (!float.IsFinite(value))
        {
            throw new ArgumentOutOfRangeException(name, value, "The value should be finite.");
        }
    }
}

/// <summary>Changes the logits of the next token in a way of one's own.</summary>
public interface ILogitProcessor
{
    /// <summary>Called once for each new token of each sequence, always by one caller at a time.</summary>
    /// <param name="prompt">Ids of the prompt.</param>
    /// <param name="answer">Ids of the answer so far.</param>
    /// <param name="logits">One number for each id of the vocabulary; negative infinity forbids a token.</param>
    void Process(ReadOnlySpan<int> prompt, ReadOnlySpan<int> answer, Span<float> logits);
}

/// <summary>Bounds the tokens between <c>&lt;think&gt;</c> and <c>&lt;/think&gt;</c>: when they are used up, the close is put into the answer.</summary>
/// <param name="MaxTokens">Tokens of thinking after the opening tag.</param>
public sealed record ThinkingBudget(int MaxTokens)
{
    /// <summary>The tag that opens thinking.</summary>
    public const string Open = "<think>";

    /// <summary>The tag that ends thinking.</summary>
    public const string Close = "</think>";

    /// <summary>The text that is put in; it must hold the closing tag.</summary>
    public string Injection { get; init; } = $"\n{Close}\n\n";

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(MaxTokens);
        if (!Injection.Contains(Close, StringComparison.Ordinal))
        {
            throw new ArgumentException($"'{Injection}' does not hold {Close}.", nameof(Injection));
        }
    }
}

/// <summary>A prompt to continue one or several times. The same seed gives the same texts, whatever else is in the batch.</summary>
/// <param name="Prompt">Token ids; at least one.</param>
/// <param name="Seed">Of the random choices; sample j uses a number of its own derived from it.</param>
/// <param name="Samples">How many continuations; the prompt is computed once for all of them.</param>
public sealed record GenerationRequest(ReadOnlyMemory<int> Prompt, ulong Seed = 0, int Samples = 1);

/// <summary>Why a sequence ended.</summary>
public enum FinishReason
{
    /// <summary>A stop token or a stop string.</summary>
    Stop,

    /// <summary><see cref="GenerationOptions.MaxNewTokens"/>.</summary>
    Length,

    /// <summary><see cref="GenerationOptions.RepetitionTokens"/>.</summary>
    Repetition,
}

/// <summary>A token and its log-probability under the untempered, uncut distribution.</summary>
public readonly record struct TokenLogProbability(int Token, float LogProbability);

/// <summary>One new token of a sequence.</summary>
/// <param name="Sample">Which continuation of the prompt.</param>
/// <param name="Token">Its id.</param>
/// <param name="LogProbability">Under the untempered distribution before penalties and processors.</param>
public sealed record GenerationUpdate(int Sample, int Token, float LogProbability)
{
    /// <summary>Whether the token was put in by a <see cref="ThinkingBudget"/> and not chosen by the model.</summary>
    public bool Injected { get; init; }

    /// <summary>
    /// The text that is now certain; never half a character, nor what may still become a stop string. Empty without a tokenizer.
    /// </summary>
    public string Text { get; init; } = "";

    /// <summary>The most probable tokens, <see cref="GenerationOptions.TopLogProbabilities"/> of them.</summary>
    public IReadOnlyList<TokenLogProbability> Top { get; init; } = [];

    /// <summary>Set with the last token.</summary>
    public FinishReason? Finish { get; init; }

    /// <summary>With the last token, where they are recorded: see <see cref="Completion.Experts"/>.</summary>
    public ushort[]? Experts { get; init; }
}

/// <summary>One continuation of a prompt.</summary>
/// <param name="Tokens">The new tokens, the stop token included.</param>
/// <param name="LogProbabilities">Of each under the untempered, uncut distribution.</param>
/// <param name="Reason">Why it ended.</param>
public sealed record Completion(int[] Tokens, float[] LogProbabilities, FinishReason Reason)
{
    /// <summary>The answer without the stop token, stop string and special tokens; empty without a tokenizer.</summary>
    public string Text { get; init; } = "";

    /// <summary>Positions in <see cref="Tokens"/> that were put in from outside: by a <see cref="ThinkingBudget"/>, or by what the model acts on.</summary>
    public IReadOnlyList<int> Injected { get; init; } = [];

    /// <summary>
    /// The experts that each token went to, [tokens, layers, experts per token]: those of the prompt, then the new ones without the last,
    /// which went nowhere. Null unless the generator records them.
    /// </summary>
    public ushort[]? Experts { get; init; }

    /// <summary>Puts a sequence's updates together.</summary>
    internal static Completion Of(IReadOnlyList<GenerationUpdate> updates) => new(
        [.. updates.Select(u => u.Token)], [.. updates.Select(u => u.LogProbability)], updates[^1].Finish!.Value)
    {
        Text = string.Concat(updates.Select(u => u.Text)),
        Injected = [.. Enumerable.Range(0, updates.Count).Where(i => updates[i].Injected)],
        Experts = updates[^1].Experts,
    };
}
