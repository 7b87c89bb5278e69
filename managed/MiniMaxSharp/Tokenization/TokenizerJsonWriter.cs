using System.Text.Encodings.Web;
using System.Text.Json;

namespace MiniMaxSharp.Tokenization;

/// <summary>Writes Hugging Face's tokenizer.json.</summary>
internal static class TokenizerJsonWriter
{
    /// <summary>Readable by people: non-ASCII characters as they are.</summary>
    public static JsonWriterOptions Options => new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write(string file, TokenizerDefinition definition)
    {
        using var stream = File.Create(file);
        using var json = new Utf8JsonWriter(stream, Options);
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        WriteAddedTokens(json, definition.AddedTokens);
        WriteNormalizer(json, definition.NormalizeToNfc);
        json.WritePropertyName("pre_tokenizer");
        WritePreTokenizer(json, definition.PreTokenizer);
        WritePostProcessor(json, definition);
        json.WritePropertyName("decoder");
        WritePreTokenizer(json, new ByteLevelPreTokenizer(AddPrefixSpace: true, TrimOffsets: true, UseRegex: true));
        WriteModel(json, definition.Vocabulary);
        json.WriteEndObject();
    }

    private static void WriteAddedTokens(Utf8JsonWriter json, IReadOnlyList<AddedToken> tokens)
    {
        json.WriteStartArray("added_tokens");
        foreach (var token in tokens)
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Content);
            json.WriteBoolean("single_word", token.SingleWord);
            json.WriteBoolean("lstrip", token.LeftStrip);
            json.WriteBoolean("rstrip", token.RightStrip);
            json.WriteBoolean("normalized", token.Normalized);
            json.WriteBoolean("special", token.Special);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteNormalizer(Utf8JsonWriter json, bool nfc)
    {
        if (!nfc)
        {
            json.WriteNull("normalizer");
            return;
        }

        json.WriteStartObject("normalizer");
        json.WriteString("type", "NFC");
        json.WriteEndObject();
    }

    private static void WritePreTokenizer(Utf8JsonWriter json, PreTokenizer preTokenizer)
    {
        json.WriteStartObject();
        switch (preTokenizer)
        {
            case SequencePreTokenizer sequence:
                json.WriteString("type", "Sequence");
                json.WriteStartArray("pretokenizers");
                foreach (var stage in sequence.Stages)
                {
                    WritePreTokenizer(json, stage);
                }

                json.WriteEndArray();
                break;
            case SplitPreTokenizer split:
                json.WriteString("type", "Split");
                json.WriteStartObject("pattern");
                json.WriteString(split.IsRegex ? "Regex" : "String", split.Pattern);
                json.WriteEndObject();
                json.WriteString("behavior", split.Behavior.ToString());
                json.WriteBoolean("invert", split.Invert);
                break;
            case ByteLevelPreTokenizer bytes:
                json.WriteString("type", "ByteLevel");
                json.WriteBoolean("add_prefix_space", bytes.AddPrefixSpace);
                json.WriteBoolean("trim_offsets", bytes.TrimOffsets);
                json.WriteBoolean("use_regex", bytes.UseRegex);
                break;
        }

        json.WriteEndObject();
    }

    private static void WritePostProcessor(Utf8JsonWriter json, TokenizerDefinition definition)
    {
        json.WritePropertyName("post_processor");
        var special = definition.Prefix.Concat(definition.Suffix).Distinct().ToList();
        var bytes = new ByteLevelPreTokenizer(AddPrefixSpace: false, definition.TrimOffsets, UseRegex: true);
        if (special.Count == 0)
        {
            WritePreTokenizer(json, bytes);
        }
        else if (!definition.TrimOffsets)
        {
            WriteTemplate(json, definition, special);
        }
        else
        {
            json.WriteStartObject();
            json.WriteString("type", "Sequence");
            json.WriteStartArray("processors");
            WritePreTokenizer(json, bytes);
            WriteTemplate(json, definition, special);
            json.WriteEndArray();
            json.WriteEndObject();
        }
    }

    private static void WriteTemplate(Utf8JsonWriter json, TokenizerDefinition definition, List<string> special)
    {
        json.WriteStartObject();
        json.WriteString("type", "TemplateProcessing");
        json.WriteStartArray("single");
        WriteSequence(json, definition, "A", type: 0);
        json.WriteEndArray();
        json.WriteStartArray("pair");
        WriteSequence(json, definition, "A", type: 0);
        WriteSequence(json, definition, "B", type: 1);
        json.WriteEndArray();
        WriteTemplateTokens(json, definition.AddedTokens.Where(token => special.Contains(token.Content)));
        json.WriteEndObject();
    }

    private static void WriteSequence(Utf8JsonWriter json, TokenizerDefinition definition, string id, int type)
    {
        foreach (var token in definition.Prefix)
        {
            WriteTemplateItem(json, "SpecialToken", token, type);
        }

        WriteTemplateItem(json, "Sequence", id, type);
        foreach (var token in definition.Suffix)
        {
            WriteTemplateItem(json, "SpecialToken", token, type);
        }
    }

    private static void WriteTemplateItem(Utf8JsonWriter json, string kind, string id, int type)
    {
        json.WriteStartObject();
        json.WriteStartObject(kind);
        json.WriteString("id", id);
        json.WriteNumber("type_id", type);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteTemplateTokens(Utf8JsonWriter json, IEnumerable<AddedToken> tokens)
    {
        json.WriteStartObject("special_tokens");
        foreach (var token in tokens)
        {
            json.WriteStartObject(token.Content);
            json.WriteString("id", token.Content);
            json.WriteStartArray("ids");
            json.WriteNumberValue(token.Id);
            json.WriteEndArray();
            json.WriteStartArray("tokens");
            json.WriteStringValue(token.Content);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter json, BytePairVocabulary vocabulary)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteString("unk_token", vocabulary.UnknownToken);
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", vocabulary.FuseUnknown);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", vocabulary.IgnoreMerges);
        json.WriteStartObject("vocab");
        foreach (var (token, id) in vocabulary.Ids.OrderBy(entry => entry.Value))
        {
            json.WriteNumber(token, id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var (left, right) in vocabulary.Merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(left);
            json.WriteStringValue(right);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
