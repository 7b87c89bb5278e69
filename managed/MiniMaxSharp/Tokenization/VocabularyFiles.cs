namespace MiniMaxSharp.Tokenization;

/// <summary>The older pair of files, vocab.json and merges.txt, read as Hugging Face's GPT2Tokenizer does.</summary>
internal static class VocabularyFiles
{
    private const string VocabularyFile = "vocab.json";
    private const string MergesFile = "merges.txt";

    /// <exception cref="FileNotFoundException">One of the two files is missing.</exception>
    /// <exception cref="InvalidDataException">A file is malformed; names the path or the line.</exception>
    public static TokenizerDefinition Read(string directory, TokenizerConfiguration configuration)
    {
        var (vocabularyFile, mergesFile) = (Path.Combine(directory, VocabularyFile), Path.Combine(directory, MergesFile));
        if (!File.Exists(vocabularyFile) || !File.Exists(mergesFile))
        {
            throw new FileNotFoundException($"'{directory}' holds neither tokenizer.json nor {VocabularyFile} with {MergesFile}.");
        }

        var root = JsonCursor.Read(vocabularyFile);
        var ids = TokenizerJsonReader.ReadVocabulary(root);
        var vocabulary = new BytePairVocabulary(ids, ReadMerges(mergesFile, ids));
        var added = AddedTokens(configuration, ids);
        TokenizerJsonReader.CheckIds(root, vocabulary, added);
        return new TokenizerDefinition(
            vocabulary, added, new ByteLevelPreTokenizer(configuration.AddPrefixSpace, TrimOffsets: true, UseRegex: true));
    }

    /// <summary>A header line, then one pair a line, in order of rank.</summary>
    private static List<(string Left, string Right)> ReadMerges(string file, Dictionary<string, int> ids)
    {
        var merges = new List<(string Left, string Right)>();
        var number = 0;
        foreach (var line in File.ReadLines(file))
        {
            number++;
            if (line.Length == 0 || line.StartsWith("#version", StringComparison.Ordinal))
            {
                continue;
            }

            if (line.Split(' ') is not [{ Length: > 0 } left, { Length: > 0 } right])
            {
                throw new InvalidDataException($"{file}, line {number}: a merge is two tokens with a space between, found '{line}'");
            }

            if (TokenizerJsonReader.MissingToken(left, right, ids) is { } missing)
            {
                throw new InvalidDataException($"{file}, line {number}: the token '{missing}' is not in {VocabularyFile}");
            }

            merges.Add((left, right));
        }

        return merges;
    }

    /// <summary>Listed ids first; a special token that has none anywhere takes the next free one.</summary>
    private static List<AddedToken> AddedTokens(TokenizerConfiguration configuration, Dictionary<string, int> vocabulary)
    {
        var ids = new Dictionary<string, int>(vocabulary);
        var names = ids.ToDictionary(entry => entry.Value, entry => entry.Key);
        foreach (var token in configuration.AddedTokens)
        {
            if (TokenizerJsonReader.Conflict(token, ids, names) is { } conflict)
            {
                throw new InvalidDataException($"added_tokens_decoder of tokenizer_config.json: {conflict}");
            }
        }

        var added = configuration.AddedTokens.ToList();
        var next = names.Keys.DefaultIfEmpty(-1).Max() + 1;
        foreach (var content in configuration.Roles.Values.Concat(configuration.AdditionalSpecialTokens).Distinct())
        {
            if (content.Length > 0 && added.All(token => token.Content != content))
            {
                added.Add(new AddedToken(ids.TryGetValue(content, out var id) ? id : next++, content));
            }
        }

        return added;
    }
}
