using System.Text;

namespace MiniMaxSharp.Tokenization;

/// <summary>Finds the range of the text behind each token of a piece.</summary>
internal sealed class TokenLocator(Tokenizer tokenizer, BytePairModel model, bool trim)
{
    private readonly List<int> _ids = [];
    private readonly List<TokenSpan> _spans = [];

    public List<TokenSpan> Spans => _spans;

    /// <summary>Encodes a piece; what begins before the least start, as a space put in front does, is cut off there.</summary>
    public void Add(ReadOnlySpan<char> piece, int start, int least)
    {
        _ids.Clear();
        model.Encode(piece, _ids);
        var bytes = new byte[Encoding.UTF8.GetByteCount(piece)];
        Encoding.UTF8.GetBytes(piece, bytes);
        var owners = Owners(piece, bytes.Length);
        var at = 0;
        foreach (var id in _ids)
        {
            var end = at + model.LengthAt(bytes.AsSpan(at), tokenizer.BytesOf(id, skipSpecialTokens: false).Length);
            var token = bytes.AsSpan(at, end - at);
            // A range trimmed to nothing lies behind the token, as Hugging Face's does.
            var (leading, trailing) = trim ? (token.Length - token.TrimStart((byte)' ').Length, token.Length - token.TrimEnd((byte)' ').Length) : (0, 0);
            var from = leading == token.Length ? owners[end - 1].End : owners[at + leading].Start;
            var to = leading == token.Length ? from : owners[end - 1 - trailing].End;
            _spans.Add(new TokenSpan(id, Math.Max(start + from, least), Math.Max(start + to, least)));
            at = end;
        }
    }

    /// <summary>Replaces ranges of normalised text, from one token on, by those of the original.</summary>
    public void Map(int first, (int Start, int End)[]? origins, int start)
    {
        for (var i = first; i < _spans.Count; i++)
        {
            var (id, from, to) = _spans[i];
            if (origins is not null)
            {
                // An empty range has no characters of its own to ask.
                var end = to > 0 ? origins[to - 1].End : 0;
                (from, to) = (from < to ? origins[from].Start : end, end);
            }

            _spans[i] = new TokenSpan(id, start + from, start + to);
        }
    }

    /// <summary>The character, as a range of the piece, that each byte belongs to.</summary>
    private static (int Start, int End)[] Owners(ReadOnlySpan<char> piece, int count)
    {
        var owners = new (int Start, int End)[count];
        var at = 0;
        for (var start = 0; start < piece.Length;)
        {
            // An unpaired surrogate decodes to the replacement character, three bytes, like its own encoding.
            Rune.DecodeFromUtf16(piece[start..], out var rune, out var length);
            owners.AsSpan(at, rune.Utf8SequenceLength).Fill((start, start + length));
            at += rune.Utf8SequenceLength;
            start += length;
        }

        return owners;
    }
}
