using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Xunit;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Tokenization;

public class TokenOffsetsTests
{
    private static readonly Tokenizer s_tokenizer = Tokenizer.Load(Goldens.Directory);
    private static readonly Tokenizer s_composing = Goldens.Changed(root => root["normalizer"] = new JsonObject { ["type"] = "NFC" });

    [Property(Arbitrary = [typeof(TokenizerRoundTripTests.Texts)], MaxTest = 1000)]
    public void RangesCoverTheTextInOrder(string text)
    {
        foreach (var tokenizer in new[] { s_tokenizer, s_composing })
        {
            var spans = tokenizer.EncodeWithOffsets(text);
            Assert.Equal(tokenizer.Encode(text), spans.Select(span => span.Id));
            var (start, end) = (0, 0);
            foreach (var span in spans)
            {
                Assert.InRange(span.Start, start, end);
                Assert.InRange(span.End, Math.Max(end, span.Start + 1), text.Length);
                (start, end) = (span.Start, span.End);
            }

            Assert.Equal(text.Length, end);
        }
    }

    /// <summary>Unless it holds a part of a character, a token decodes to its range.</summary>
    [Property(Arbitrary = [typeof(TokenizerRoundTripTests.Texts)], MaxTest = 1000)]
    public void ARangeIsTheTokensText(string text)
    {
        foreach (var span in s_tokenizer.EncodeWithOffsets(text))
        {
            var decoded = s_tokenizer.Decode([span.Id]);
            Assert.True(decoded.Contains('\uFFFD') || decoded == text[span.Start..span.End], decoded);
        }
    }

    [Property(Arbitrary = [typeof(TokenizerRoundTripTests.Texts)], MaxTest = 1000)]
    public void EveryComposedCharacterHasAnOrigin(string text)
    {
        foreach (var broken in new[] { text, text + "e\u0301\u0323 \u1112\u1161\u11ab\u212b" })
        {
            var composed = CanonicalComposition.Apply(broken).ToString();
            var origins = CanonicalComposition.Origins(broken) ?? [.. broken.Select((_, i) => (i, i + 1))];
            Assert.Equal(composed.Length, origins.Length);
            var parts = origins.Distinct().Select(origin => CanonicalComposition.Apply(broken.AsSpan(origin.Item1..origin.Item2)).ToString());
            Assert.Equal(composed, string.Concat(parts));
        }
    }

    [Theory]
    [InlineData("true and", "0-4 4-8")]
    [InlineData("€", "0-1 0-1 0-1")]
    [InlineData("a😀", "0-1 1-3 1-3 1-3")]
    [InlineData("true<end_of_sentence> true", "0-4 4-21 21-26")]
    [InlineData("", "")]
    public void RangesCountUnits(string text, string expected) => Assert.Equal(expected, Ranges(s_tokenizer, text));

    [Theory]
    [InlineData("e\u0301 and", "0-2 2-6")]
    [InlineData("true e\u0301\u0323\u0301 and", "0-4 4-5 5-9 5-9 5-9 5-9 5-9 5-9 5-9 9-13")]
    [InlineData("\u1112\u1161\u11ab<end_of_sentence>\u212b", "0-3 0-3 0-3 3-20 20-21 20-21")]
    public void WhatIsComposedTogetherHasOneRange(string text, string expected) => Assert.Equal(expected, Ranges(s_composing, text));

    [Theory]
    [InlineData("true and", false, true, "0-4 5-8")]
    [InlineData("true and", true, true, "0-4 5-8")]
    [InlineData("true and", true, false, "0-4 4-8")]
    [InlineData("true<end_of_sentence>true", true, true, "0-4 4-21 21-25")]
    [InlineData("\n", true, false, "0-0 0-1")]
    [InlineData(" \n ", false, true, "1-1 1-2 3-3")]
    public void SpacesAreAddedAndTrimmed(string text, bool prefix, bool trim, string expected) => Assert.Equal(expected, Ranges(Goldens.Changed(root =>
    {
        root["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = prefix };
        root["post_processor"] = new JsonObject { ["type"] = "ByteLevel", ["trim_offsets"] = trim };
    }), text));

    [Fact]
    public void StripsBelongToTheTokenAndTemplatesToNothing()
    {
        var tokenizer = Goldens.Changed(root =>
        {
            root["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 600, ["content"] = "<t>", ["lstrip"] = true, ["rstrip"] = true });
            root["post_processor"] = JsonNode.Parse(
                """
                {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
                 "single": [{"SpecialToken": {"id": "<t>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                 "special_tokens": {"<t>": {"id": "<t>", "ids": [600], "tokens": ["<t>"]}}}]}
                """);
        });
        using var folder = new TemporaryFolder();
        tokenizer.Save(folder.Path);
        foreach (var each in new[] { tokenizer, Tokenizer.Load(folder.Path) })
        {
            Assert.Equal("0-0 0-4 4-9 9-13 13-17", Ranges(each, "true <t> <t> true", special: true));
        }
    }

    [Fact]
    public void UnknownBytesHaveRangesToo()
    {
        Assert.Equal("0-2 2-3 2-3 3-4 4-5", Ranges(Letters(""), "abéca"));
        Assert.Equal("0-2 2-4 4-5", Ranges(Letters(""", "fuse_unk": true"""), "abéca"));

        static Tokenizer Letters(string more) => Goldens.Load(("tokenizer.json",
            $$"""
            {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},
             "model": {"merges": [["a", "b"]], "vocab": {"a": 0, "b": 1, "ab": 2, "?": 3}, "unk_token": "?" {{more}} } }
            """));
    }

    private static string Ranges(Tokenizer tokenizer, string text, bool special = false)
    {
        var spans = tokenizer.EncodeWithOffsets(text, special);
        Assert.Equal(tokenizer.Encode(text, special), spans.Select(span => span.Id));
        return string.Join(' ', spans.Select(span => $"{span.Start}-{span.End}"));
    }
}
