using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Tokenization;

public class TokenizerFilesTests
{
    private const string Text = "Ann says <end_of_sentence> cafe\u0301 12345 😀";

    [Fact]
    public void SavingAndLoadingKeepsEverything()
    {
        var tokenizer = Goldens.Changed(root =>
        {
            root["normalizer"] = JsonNode.Parse("""{"type": "Sequence", "normalizers": [{"type": "NFC"}]}""");
            root["post_processor"] = JsonNode.Parse(
                """
                {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
                 "single": [{"SpecialToken": {"id": "BOS", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "EOS", "type_id": 0}}],
                 "special_tokens": {"BOS": {"tokens": ["<beginning_of_sentence>"]}, "EOS": {"tokens": ["<end_of_sentence>"]}}}]}
                """);
            root["added_tokens"]!.AsArray().Add(JsonNode.Parse(
                """{"id": 700, "content": "<x>", "special": false, "lstrip": true, "rstrip": true, "single_word": true, "normalized": true}"""));
            root["model"]!["ignore_merges"] = true;
            root["model"]!["merges"] = new JsonArray([.. root["model"]!["merges"]!.AsArray().Select(pair => (JsonNode)$"{pair![0]} {pair[1]}")]);
        });
        using var folder = new TemporaryFolder();
        tokenizer.Save(folder.Path);
        var again = Tokenizer.Load(folder.Path);
        Assert.Equal(tokenizer.AddedTokens, again.AddedTokens);
        Assert.Equal(tokenizer.Encode(Text, addSpecialTokens: true), again.Encode(Text, addSpecialTokens: true));
        Assert.Equal(701, again.VocabularySize);
        Assert.Equal([598, .. tokenizer.Encode(Text), 599], again.Encode(Text, addSpecialTokens: true));
        Assert.Equal(tokenizer.Encode("caf\u00e9"), again.Encode("cafe\u0301"));
    }

    [Fact]
    public void TheConfigurationKeepsWhatItDoesNotKnow()
    {
        const string config =
            """
            {"model_max_length": 40960000, "bos_token": {"content": "<beginning_of_sentence>", "special": true},
             "eos_token": "<end_of_sentence>", "pad_token": null, "extra": {"a": [1, 2.5]},
             "chat_template": [{"name": "other", "template": "x"}, {"name": "default", "template": "y"}]}
            """;
        var tokenizer = Goldens.Load(("tokenizer.json", Goldens.TokenizerJson), ("tokenizer_config.json", config));
        using var folder = new TemporaryFolder();
        tokenizer.Save(folder.Path);
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder.Path, "tokenizer_config.json")));
        Assert.Equal(40960000, document.RootElement.GetProperty("model_max_length").GetInt32());
        Assert.Equal(2.5, document.RootElement.GetProperty("extra").GetProperty("a")[1].GetDouble());
        Assert.Equal("y", document.RootElement.GetProperty("chat_template").GetString());
        Assert.Equal((598, 599, null), (tokenizer.BosTokenId, tokenizer.EosTokenId, tokenizer.PadTokenId));
    }

    [Fact]
    public void ATemplateInAFileOfItsOwnCounts()
    {
        var tokenizer = Goldens.Load(
            ("tokenizer.json", Goldens.TokenizerJson), ("chat_template.jinja", ChatTemplate.MiniMaxM1.Jinja));
        Assert.Equal("<begin_of_document>", tokenizer.ChatTemplate!.Render([]));
    }

    [Fact]
    public void VocabularyAndMergesServeWithoutTokenizerJson()
    {
        var model = JsonNode.Parse(Goldens.TokenizerJson)!["model"]!;
        var merges = "#version: 0.2\n" + string.Concat(model["merges"]!.AsArray().Select(pair => $"{pair![0]} {pair[1]}\n"));
        var tokenizer = Goldens.Load(
            ("vocab.json", model["vocab"]!.ToJsonString()),
            ("merges.txt", merges),
            ("tokenizer_config.json",
                """
                {"bos_token": "<s>", "eos_token": "true", "additional_special_tokens": ["<extra>"], "add_prefix_space": true,
                 "added_tokens_decoder": {"900": {"content": "<tag>", "special": false}}}
                """));
        var expected = Goldens.Changed(root => root["pre_tokenizer"] = JsonNode.Parse("""{"type": "ByteLevel", "add_prefix_space": true}"""));
        Assert.Equal(expected.Encode("Ann says, that's 12345"), tokenizer.Encode("Ann says, that's 12345"));
        Assert.Equal((901, expected.TokenToId("true")), (tokenizer.BosTokenId, tokenizer.EosTokenId));
        Assert.Equal([900, 902, 901], tokenizer.Encode("<tag><extra><s>"));
        Assert.Equal("<tag>", tokenizer.Decode([900, 902, 901], skipSpecialTokens: true));
    }

    [Fact]
    public void AnEmptyFolderHoldsNoTokenizer() =>
        Assert.Contains("neither tokenizer.json nor vocab.json", Assert.Throws<FileNotFoundException>(() => Goldens.Load()).Message);

    [Theory]
    [InlineData("/model/type", "\"WordPiece\"", "$.model.type", "WordPiece")]
    [InlineData("/model/vocab/!", "-1", "$.model.vocab['!']", "negative")]
    [InlineData("/model/vocab/!", "1", "$.model.vocab['\"']", "belongs to '!'")]
    [InlineData("/model/vocab/!", "1.5", "$.model.vocab['!']", "integer")]
    [InlineData("/model/vocab/!", "2147483647", "$.model", "unused ids")]
    [InlineData("/model/vocab/!", "99999999999", "$.model.vocab['!']", "integer")]
    [InlineData("/model/vocab", "[]", "$.model.vocab", "expected an object")]
    [InlineData("/model/merges", "{}", "$.model.merges", "expected an array")]
    [InlineData("/model/merges/3", "\"abc\"", "$.model.merges[3]", "two tokens")]
    [InlineData("/model/merges/3", "[\"a\"]", "$.model.merges[3]", "two tokens")]
    [InlineData("/model/merges/3", "[\"a\", 1]", "$.model.merges[3][1]", "expected a string")]
    [InlineData("/model/merges/3", "\"a \\u4e2d\"", "$.model.merges[3]", "not in the vocabulary")]
    [InlineData("/model/unk_token", "\"<unk>\"", "$.model.unk_token", "not in the vocabulary")]
    [InlineData("/model/byte_fallback", "true", "$.model", "byte_fallback")]
    [InlineData("/model/dropout", "0.1", "$.model.dropout", "dropout")]
    [InlineData("/model/end_of_word_suffix", "\"</w>\"", "$.model.end_of_word_suffix", "byte-level")]
    [InlineData("/model/ignore_merges", "1", "$.model.ignore_merges", "true or false")]
    [InlineData("/added_tokens/0/id", "0", "$.added_tokens[0]", "belongs to '!'")]
    [InlineData("/added_tokens/0/id", "598", "$.added_tokens[1]", "belongs to '<begin_of_document>'")]
    [InlineData("/added_tokens/0/content", "\"<end_of_sentence>\"", "$.added_tokens[2]", "has the id 597 already")]
    [InlineData("/added_tokens/0/content", "\"\"", "$.added_tokens[0]", "empty")]
    [InlineData("/normalizer", "{\"type\": \"NFKC\"}", "$.normalizer", "NFKC")]
    [InlineData("/pre_tokenizer", "{\"type\": \"Metaspace\"}", "$.pre_tokenizer", "Metaspace")]
    [InlineData("/pre_tokenizer", "{\"type\": \"Sequence\", \"pretokenizers\": []}", "$.pre_tokenizer", "byte-level")]
    [InlineData("/pre_tokenizer", "null", "$", "'pre_tokenizer' is missing")]
    [InlineData("/pre_tokenizer/pretokenizers/0/behavior", "\"Somehow\"", "$.pre_tokenizer.pretokenizers[0].behavior", "Somehow")]
    [InlineData("/pre_tokenizer/pretokenizers/0/pattern/Regex", "\"(\"", "$.pre_tokenizer.pretokenizers[0].pattern", "missing")]
    [InlineData("/post_processor", "{\"type\": \"BertProcessing\"}", "$.post_processor", "BertProcessing")]
    [InlineData("/decoder", "{\"type\": \"WordPiece\"}", "$.decoder", "WordPiece")]
    public void ADamagedFileIsNamedWithThePath(string pointer, string json, string path, string complaint)
    {
        var error = Assert.Throws<InvalidDataException>(() => Goldens.Changed(root => Replace(root, pointer, JsonNode.Parse(json))));
        Assert.Contains($"tokenizer.json: {path}: ", error.Message);
        Assert.Contains(complaint, error.Message);
    }

    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("{\"model\": {}, \"model\": {}}", "not valid JSON")]
    [InlineData("[]", "expected an object")]
    [InlineData("{\"model\": {\"vocab\": {\"\\ud800\": 0}}}", "not valid JSON")]
    [InlineData("{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [\"\\udc00\"]}}", "$.model.merges[0]: the string is not valid Unicode")]
    [InlineData("{}", "'model' is missing")]
    public void AFileThatIsNoTokenizerIsNamed(string content, string complaint)
    {
        var error = Assert.Throws<InvalidDataException>(() => Goldens.Load(("tokenizer.json", content)));
        Assert.Contains("tokenizer.json", error.Message);
        Assert.Contains(complaint, error.Message);
    }

    [Theory]
    [InlineData("[]", "$: expected an object")]
    [InlineData("{\"chat_template\": 5}", "$.chat_template: expected a string")]
    [InlineData("{\"chat_template\": [{\"name\": \"a\", \"template\": \"\"}]}", "$.chat_template: exactly one template")]
    [InlineData("{\"eos_token\": {\"id\": 3}}", "$.eos_token: the property 'content' is missing")]
    [InlineData("{\"added_tokens_decoder\": {\"x\": {\"content\": \"a\"}}}", "$.added_tokens_decoder['x']: 'x' is not an id")]
    public void ADamagedConfigurationIsNamedWithThePath(string content, string complaint)
    {
        var error = Assert.Throws<InvalidDataException>(() =>
            Goldens.Load(("tokenizer.json", Goldens.TokenizerJson), ("tokenizer_config.json", content)));
        Assert.Contains($"tokenizer_config.json: {complaint}", error.Message);
    }

    [Theory]
    [InlineData("a b\nab\n", "merges.txt, line 2")]
    [InlineData("a b\n\na c\n", "merges.txt, line 3: the token 'c'")]
    public void ADamagedLineOfMergesIsNamed(string merges, string complaint)
    {
        var error = Assert.Throws<InvalidDataException>(() =>
            Goldens.Load(("vocab.json", """{"a": 0, "b": 1, "ab": 2}"""), ("merges.txt", merges)));
        Assert.Contains(complaint, error.Message);
    }

    [Fact]
    public void AByteWithoutSymbolNeedsAnUnknownToken()
    {
        var without = LoadLettersAnd("");
        Assert.Equal([2, 0], without.Encode("aba"));
        Assert.Contains("0x63", Assert.Throws<InvalidOperationException>(() => without.Encode("abc")).Message);
        Assert.Equal([2, 3, 3, 0], LoadLettersAnd(""", "unk_token": "?" """).Encode("abcda"));
        Assert.Equal([2, 3, 0], LoadLettersAnd(""", "unk_token": "?", "fuse_unk": true""").Encode("abcda"));

        static Tokenizer LoadLettersAnd(string more) => Goldens.Load(("tokenizer.json",
            $$"""
            {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
             "model": {"merges": [["a", "b"]], "vocab": {"a": 0, "b": 1, "ab": 2, "?": 3} {{more}} } }
            """));
    }

    /// <summary>Bytes changed, cut and doubled at random: each file loads and encodes, or is refused by name.</summary>
    [Fact]
    public void MutatedFilesAreLoadedOrRefusedByName()
    {
        var original = Encoding.UTF8.GetBytes(SmallTokenizerJson());
        var random = new Random(20240601);
        using var folder = new TemporaryFolder();
        var refused = 0;
        for (var i = 0; i < 3000; i++)
        {
            File.WriteAllBytes(Path.Combine(folder.Path, "tokenizer.json"), Mutate(original, random));
            try
            {
                var ids = Tokenizer.Load(folder.Path).Encode("abc");
                Assert.NotEmpty(ids);
            }
            catch (InvalidDataException error)
            {
                Assert.Contains("tokenizer.json", error.Message);
                refused++;
            }
            catch (InvalidOperationException error)
            {
                Assert.Contains("neither the symbol", error.Message);
            }
        }

        Assert.InRange(refused, 1000, 2999);
    }

    private static string SmallTokenizerJson()
    {
        var root = JsonNode.Parse(Goldens.TokenizerJson)!.AsObject();
        root["model"]!["vocab"] = JsonNode.Parse("""{"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4}""");
        root["model"]!["merges"] = JsonNode.Parse("""[["a", "b"], ["ab", "c"]]""");
        return root.ToJsonString();
    }

    private static byte[] Mutate(byte[] original, Random random)
    {
        var bytes = original.ToList();
        for (var n = random.Next(1, 4); n > 0; n--)
        {
            var at = random.Next(bytes.Count);
            var length = Math.Min(random.Next(1, 40), bytes.Count - at);
            switch (random.Next(4))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes.RemoveRange(at, length);
                    break;
                case 2:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                default:
                    bytes[at] = (byte)"0123456789-\"{}[]:,"[random.Next(18)];
                    break;
            }
        }

        return [.. bytes];
    }

    private static void Replace(JsonObject root, string pointer, JsonNode? value)
    {
        var names = pointer[1..].Split('/');
        JsonNode parent = root;
        foreach (var name in names[..^1])
        {
            parent = parent is JsonArray list ? list[int.Parse(name)]! : parent[name]!;
        }

        if (parent is JsonArray array)
        {
            array[int.Parse(names[^1])] = value;
        }
        else
        {
            parent[names[^1]] = value;
        }
    }
}
