using System.Text.Json;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// Reads Hugging Face's tokenizer.json. Truncation and padding are left to the caller, as batches are packed; anything
/// else that would change the ids and is not supported is refused.
/// </summary>
internal static class TokenizerJsonReader
{
    /// <summary>Ids may leave gaps, but not so many that a damaged file could ask for much memory.</summary>
    private const int MaxUnusedIds = 1 << 16;

    /// <exception cref="InvalidDataException">The file is malformed or asks for something unsupported; names file and path.</exception>
    public static TokenizerDefinition Read(string file)
    {
        var root = JsonCursor.Read(file);
        var model = root.Get("model");
        var vocabulary = ReadModel(model);
        var added = root.TryGet("added_tokens", out var tokens) ? ReadAddedTokens(tokens, vocabulary) : [];
        CheckIds(model, vocabulary, added);
        var preTokenizer = ReadPreTokenizer(root.Get("pre_tokenizer"));
        CheckByteLevelIsLast(root.Get("pre_tokenizer"), preTokenizer);
        if (root.TryGet("decoder", out var decoder) && Kind(decoder) != "ByteLevel")
        {
            throw decoder.Error($"the decoder '{Kind(decoder)}' is not supported, only ByteLevel");
        }

        var (prefix, suffix, trim) = root.TryGet("post_processor", out var processor) ? ReadPostProcessor(processor, added) : ([], [], false);
        return new TokenizerDefinition(vocabulary, added, preTokenizer)
        {
            NormalizeToNfc = root.TryGet("normalizer", out var normalizer) && ReadNormalizer(normalizer),
            Prefix = prefix,
            Suffix = suffix,
            TrimOffsets = trim,
        };
    }

    /// <summary>Strings to ids, as in vocab.json and in tokenizer.json's model.</summary>
    public static Dictionary<string, int> ReadVocabulary(JsonCursor vocab)
    {
        var ids = new Dictionary<string, int>();
        var owners = new Dictionary<int, string>();
        foreach (var (token, value) in vocab.Properties())
        {
            var id = value.Int();
            if (id < 0)
            {
                throw value.Error($"the id {id} is negative");
            }

            if (!owners.TryAdd(id, token))
            {
                throw value.Error($"the id {id} belongs to '{owners[id]}' already");
            }

            ids.Add(token, id);
        }

        return ids;
    }

    public static void CheckIds(JsonCursor at, BytePairVocabulary vocabulary, IReadOnlyList<AddedToken> added)
    {
        var ids = vocabulary.Ids.Values.Concat(added.Select(token => token.Id)).ToHashSet();
        var highest = ids.Count > 0 ? ids.Max() : throw at.Error("the vocabulary is empty");
        if (highest - ids.Count > MaxUnusedIds)
        {
            throw at.Error($"{ids.Count} tokens have ids up to {highest}; more than {MaxUnusedIds} unused ids are not supported");
        }
    }

    /// <summary>One entry of added_tokens, its id given or its own.</summary>
    public static AddedToken ReadAddedToken(JsonCursor entry, int id, bool special)
    {
        var content = entry.Get("content").String();
        special = entry.GetBool("special", special);
        return new AddedToken(id, content.Length > 0 ? content : throw entry.Error("an added token is empty"))
        {
            Special = special,
            LeftStrip = entry.GetBool("lstrip", false),
            RightStrip = entry.GetBool("rstrip", false),
            SingleWord = entry.GetBool("single_word", false),
            Normalized = entry.GetBool("normalized", !special),
        };
    }

    private static string Kind(JsonCursor part) => part.Get("type").String();

    private static BytePairVocabulary ReadModel(JsonCursor model)
    {
        if (model.TryGet("type", out var type) && type.String() != "BPE")
        {
            throw type.Error($"the model '{type.String()}' is not supported, only BPE");
        }

        RefuseUnlessEmpty(model, "continuing_subword_prefix");
        RefuseUnlessEmpty(model, "end_of_word_suffix");
        if (model.GetBool("byte_fallback", false))
        {
            throw model.Error("byte_fallback is for models of characters; only byte-level BPE is supported");
        }

        if (model.TryGet("dropout", out var dropout) && !IsZero(dropout))
        {
            throw dropout.Error("merge dropout is not supported");
        }

        var ids = ReadVocabulary(model.Get("vocab"));
        var unknown = model.TryGet("unk_token", out var token) ? token.String() : null;
        if (unknown is not null && !ids.ContainsKey(unknown))
        {
            throw token.Error($"the unknown token '{unknown}' is not in the vocabulary");
        }

        return new BytePairVocabulary(ids, ReadMerges(model.Get("merges"), ids))
        {
            UnknownToken = unknown,
            FuseUnknown = model.GetBool("fuse_unk", false),
            IgnoreMerges = model.GetBool("ignore_merges", false),
        };
    }

    private static bool IsZero(JsonCursor number) =>
        number.Element.ValueKind == JsonValueKind.Number && number.Element.GetDouble() == 0;

    private static void RefuseUnlessEmpty(JsonCursor model, string name)
    {
        if (model.TryGet(name, out var value) && value.String().Length > 0)
        {
            throw value.Error("only byte-level BPE, which has none, is supported");
        }
    }

    private static List<(string Left, string Right)> ReadMerges(JsonCursor merges, Dictionary<string, int> ids)
    {
        var result = new List<(string Left, string Right)>();
        foreach (var item in merges.Items())
        {
            var pair = item.IsArray ? item.Items().Select(part => part.String()).ToArray() : item.String().Split(' ');
            if (pair is not [{ Length: > 0 } left, { Length: > 0 } right])
            {
                throw item.Error("a merge is two tokens, as [\"a\", \"b\"] or \"a b\"");
            }

            if (MissingToken(left, right, ids) is { } missing)
            {
                throw item.Error($"the token '{missing}' is not in the vocabulary");
            }

            result.Add((left, right));
        }

        return result;
    }

    /// <summary>The first of the two tokens of a merge and their join that the vocabulary lacks.</summary>
    public static string? MissingToken(string left, string right, Dictionary<string, int> ids) =>
        new[] { left, right, left + right }.FirstOrDefault(token => !ids.ContainsKey(token));

    private static List<AddedToken> ReadAddedTokens(JsonCursor tokens, BytePairVocabulary vocabulary)
    {
        var ids = new Dictionary<string, int>(vocabulary.Ids);
        var names = ids.ToDictionary(entry => entry.Value, entry => entry.Key);
        var result = new List<AddedToken>();
        foreach (var item in tokens.Items())
        {
            var token = ReadAddedToken(item, item.Get("id").Int(), special: false);
            result.Add(Conflict(token, ids, names) is { } conflict ? throw item.Error(conflict) : token);
        }

        return result;
    }

    /// <summary>Enters an added token beside the others; what keeps it out, or null.</summary>
    public static string? Conflict(AddedToken token, Dictionary<string, int> ids, Dictionary<int, string> names)
    {
        if (token.Id < 0)
        {
            return $"the id {token.Id} is negative";
        }

        if (!names.TryAdd(token.Id, token.Content) && names[token.Id] != token.Content)
        {
            return $"the id {token.Id} of '{token.Content}' belongs to '{names[token.Id]}' already";
        }

        return !ids.TryAdd(token.Content, token.Id) && ids[token.Content] != token.Id
            ? $"'{token.Content}' has the id {ids[token.Content]} already, not {token.Id}"
            : null;
    }

    /// <summary>Whether the normaliser is NFC; refused when it is anything else.</summary>
    private static bool ReadNormalizer(JsonCursor normalizer) => Kind(normalizer) switch
    {
        "NFC" => true,
        "Sequence" => normalizer.Get("normalizers").Items().Count(ReadNormalizer) > 0,
        var other => throw normalizer.Error($"the normalizer '{other}' is not supported, only NFC"),
    };

    private static PreTokenizer ReadPreTokenizer(JsonCursor part) => Kind(part) switch
    {
        "Sequence" => new SequencePreTokenizer([.. part.Get("pretokenizers").Items().Select(ReadPreTokenizer)]),
        "ByteLevel" => new ByteLevelPreTokenizer(
            part.GetBool("add_prefix_space", true),
            part.GetBool("trim_offsets", true),
            part.GetBool("use_regex", true)),
        "Split" => ReadSplit(part),
        var other => throw part.Error($"the pre-tokenizer '{other}' is not supported, only Split, ByteLevel and Sequence"),
    };

    private static SplitPreTokenizer ReadSplit(JsonCursor split)
    {
        var pattern = split.Get("pattern");
        var isRegex = pattern.TryGet("Regex", out var text);
        var source = (isRegex ? text : pattern.Get("String")).String();
        var behavior = split.Get("behavior");
        var names = Enum.GetNames<SplitBehavior>();
        if (!names.Contains(behavior.String()))
        {
            throw behavior.Error($"the behaviour '{behavior.String()}' is not one of {string.Join(", ", names)}");
        }

        try
        {
            return new SplitPreTokenizer(
                source, isRegex, Enum.Parse<SplitBehavior>(behavior.String()), split.GetBool("invert", false));
        }
        catch (FormatException error)
        {
            throw pattern.Error(error.Message, error);
        }
    }

    private static void CheckByteLevelIsLast(JsonCursor at, PreTokenizer preTokenizer)
    {
        var stages = Flatten(preTokenizer).ToList();
        if (stages.Count == 0 || stages[^1] is not ByteLevelPreTokenizer || stages.Count(stage => stage is ByteLevelPreTokenizer) > 1)
        {
            throw at.Error("only byte-level BPE is supported: the last stage, and no other, must be ByteLevel");
        }
    }

    private static IEnumerable<PreTokenizer> Flatten(PreTokenizer preTokenizer) =>
        preTokenizer is SequencePreTokenizer sequence ? sequence.Stages.SelectMany(Flatten) : [preTokenizer];

    private static (IReadOnlyList<string> Prefix, IReadOnlyList<string> Suffix, bool Trim) ReadPostProcessor(
        JsonCursor processor, IReadOnlyList<AddedToken> added)
    {
        switch (Kind(processor))
        {
            case "ByteLevel":
                return ([], [], processor.GetBool("trim_offsets", true));
            case "TemplateProcessing":
                var (prefix, suffix) = ReadTemplate(processor, added);
                return (prefix, suffix, false);
            case "Sequence":
                var parts = processor.Get("processors").Items().Select(part => ReadPostProcessor(part, added)).ToList();
                return (
                    [.. Enumerable.Reverse(parts).SelectMany(part => part.Prefix)],
                    [.. parts.SelectMany(part => part.Suffix)],
                    parts.Any(part => part.Trim));
            case var other:
                throw processor.Error($"the post-processor '{other}' is not supported, only ByteLevel, TemplateProcessing and Sequence");
        }
    }

    private static (IReadOnlyList<string> Prefix, IReadOnlyList<string> Suffix) ReadTemplate(
        JsonCursor processor, IReadOnlyList<AddedToken> added)
    {
        var sides = (Prefix: new List<string>(), Suffix: new List<string>());
        var side = sides.Prefix;
        foreach (var item in processor.Get("single").Items())
        {
            if (item.TryGet("Sequence", out _))
            {
                side = ReferenceEquals(side, sides.Prefix) ? sides.Suffix : throw item.Error("a second sequence is not supported");
                continue;
            }

            var name = item.Get("SpecialToken").Get("id");
            foreach (var token in processor.Get("special_tokens").Get(name.String()).Get("tokens").Items())
            {
                side.Add(added.Any(known => known.Content == token.String())
                    ? token.String()
                    : throw token.Error($"'{token.String()}' is not among the added tokens"));
            }
        }

        return sides;
    }
}
