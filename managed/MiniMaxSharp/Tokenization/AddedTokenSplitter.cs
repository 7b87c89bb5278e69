using System.Buffers;
using System.Text;

namespace MiniMaxSharp.Tokenization;

/// <summary>Finds added tokens in a text: leftmost first, the longest of those that begin at one place.</summary>
internal sealed class AddedTokenSplitter
{
    /// <summary>
    /// What ECMAScript takes for white space. Hugging Face's JavaScript edition, our oracle, strips that, and splits at
    /// that in GPT-2's expression: with U+FEFF and without U+0085, unlike Unicode and the expressions of Split.
    /// </summary>
    public const string WhiteSpace =
        "\t\n\v\f\r \u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF";

    /// <param name="text">A stretch between added tokens.</param>
    /// <param name="start">Where it begins.</param>
    public delegate void TextHandler(ReadOnlySpan<char> text, int start);

    /// <param name="token">An added token.</param>
    /// <param name="start">Where it begins, the white space that it swallows included.</param>
    /// <param name="end">Where it ends, likewise.</param>
    public delegate void TokenHandler(AddedToken token, int start, int end);

    private readonly (string Content, AddedToken Token)[] _longestFirst;
    private readonly SearchValues<string> _contents;

    public AddedTokenSplitter(IEnumerable<(string Content, AddedToken Token)> tokens)
    {
        _longestFirst = [.. tokens.Where(entry => entry.Content.Length > 0).OrderByDescending(entry => entry.Content.Length)];
        _contents = SearchValues.Create([.. _longestFirst.Select(entry => entry.Content)], StringComparison.Ordinal);
    }

    /// <summary>Walks through the text in order, handing on each added token and each stretch between them.</summary>
    public void Split(ReadOnlySpan<char> text, TextHandler onText, TokenHandler onToken)
    {
        var emitted = 0;
        var position = 0;
        while (_longestFirst.Length > 0 && position < text.Length)
        {
            var offset = text[position..].IndexOfAny(_contents);
            if (offset < 0)
            {
                break;
            }

            var start = position + offset;
            var (content, token) = LongestAt(text[start..]);
            var end = position = start + content.Length;
            if (token.SingleWord && (TouchesWordBefore(text[..start]) || TouchesWordAfter(text[end..])))
            {
                continue;
            }

            // A neighbour's right strip may have taken the white space before this token already.
            var textEnd = token.LeftStrip ? text[..start].TrimEnd(WhiteSpace).Length : start;
            EmitText(text, emitted, textEnd, onText);
            var tokenStart = Math.Max(emitted, textEnd);
            emitted = token.RightStrip ? text.Length - text[end..].TrimStart(WhiteSpace).Length : end;
            onToken(token, tokenStart, emitted);
            position = Math.Max(position, emitted);
        }

        EmitText(text, emitted, text.Length, onText);
    }

    private static void EmitText(ReadOnlySpan<char> text, int start, int end, TextHandler onText)
    {
        if (end > start)
        {
            onText(text[start..end], start);
        }
    }

    private (string Content, AddedToken Token) LongestAt(ReadOnlySpan<char> text)
    {
        foreach (var entry in _longestFirst)
        {
            if (text.StartsWith(entry.Content, StringComparison.Ordinal))
            {
                return entry;
            }
        }

        throw new InvalidOperationException("The search reported an added token where none begins.");
    }

    private static bool TouchesWordBefore(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out var rune, out _) == OperationStatus.Done && IsWord(rune);

    private static bool TouchesWordAfter(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out var rune, out _) == OperationStatus.Done && IsWord(rune);

    private static bool IsWord(Rune rune) => Rune.IsLetterOrDigit(rune) || rune.Value == '_';
}
