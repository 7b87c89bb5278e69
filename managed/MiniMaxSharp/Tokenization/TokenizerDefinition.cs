namespace MiniMaxSharp.Tokenization;

/// <summary>All that a tokenizer.json says, as far as byte-level BPE goes.</summary>
internal sealed record TokenizerDefinition(
    BytePairVocabulary Vocabulary,
    IReadOnlyList<AddedToken> AddedTokens,
    PreTokenizer PreTokenizer)
{
    /// <summary>Whether text is brought to Unicode's normalisation form C first.</summary>
    public bool NormalizeToNfc { get; init; }

    /// <summary>Whether the range of a token leaves out the spaces at its ends, as ByteLevel does after the model.</summary>
    public bool TrimOffsets { get; init; }

    /// <summary>Added tokens, by content, that a finished sequence begins with.</summary>
    public IReadOnlyList<string> Prefix { get; init; } = [];

    /// <summary>Added tokens, by content, that a finished sequence ends with.</summary>
    public IReadOnlyList<string> Suffix { get; init; } = [];

    /// <summary>The byte-level pipeline with a split pattern, as in most recent tokenizers.</summary>
    public static PreTokenizer SplitThenBytes(string pattern) => new SequencePreTokenizer(
    [
        new SplitPreTokenizer(pattern, IsRegex: true, SplitBehavior.Isolated, Invert: false),
        new ByteLevelPreTokenizer(AddPrefixSpace: false, TrimOffsets: false, UseRegex: false),
    ]);
}
