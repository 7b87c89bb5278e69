using System.Buffers;
using System.Globalization;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// General categories of Unicode 17, whatever version the runtime knows (.NET 10: 16): the ids of a text must not depend
/// on the machine. The table holds what Unicode 17 added to 16, or changed.
/// </summary>
internal static class Unicode17
{
    private static readonly Dictionary<int, UnicodeCategory> s_news = Read(
    [
        (UnicodeCategory.OtherLetter,
            "295 88F C5C CDC 10940-10959 10EC6-10EC7 11DB0-11DD8 11DDA-11DDB 187F8-187FF 18D09-18D1E 18D80-18DF2 "
            + "1E6C0-1E6DE 1E6E0-1E6E2 1E6E4-1E6E5 1E6E7-1E6ED 1E6F0-1E6F4 1E6FE 2B73A-2B73F 2CEA2-2CEAD 323B0-33479"),
        (UnicodeCategory.NonSpacingMark, "1ACF-1ADD 1AE0-1AEB 10EFA-10EFB 11B60 11B62-11B64 11B66 1E6E3 1E6E6 1E6EE-1E6EF 1E6F5"),
        (UnicodeCategory.CurrencySymbol, "20C1"),
        (UnicodeCategory.OtherSymbol,
            "2B96 FBC3-FBD2 FD90-FD91 FDC8-FDCE 10ED1-10ED8 1CCFA-1CCFC 1CEBA-1CED0 1CEE0-1CEEF 1F6D8 1F777-1F77A "
            + "1FA54-1FA57 1FA8A 1FA8E 1FAC8 1FACD 1FAEA 1FAEF 1FBFA"),
        (UnicodeCategory.UppercaseLetter, "A7CE A7D2 A7D4 16EA0-16EB8"),
        (UnicodeCategory.LowercaseLetter, "A7CF 16EBB-16ED3"),
        (UnicodeCategory.ModifierLetter, "A7F1 10EC5 11DD9 16FF2-16FF3 1E6FF"),
        (UnicodeCategory.OtherPunctuation, "10ED0"),
        (UnicodeCategory.SpacingCombiningMark, "11B61 11B65 11B67"),
        (UnicodeCategory.DecimalDigitNumber, "11DE0-11DE9"),
        (UnicodeCategory.LetterNumber, "16FF4-16FF6"),
        (UnicodeCategory.MathSymbol, "1CEF0 1F8D0-1F8D8"),
    ]);

    /// <summary>Characters below U+10000 whose category the runtime may not know, and all surrogates.</summary>
    public static SearchValues<char> NotJudgedByRuntime { get; } = SearchValues.Create(
        [.. s_news.Keys.Where(codePoint => codePoint <= char.MaxValue).Select(codePoint => (char)codePoint),
        .. Enumerable.Range('\uD800', 0x800).Select(value => (char)value)]);

    public static UnicodeCategory CategoryOf(int codePoint) =>
        s_news.TryGetValue(codePoint, out var category) ? category : CharUnicodeInfo.GetUnicodeCategory(codePoint);

    /// <summary>Whether the table has something to say about the character.</summary>
    public static bool IsNew(char character) => s_news.ContainsKey(character);

    private static Dictionary<int, UnicodeCategory> Read((UnicodeCategory Category, string Ranges)[] table)
    {
        var result = new Dictionary<int, UnicodeCategory>();
        foreach (var (category, ranges) in table)
        {
            foreach (var range in ranges.Split(' '))
            {
                var ends = range.Split('-');
                for (var codePoint = Convert.ToInt32(ends[0], 16); codePoint <= Convert.ToInt32(ends[^1], 16); codePoint++)
                {
                    result.Add(codePoint, category);
                }
            }
        }

        return result;
    }
}
