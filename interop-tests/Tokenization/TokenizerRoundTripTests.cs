using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Tokenization;

public class TokenizerRoundTripTests
{
    private static readonly Tokenizer s_tokenizer = Tokenizer.Load(Goldens.Directory);

    /// <summary>Texts of any UTF-16 units, unpaired surrogates among them, with whole characters and tokens between.</summary>
    public static class Texts
    {
        public static Arbitrary<string> Any() => Gen.OneOf(
                Gen.Choose(0, 0xFFFF).Select(unit => ((char)unit).ToString()),
                Gen.Choose(0xD800, 0xDFFF).Select(unit => ((char)unit).ToString()),
                Gen.Choose(0x10000, 0x10FFFF).Select(char.ConvertFromUtf32),
                Gen.Choose(0, 0x7F).Select(unit => ((char)unit).ToString()),
                Gen.Elements(" true", " and", "\r\n", "  ", "<end_of_sentence>", "<end_of", "é", "中文", "👨‍👩‍👧", "\ufeff", "\0"))
            .ListOf()
            .Select(string.Concat)
            .ToArbitrary();
    }

    [Property(Arbitrary = [typeof(Texts)], MaxTest = 1000)]
    public void DecodingGivesTheTextBack(string text) => Assert.Equal(Lossy(text), s_tokenizer.Decode(s_tokenizer.Encode(text)));

    [Property(Arbitrary = [typeof(Texts)], MaxTest = 1000)]
    public void StreamingNeverEmitsHalfACharacter(string text)
    {
        var decoder = s_tokenizer.CreateStreamingDecoder();
        var chunks = s_tokenizer.Encode(text).Select(decoder.Append).ToList();
        chunks.Add(decoder.Flush());
        Assert.All(chunks, chunk => Assert.Equal(Lossy(chunk), chunk));
        Assert.Equal(Lossy(text), string.Concat(chunks));
    }

    /// <summary>Ids in any order make broken UTF-8; streaming must agree with decoding at once even so.</summary>
    [Property(MaxTest = 1000)]
    public void StreamingAgreesWithDecodingForAnyIds(NonNegativeInt[] numbers)
    {
        var ids = numbers.Select(number => number.Get % s_tokenizer.VocabularySize).ToArray();
        foreach (var skip in new[] { false, true })
        {
            var decoder = s_tokenizer.CreateStreamingDecoder(skip);
            var streamed = string.Concat(ids.Select(decoder.Append)) + decoder.Flush();
            Assert.Equal(s_tokenizer.Decode(ids, skip), streamed);
        }
    }

    [Fact]
    public void AnUnfinishedCharacterIsHeldBackUntilTheEnd()
    {
        var bytes = Encoding.UTF8.GetBytes("€").Select(value => s_tokenizer.TokenToId(ByteSymbols.SymbolOf(value).ToString())!.Value).ToArray();
        var decoder = s_tokenizer.CreateStreamingDecoder();
        Assert.Equal(["", "", "€"], bytes.Select(decoder.Append));
        Assert.Equal("", decoder.Append(bytes[0]));
        Assert.Equal("\uFFFD", decoder.Flush());
    }

    [Fact]
    public void SpecialTokensAreSkippedOnRequest()
    {
        var ids = s_tokenizer.Encode("<beginning_of_sentence>true<end_of_sentence>");
        Assert.Equal([s_tokenizer.BosTokenId!.Value, s_tokenizer.TokenToId("true")!.Value, s_tokenizer.EosTokenId!.Value], ids);
        Assert.Equal("true", s_tokenizer.Decode(ids, skipSpecialTokens: true));
        Assert.Equal("<beginning_of_sentence>true<end_of_sentence>", s_tokenizer.Decode(ids));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(600)]
    [InlineData(int.MaxValue)]
    public void AnUnknownIdIsRefused(int id)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => s_tokenizer.Decode([0, id]));
        Assert.Contains("600", error.Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => s_tokenizer.CreateStreamingDecoder().Append(id));
        Assert.Null(s_tokenizer.IdToToken(id));
    }

    /// <summary>Would take hours, were merging quadratic.</summary>
    [Theory]
    [InlineData("a")]
    [InlineData("abcdefghij")]
    [InlineData(" ")]
    [InlineData("犬")]
    public void AMegabyteWithoutABreakIsOnePiece(string unit)
    {
        var text = string.Concat(Enumerable.Repeat(unit, 1_000_000 / unit.Length));
        Assert.Equal(text, s_tokenizer.Decode(s_tokenizer.Encode(text)));
    }

    [Fact]
    public void ThreadsShareATokenizer()
    {
        var tokenizer = Tokenizer.Load(Goldens.Directory);
        var texts = Goldens.Paragraphs;
        var expected = texts.Select(text => string.Join(' ', s_tokenizer.Encode(text))).ToArray();
        Parallel.For(0, 200, i => Assert.Equal(expected[i % texts.Length], string.Join(' ', tokenizer.Encode(texts[i % texts.Length]))));
    }

    private static string Lossy(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
