using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Tokenization;

public class AddedTokenTests
{
    private static readonly AddedToken s_plain = new(0, "<t>");

    [Fact]
    public void TheLongestOfThoseThatBeginAtOnePlaceWins() =>
        Assert.Equal("a|{<t>!}|b|{<t>}|?", Split("a<t>!b<t>?", s_plain, s_plain with { Content = "<t>!" }));

    [Fact]
    public void TheLeftmostWins() =>
        Assert.Equal("{<t>a}|bc", Split("<t>abc", s_plain with { Content = "abc" }, s_plain with { Content = "<t>a" }));

    [Theory]
    [InlineData(false, false, "a |{<t>}| \n|{<t>}| b")]
    [InlineData(true, false, "a|{<t>}|{<t>}| b")]
    [InlineData(false, true, "a |{<t>}|{<t>}|b")]
    [InlineData(true, true, "a|{<t>}|{<t>}|b")]
    public void NeighbouringWhiteSpaceIsSwallowed(bool left, bool right, string expected) =>
        Assert.Equal(expected, Split("a <t> \n<t> b", s_plain with { LeftStrip = left, RightStrip = right }));

    [Theory]
    [InlineData("<t>", "{<t>}")]
    [InlineData("-<t> ", "-|{<t>}| ")]
    [InlineData("a<t>", "a<t>")]
    [InlineData("<t>1", "<t>1")]
    [InlineData("_<t>", "_<t>")]
    [InlineData("𐐀<t>", "𐐀<t>")]
    [InlineData("x<t> <t>", "x<t> |{<t>}")]
    public void ASingleWordTouchesNoOther(string text, string expected) =>
        Assert.Equal(expected, Split(text, s_plain with { SingleWord = true }));

    [Fact]
    public void NormalizedTokensAreFoundInTheNormalizedText()
    {
        var tokenizer = Goldens.Changed(root =>
        {
            root["normalizer"] = new System.Text.Json.Nodes.JsonObject { ["type"] = "NFC" };
            var tokens = root["added_tokens"]!.AsArray();
            tokens.Add(Entry(600, "caf\u00e9", normalized: true));
            tokens.Add(Entry(601, "th\u00e9", normalized: false));
        });
        Assert.Equal([600], tokenizer.Encode("cafe\u0301"));
        Assert.Equal([601], tokenizer.Encode("th\u00e9"));
        Assert.NotEqual([601], tokenizer.Encode("the\u0301"));

        static System.Text.Json.Nodes.JsonObject Entry(int id, string content, bool normalized) =>
            new() { ["id"] = id, ["content"] = content, ["normalized"] = normalized };
    }

    private static string Split(string text, params AddedToken[] tokens)
    {
        var parts = new List<string>();
        new AddedTokenSplitter(tokens.Select(token => (token.Content, token)))
            .Split(text, (stretch, _) => parts.Add(stretch.ToString()), (token, _, _) => parts.Add($"{{{token.Content}}}"));
        return string.Join('|', parts);
    }
}
