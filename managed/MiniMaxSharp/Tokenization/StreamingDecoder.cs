using System.Text;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// Decodes ids as they come. It holds back the bytes of an unfinished character, so that it never emits half of one;
/// all that it emits, joined, is what <see cref="Tokenizer.Decode"/> gives for all ids at once. For one caller at a time.
/// </summary>
public sealed class StreamingDecoder
{
    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();

    internal StreamingDecoder(Tokenizer tokenizer, bool skipSpecialTokens) =>
        (_tokenizer, _skipSpecialTokens) = (tokenizer, skipSpecialTokens);

    /// <summary>The text that this id completes; may be empty.</summary>
    /// <param name="id">The next token id.</param>
    /// <exception cref="ArgumentOutOfRangeException">No token has the id.</exception>
    public string Append(int id) => Convert(_tokenizer.BytesOf(id, _skipSpecialTokens), flush: false);

    /// <summary>The end of the stream: U+FFFD for a character that was never finished, or else nothing.</summary>
    public string Flush() => Convert([], flush: true);

    private string Convert(ReadOnlySpan<byte> bytes, bool flush)
    {
        var characters = new char[_decoder.GetCharCount(bytes, flush)];
        return new string(characters, 0, _decoder.GetChars(bytes, characters, flush));
    }
}
