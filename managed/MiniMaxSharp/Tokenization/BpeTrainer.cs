using System.Text;
using System.Text.Json;

namespace MiniMaxSharp.Tokenization;

/// <summary>What a new tokenizer is to look like.</summary>
public sealed record BpeTrainerOptions
{
    /// <summary>
    /// Splits a text as cl100k's expression does: contractions, a word with the character before it, numbers of up to
    /// three digits, punctuation with the space before and the line breaks after it, white space.
    /// </summary>
    public const string DefaultPattern =
        @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The most tokens that there may be: 256 bytes, merges, added and special tokens.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The expression whose matches are never merged across, in the dialect of tokenizer.json.</summary>
    public string Pattern { get; init; } = DefaultPattern;

    /// <summary>Tokens that are text, yet whole wherever they occur, such as a tag.</summary>
    public IReadOnlyList<string> AddedTokens { get; init; } = [];

    /// <summary>Tokens that steer the model; the chat template's must be among them.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } =
        [ChatTemplate.BeginOfDocument, ChatTemplate.BeginningOfSentence, ChatTemplate.EndOfSentence];

    /// <summary>The special token that begins a sequence; null for none.</summary>
    public string? BosToken { get; init; } = ChatTemplate.BeginningOfSentence;

    /// <summary>The special token that ends a sequence; null for none.</summary>
    public string? EosToken { get; init; } = ChatTemplate.EndOfSentence;

    /// <summary>The special token that fills a batch; null for none, as nothing here pads.</summary>
    public string? PadToken { get; init; }

    /// <summary>The chat template written beside the tokenizer; null for none.</summary>
    public ChatTemplate? ChatTemplate { get; init; } = ChatTemplate.MiniMaxM1;
}

/// <summary>
/// Learns a byte-level BPE (Sennrich et al. 2016): the most frequent pair of adjacent tokens merges next, that of the
/// lowest ids among equals, until the vocabulary is full or every piece of the text is one token. So the words of a
/// small closed vocabulary all become tokens where the size permits. The same texts in any order give the same result.
/// </summary>
public sealed class BpeTrainer
{
    private readonly Dictionary<string, int> _ids = [];
    private readonly List<string> _tokens = [];
    private readonly List<(string Left, string Right)> _merges = [];
    private readonly List<Word> _words = [];
    private readonly Dictionary<Pair, PairStatistics> _pairs = [];
    private readonly PriorityQueue<Pair, (long NegatedCount, Pair Pair)> _queue = new();

    private BpeTrainer(IEnumerable<KeyValuePair<string, long>> pieces)
    {
        foreach (var value in ByteSymbols.InIdOrder)
        {
            IdOf(ByteSymbols.SymbolOf(value).ToString());
        }

        foreach (var (piece, count) in pieces)
        {
            AddWord(piece, count);
        }

        foreach (var (pair, statistics) in _pairs)
        {
            _queue.Enqueue(pair, (-statistics.Count, pair));
        }
    }

    /// <summary>Learns from the texts. Ids: the 256 bytes in GPT-2's order, merges, added tokens, special tokens.</summary>
    /// <param name="texts">Any texts; added and special tokens in them are not learned from.</param>
    /// <param name="options">What the tokenizer is to look like.</param>
    /// <param name="cancellationToken">Ends the work early.</param>
    /// <exception cref="ArgumentException">
    /// The size leaves no room for the bytes and the tokens asked for, a token is empty or named twice, or a role names a
    /// token that is not special.
    /// </exception>
    /// <exception cref="FormatException">The pattern is malformed or not supported.</exception>
    public static Tokenizer Train(
        IEnumerable<string> texts, BpeTrainerOptions options, CancellationToken cancellationToken = default)
    {
        var whole = CheckedTokens(options);
        var preTokenizer = TokenizerDefinition.SplitThenBytes(options.Pattern);
        var pieces = CountPieces(texts, preTokenizer, whole, cancellationToken);
        var trainer = new BpeTrainer(pieces.OrderBy(entry => entry.Key, StringComparer.Ordinal));
        trainer.MergeUntil(options.VocabularySize - whole.Count, cancellationToken);
        var added = whole.Select((token, index) => token with { Id = trainer._ids.Count + index }).ToList();
        var vocabulary = new BytePairVocabulary(trainer._ids, trainer._merges);
        return new Tokenizer(new TokenizerDefinition(vocabulary, added, preTokenizer), Configuration(options));
    }

    /// <summary>The added, then the special tokens, without ids as yet.</summary>
    private static List<AddedToken> CheckedTokens(BpeTrainerOptions options)
    {
        var tokens = options.AddedTokens.Select(content => new AddedToken(0, content) { Special = false })
            .Concat(options.SpecialTokens.Select(content => new AddedToken(0, content)))
            .ToList();
        if (tokens.FirstOrDefault(token => !IsText(token.Content)) is { } bad)
        {
            throw new ArgumentException($"An added token must be text, '{bad.Content}' is not.", nameof(options));
        }

        if (tokens.CountBy(token => token.Content).FirstOrDefault(entry => entry.Value > 1) is { Key: { } twice })
        {
            throw new ArgumentException($"The token '{twice}' is named twice.", nameof(options));
        }

        foreach (var (role, content) in Roles(options))
        {
            if (!options.SpecialTokens.Contains(content))
            {
                throw new ArgumentException($"The {role} '{content}' is not among the special tokens.", nameof(options));
            }
        }

        return options.VocabularySize >= 256 + tokens.Count
            ? tokens
            : throw new ArgumentException(
                $"A vocabulary of {options.VocabularySize} cannot hold 256 bytes and {tokens.Count} added tokens.", nameof(options));
    }

    private static bool IsText(string content) => content.Length > 0 && content.EnumerateRunes().All(rune => rune != Rune.ReplacementChar);

    private static IEnumerable<(string Role, string Content)> Roles(BpeTrainerOptions options) =>
        new[] { ("bos_token", options.BosToken), ("eos_token", options.EosToken), ("pad_token", options.PadToken) }
            .Where(entry => entry.Item2 is not null)
            .Select(entry => (entry.Item1, entry.Item2!));

    private static TokenizerConfiguration Configuration(BpeTrainerOptions options)
    {
        const string general =
            """
            {"add_prefix_space": false, "clean_up_tokenization_spaces": false, "tokenizer_class": "PreTrainedTokenizerFast"}
            """;
        using var document = JsonDocument.Parse(general);
        return new TokenizerConfiguration
        {
            Other = [.. document.RootElement.Clone().EnumerateObject().Select(property => (property.Name, property.Value))],
            Roles = Roles(options).ToDictionary(entry => entry.Role, entry => entry.Content),
            ChatTemplate = options.ChatTemplate?.Jinja,
        };
    }

    private static Dictionary<string, long> CountPieces(
        IEnumerable<string> texts, PreTokenizer preTokenizer, List<AddedToken> whole, CancellationToken cancellationToken)
    {
        var counts = new Dictionary<string, long>();
        var byPiece = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        var splitter = new AddedTokenSplitter(whole.Select(token => (token.Content, token)));
        foreach (var text in texts)
        {
            cancellationToken.ThrowIfCancellationRequested();
            splitter.Split(text, (stretch, _) => preTokenizer.Split(stretch, 0, (piece, _) => Count(piece)), (_, _, _) => { });
        }

        return counts;

        void Count(ReadOnlySpan<char> piece) => byPiece[piece] = byPiece.TryGetValue(piece, out var count) ? count + 1 : 1;
    }

    private int IdOf(string token)
    {
        if (!_ids.TryGetValue(token, out var id))
        {
            id = _tokens.Count;
            _ids.Add(token, id);
            _tokens.Add(token);
        }

        return id;
    }

    private void AddWord(string piece, long count)
    {
        var symbols = Encoding.UTF8.GetBytes(piece).Select(value => _ids[ByteSymbols.SymbolOf(value).ToString()]).ToList();
        _words.Add(new Word(symbols, count));
        for (var i = 1; i < symbols.Count; i++)
        {
            Statistics(new Pair(symbols[i - 1], symbols[i])).Add(_words.Count - 1, count);
        }
    }

    private PairStatistics Statistics(Pair pair)
    {
        if (!_pairs.TryGetValue(pair, out var statistics))
        {
            _pairs.Add(pair, statistics = new PairStatistics());
        }

        return statistics;
    }

    private void MergeUntil(int size, CancellationToken cancellationToken)
    {
        while (_tokens.Count < size && _queue.TryDequeue(out var pair, out var queued))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = _pairs[pair].Count;
            if (count == -queued.NegatedCount && count > 0)
            {
                Merge(pair);
            }
        }
    }

    private void Merge(Pair pair)
    {
        var (left, right) = (_tokens[pair.Left], _tokens[pair.Right]);
        var merged = IdOf(left + right);
        _merges.Add((left, right));
        var changed = new HashSet<Pair>();
        foreach (var index in _pairs[pair].Words)
        {
            MergeInWord(index, pair, merged, changed);
        }

        foreach (var other in changed.Where(other => other != pair && _pairs[other].Count > 0))
        {
            _queue.Enqueue(other, (-_pairs[other].Count, other));
        }
    }

    /// <summary>Takes the word's pairs out of the statistics and puts those of the merged word in.</summary>
    private void MergeInWord(int index, Pair pair, int merged, HashSet<Pair> changed)
    {
        var (symbols, count) = _words[index];
        CountPairs(-count);
        var kept = 0;
        for (var i = 0; i < symbols.Count; i++)
        {
            var joins = i + 1 < symbols.Count && symbols[i] == pair.Left && symbols[i + 1] == pair.Right;
            symbols[kept++] = joins ? merged : symbols[i];
            i += joins ? 1 : 0;
        }

        symbols.RemoveRange(kept, symbols.Count - kept);
        CountPairs(count);

        void CountPairs(long signedCount)
        {
            for (var i = 1; i < symbols.Count; i++)
            {
                var other = new Pair(symbols[i - 1], symbols[i]);
                changed.Add(other);
                Statistics(other).Add(index, signedCount);
            }
        }
    }

    private readonly record struct Pair(int Left, int Right) : IComparable<Pair>
    {
        public int CompareTo(Pair other) => (Left, Right).CompareTo((other.Left, other.Right));
    }

    private sealed record Word(List<int> Symbols, long Count);

    /// <summary>How often a pair occurs, and the words where it does or did.</summary>
    private sealed class PairStatistics
    {
        private readonly HashSet<int> _words = [];

        public long Count { get; private set; }

        public IEnumerable<int> Words => [.. _words];

        public void Add(int word, long count)
        {
            Count += count;
            _words.Add(word);
        }
    }
}
