using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Tokenization;

public class SplitTests
{
    [Theory]
    [InlineData("Removed", false, "the|final|countdown")]
    [InlineData("Removed", true, "-|-|-")]
    [InlineData("Isolated", false, "the|-|final|-|-|countdown")]
    [InlineData("Isolated", true, "the|-|final|-|-|countdown")]
    [InlineData("Contiguous", false, "the|-|final|--|countdown")]
    [InlineData("MergedWithPrevious", false, "the-|final-|-|countdown")]
    [InlineData("MergedWithPrevious", true, "the|-final|-|-countdown")]
    [InlineData("MergedWithNext", false, "the|-final|-|-countdown")]
    [InlineData("MergedWithNext", true, "the-|final-|-|countdown")]
    public void BehavioursPlaceTheMatches(string behavior, bool invert, string expected)
    {
        var split = new SplitPreTokenizer("-", IsRegex: false, Enum.Parse<SplitBehavior>(behavior), invert);
        Assert.Equal(expected, Pieces(split, "the-final--countdown"));
    }

    [Theory]
    [InlineData(@"\p{L}+", "a𐐀b 𐐨c", "a𐐀b| |𐐨c")]
    [InlineData(@"\p{Lu}", "𐐀𐐨A", "𐐀|𐐨|A")]
    [InlineData(@"\p{N}{1,3}", "1𝟙𝟚𝟛4", "1𝟙𝟚|𝟛4")]
    [InlineData(@"[^\s\p{L}\p{N}]?\p{L}+", "😀a", "😀a")]
    [InlineData(@".", "😀é", "😀|é")]
    [InlineData(@"[一-龥]+", "中文a𠀀", "中文|a𠀀")]
    [InlineData(@"[\x{3040}-\u309F]+", "あa", "あ|a")]
    [InlineData(@"\p{letter}+|\p{^L}+", "ab1,c", "ab|1,|c")]
    [InlineData(@"\w+", "é_1-Ⅷ", "é_1|-|Ⅷ")]
    [InlineData(@"\bb\B", "bb b", "b|b b")]
    [InlineData(@"\h+", "xFaZ0", "x|Fa|Z|0")]
    [InlineData(@"(?i:'ll|[r-s]e)", "x'LL'ſeSe", "x|'LL|'ſe|Se")]
    [InlineData(@"a(?i)b|c", "aBaCbc", "aB|aC|bc")]
    [InlineData(@"a++b|a", "aab", "aab")]
    [InlineData(@"a++ab|b", "aab", "aa|b")]
    [InlineData(@"(?:ab){2}+", "abababab", "abababab")]
    [InlineData(@"a{,2}b", "aaab", "a|aab")]
    [InlineData(@"^b$", "a\nb\nc", "a\n|b|\nc")]
    [InlineData(@"a.b", "a\nb", "a\nb")]
    [InlineData(@"(?m:a.b)", "xa\nb", "x|a\nb")]
    [InlineData(@"[a[bc]]+", "abcd", "abc|d")]
    [InlineData(@"[[:digit:]_-]+", "x1_-2", "x|1_-2")]
    [InlineData(@"[]a]+", "x]ax", "x|]a|x")]
    [InlineData(@"[\]\-\\^{]+", "x]-\\^{x", "x|]-\\^{|x")]
    [InlineData(@"a{x}", "a{x}b", "a{x}|b")]
    [InlineData(@"x(?=y)|(?<!z)y", "xyzy", "x|y|zy")]
    public void ExpressionsMeanWhatOnigurumaSays(string pattern, string text, string expected)
    {
        var split = new SplitPreTokenizer(pattern, IsRegex: true, SplitBehavior.Isolated, Invert: false);
        Assert.Equal(expected, Pieces(split, text));
    }

    /// <summary>U+323B0 became a letter in Unicode 17, U+088F too; neither may depend on the runtime's version.</summary>
    [Theory]
    [InlineData("a\U000323B0b!", "a\U000323B0b|!")]
    [InlineData("a\u088Fb!", "a\u088Fb|!")]
    public void CategoriesAreThoseOfUnicode17(string text, string expected)
    {
        var split = new SplitPreTokenizer(@"\p{L}+", IsRegex: true, SplitBehavior.Isolated, Invert: false);
        Assert.Equal(expected, Pieces(split, text));
    }

    [Theory]
    [InlineData(@"\p{Han}")]
    [InlineData(@"[a&&b]")]
    [InlineData(@"[a[^b]]")]
    [InlineData(@"[\W]")]
    [InlineData(@"(?x)a b")]
    [InlineData(@"(?<name>a)")]
    [InlineData(@"(a)\1")]
    [InlineData(@"a)")]
    [InlineData(@"(a")]
    [InlineData(@"(")]
    [InlineData(@"(?")]
    [InlineData(@"[a")]
    [InlineData(@"[")]
    [InlineData(@"[]")]
    [InlineData(@"[a-")]
    [InlineData(@"[b-a]")]
    [InlineData(@"[[:nothing:]]")]
    [InlineData(@"[[:digit")]
    [InlineData(@"+a")]
    [InlineData(@"a\")]
    [InlineData(@"\p")]
    [InlineData(@"\p{L")]
    [InlineData(@"\x{110000}")]
    [InlineData(@"\x{41")]
    [InlineData(@"\u00")]
    [InlineData(@"😀")]
    [InlineData(@"\X")]
    [InlineData(@"a{3,2}")]
    [InlineData(@"[\u0080-\uFFFF]")]
    public void WhatCannotBeTranslatedIsRefused(string pattern)
    {
        var error = Assert.Throws<FormatException>(() => SplitPattern.FromRegex(pattern));
        Assert.Contains(pattern, error.Message);
    }

    [Theory]
    [InlineData(false, "don't  stop 12ab", "don|'t| | stop| 12|ab")]
    [InlineData(true, "go", " go")]
    [InlineData(true, " go", " go")]
    [InlineData(false, "x\n\n  y", "x|\n\n | y")]
    public void ByteLevelSplitsAsGpt2Does(bool addPrefixSpace, string text, string expected) =>
        Assert.Equal(expected, Pieces(new ByteLevelPreTokenizer(addPrefixSpace, TrimOffsets: true, UseRegex: true), text));

    private static string Pieces(PreTokenizer preTokenizer, string text)
    {
        var pieces = new List<string>();
        preTokenizer.Split(text, 0, (piece, _) => pieces.Add(piece.ToString()));
        return string.Join('|', pieces);
    }
}
