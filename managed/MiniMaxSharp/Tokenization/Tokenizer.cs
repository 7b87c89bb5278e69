using System.Runtime.InteropServices;
using System.Text;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// Byte-level byte-pair encoding in Hugging Face's format: any text has ids, and its ids give the text back.
/// Immutable and safe to use from several threads.
/// </summary>
public sealed class Tokenizer
{
    private const string TokenizerFile = "tokenizer.json";
    private const string ConfigurationFile = "tokenizer_config.json";
    private const string TemplateFile = "chat_template.jinja";

    private readonly TokenizerDefinition _definition;
    private readonly TokenizerConfiguration _configuration;
    private readonly BytePairModel _model;
    private readonly AddedTokenSplitter _splitter;
    private readonly AddedTokenSplitter _normalizedSplitter;
    private readonly Dictionary<string, int> _addedIds;
    private readonly TokenEntry?[] _entries;
    private readonly int[] _prefix;
    private readonly int[] _suffix;

    internal Tokenizer(TokenizerDefinition definition, TokenizerConfiguration configuration)
    {
        _definition = definition;
        _configuration = configuration;
        _model = new BytePairModel(definition.Vocabulary);
        bool Normalized(AddedToken token) => definition.NormalizeToNfc && token.Normalized;
        _splitter = new AddedTokenSplitter(
            definition.AddedTokens.Where(token => !Normalized(token)).Select(token => (token.Content, token)));
        _normalizedSplitter = new AddedTokenSplitter(
            definition.AddedTokens.Where(Normalized).Select(token => (Normalize(token.Content), token)));
        _addedIds = definition.AddedTokens.DistinctBy(token => token.Content).ToDictionary(token => token.Content, token => token.Id);
        _entries = BuildEntries(definition);
        _prefix = [.. definition.Prefix.Select(token => _addedIds[token])];
        _suffix = [.. definition.Suffix.Select(token => _addedIds[token])];
        ChatTemplate = configuration.ChatTemplate is { } jinja ? new ChatTemplate(jinja) : null;
    }

    /// <summary>One more than the highest id: the least number of rows that an embedding must have.</summary>
    public int VocabularySize => _entries.Length;

    /// <summary>The tokens that are recognised as a whole in a text.</summary>
    public IReadOnlyList<AddedToken> AddedTokens => _definition.AddedTokens;

    /// <summary>Those of <see cref="AddedTokens"/> that steer the model rather than being text.</summary>
    public IReadOnlyList<AddedToken> SpecialTokens => [.. AddedTokens.Where(token => token.Special)];

    /// <summary>The id of the token that begins a sequence, where the configuration names one.</summary>
    public int? BosTokenId => RoleId("bos_token");

    /// <summary>The id of the token that ends a sequence, where the configuration names one.</summary>
    public int? EosTokenId => RoleId("eos_token");

    /// <summary>The id of the token that fills a batch, where the configuration names one.</summary>
    public int? PadTokenId => RoleId("pad_token");

    /// <summary>How messages become one text; null when the configuration has no template.</summary>
    public ChatTemplate? ChatTemplate { get; }

    /// <summary>
    /// Reads tokenizer.json, or else vocab.json and merges.txt (with GPT-2's pre-tokenizer), and
    /// tokenizer_config.json where there is one.
    /// </summary>
    /// <param name="directory">The folder of a checkpoint.</param>
    /// <exception cref="FileNotFoundException">The folder holds no tokenizer.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is malformed or asks for what is not supported; the message names the file and the JSON path or the line.
    /// </exception>
    public static Tokenizer Load(string directory)
    {
        var configuration = ReadConfiguration(directory);
        var tokenizerFile = Path.Combine(directory, TokenizerFile);
        var definition = File.Exists(tokenizerFile)
            ? TokenizerJsonReader.Read(tokenizerFile)
            : VocabularyFiles.Read(directory, configuration);
        return new Tokenizer(definition, configuration);
    }

    internal static TokenizerConfiguration ReadConfiguration(string directory)
    {
        var configurationFile = Path.Combine(directory, ConfigurationFile);
        var configuration = File.Exists(configurationFile) ? TokenizerConfiguration.Read(configurationFile) : new();
        var templateFile = Path.Combine(directory, TemplateFile);
        return File.Exists(templateFile) ? configuration with { ChatTemplate = File.ReadAllText(templateFile) } : configuration;
    }

    /// <summary>Writes tokenizer.json and tokenizer_config.json, the chat template within it, into a folder that exists.</summary>
    /// <param name="directory">The folder of a checkpoint.</param>
    public void Save(string directory)
    {
        TokenizerJsonWriter.Write(Path.Combine(directory, TokenizerFile), _definition);
        _configuration.Write(Path.Combine(directory, ConfigurationFile));
    }

    /// <summary>
    /// The ids of a text. Added tokens are recognised wherever their content stands in it; an unpaired surrogate counts
    /// as U+FFFD.
    /// </summary>
    /// <param name="text">Any text.</param>
    /// <param name="addSpecialTokens">Whether to put around it what the post-processor's template says.</param>
    /// <exception cref="InvalidOperationException">
    /// A byte of the text is not in the vocabulary, which names no unknown token either.
    /// </exception>
    public int[] Encode(ReadOnlySpan<char> text, bool addSpecialTokens = false)
    {
        var ids = new List<int>((text.Length / 3) + 4);
        AddedTokenSplitter.TextHandler onPlain = (plain, _) => _definition.PreTokenizer.Split(plain, 0, (piece, _) => _model.Encode(piece, ids));
        void OnToken(AddedToken token, int start, int end) => ids.Add(token.Id);
        if (addSpecialTokens)
        {
            ids.AddRange(_prefix);
        }

        _splitter.Split(text, (stretch, _) => _normalizedSplitter.Split(NormalizedSpan(stretch), onPlain, OnToken), OnToken);
        if (addSpecialTokens)
        {
            ids.AddRange(_suffix);
        }

        return [.. ids];
    }

    /// <summary>
    /// The ids of a text, each with the range of the text behind it, as Hugging Face's encodings have it but counted in
    /// UTF-16 units. A token that holds a part of a character's bytes has the whole character; of text that NFC changes,
    /// all that changed together; one that stands around the text an empty range at its beginning. Spaces at the ends of
    /// a range are left out where the post-processor says <c>trim_offsets</c>.
    /// </summary>
    /// <param name="text">Any text.</param>
    /// <param name="addSpecialTokens">Whether to put around it what the post-processor's template says.</param>
    /// <exception cref="InvalidOperationException">As for <see cref="Encode"/>.</exception>
    public TokenSpan[] EncodeWithOffsets(ReadOnlySpan<char> text, bool addSpecialTokens = false)
    {
        var locator = new TokenLocator(this, _model, _definition.TrimOffsets);
        void OnToken(AddedToken token, int start, int end) => locator.Spans.Add(new TokenSpan(token.Id, start, end));
        void OnPlain(ReadOnlySpan<char> plain, int least) =>
            _definition.PreTokenizer.Split(plain, least, (piece, start) => locator.Add(piece, start, least));
        _splitter.Split(
            text,
            (stretch, start) =>
            {
                var first = locator.Spans.Count;
                _normalizedSplitter.Split(NormalizedSpan(stretch), OnPlain, OnToken);
                locator.Map(first, _definition.NormalizeToNfc ? CanonicalComposition.Origins(stretch) : null, start);
            },
            OnToken);
        return addSpecialTokens
            ? [.. _prefix.Select(id => new TokenSpan(id, 0, 0)), .. locator.Spans, .. _suffix.Select(id => new TokenSpan(id, 0, 0))]
            : [.. locator.Spans];
    }

    /// <summary>The text of the ids. Bytes that are not UTF-8 become U+FFFD.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="skipSpecialTokens">Whether to leave out special tokens.</param>
    /// <exception cref="ArgumentOutOfRangeException">No token has one of the ids.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var bytes = new List<byte>(ids.Length * 4);
        foreach (var id in ids)
        {
            bytes.AddRange(BytesOf(id, skipSpecialTokens));
        }

        return Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(bytes));
    }

    /// <summary>A decoder that takes ids one at a time, as a model makes them.</summary>
    /// <param name="skipSpecialTokens">Whether to leave out special tokens.</param>
    public StreamingDecoder CreateStreamingDecoder(bool skipSpecialTokens = false) => new(this, skipSpecialTokens);

    /// <summary>The id of a token as the vocabulary writes it (byte-level symbols) or of an added token; null if unknown.</summary>
    /// <param name="token">The token's string.</param>
    public int? TokenToId(string token) =>
        _addedIds.TryGetValue(token, out var id) || _definition.Vocabulary.Ids.TryGetValue(token, out id) ? id : null;

    /// <summary>The token's string as the vocabulary writes it; null where no token has the id.</summary>
    /// <param name="id">A token id.</param>
    public string? IdToToken(int id) => (uint)id < (uint)_entries.Length ? _entries[id]?.Token : null;

    /// <summary>The bytes of text that an id stands for: UTF-8, possibly a part of a character.</summary>
    /// <param name="id">A token id.</param>
    /// <exception cref="ArgumentOutOfRangeException">No token has the id.</exception>
    public ReadOnlySpan<byte> TokenBytes(int id) => BytesOf(id, skipSpecialTokens: false);

    internal ReadOnlySpan<byte> BytesOf(int id, bool skipSpecialTokens)
    {
        if ((uint)id >= (uint)_entries.Length || _entries[id] is not { } entry)
        {
            throw new ArgumentOutOfRangeException(nameof(id), id, $"No token has this id; the vocabulary's size is {VocabularySize}.");
        }

        return skipSpecialTokens && entry.Special ? default : entry.Bytes;
    }

    private int? RoleId(string role) => _configuration.Role(role) is { } token ? TokenToId(token) : null;

    private string Normalize(string text) => NormalizedSpan(text).ToString();

    private ReadOnlySpan<char> NormalizedSpan(ReadOnlySpan<char> text) =>
        _definition.NormalizeToNfc ? CanonicalComposition.Apply(text) : text;

    private static TokenEntry?[] BuildEntries(TokenizerDefinition definition)
    {
        var ids = definition.Vocabulary.Ids;
        var highest = Math.Max(ids.Values.DefaultIfEmpty(-1).Max(), definition.AddedTokens.Select(token => token.Id).DefaultIfEmpty(-1).Max());
        var entries = new TokenEntry?[highest + 1];
        foreach (var (token, id) in ids)
        {
            var bytes = ByteSymbols.TryToBytes(token, out var known) ? known : Encoding.UTF8.GetBytes(token);
            entries[id] = new TokenEntry(token, bytes, Special: false);
        }

        foreach (var token in definition.AddedTokens)
        {
            entries[token.Id] = new TokenEntry(token.Content, Encoding.UTF8.GetBytes(token.Content), token.Special);
        }

        return entries;
    }

    private sealed record TokenEntry(string Token, byte[] Bytes, bool Special);
}
