namespace MiniMaxSharp.Tokenization;

/// <summary>What becomes of the matches when a text is split at a pattern.</summary>
internal enum SplitBehavior
{
    /// <summary>Matches vanish.</summary>
    Removed,

    /// <summary>Each match is a piece of its own.</summary>
    Isolated,

    /// <summary>A match belongs to the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>A match belongs to the piece after it.</summary>
    MergedWithNext,

    /// <summary>Adjacent matches are one piece.</summary>
    Contiguous,
}

/// <summary>Cuts a text into the pieces that byte-pair encoding never merges across.</summary>
internal abstract record PreTokenizer
{
    /// <param name="piece">Part of the text.</param>
    /// <param name="start">Where it begins, counted as the text's own beginning is.</param>
    public delegate void PieceHandler(ReadOnlySpan<char> piece, int start);

    /// <summary>Hands on the pieces in order; none is empty.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="start">What its beginning counts as.</param>
    /// <param name="onPiece">Receives the pieces.</param>
    public abstract void Split(ReadOnlySpan<char> text, int start, PieceHandler onPiece);
}

/// <summary>Splits at the matches of a pattern.</summary>
internal sealed record SplitPreTokenizer(string Pattern, bool IsRegex, SplitBehavior Behavior, bool Invert) : PreTokenizer
{
    private readonly SplitPattern _pattern = IsRegex ? SplitPattern.FromRegex(Pattern) : SplitPattern.FromText(Pattern);

    public override void Split(ReadOnlySpan<char> text, int start, PieceHandler onPiece)
    {
        foreach (var (from, to) in Join(Segments(text)))
        {
            if (from < to)
            {
                onPiece(text[from..to], start + from);
            }
        }
    }

    /// <summary>Matches and the gaps between them; inverted, a gap counts as a match and a match as a gap.</summary>
    private List<Segment> Segments(ReadOnlySpan<char> text)
    {
        var segments = new List<Segment>();
        var previous = 0;
        foreach (var (start, end) in _pattern.Matches(text))
        {
            AddGap(start);
            segments.Add(new Segment(start, end, !Invert));
            previous = end;
        }

        AddGap(text.Length);
        return segments;

        void AddGap(int end)
        {
            if (previous < end)
            {
                segments.Add(new Segment(previous, end, Invert));
            }
        }
    }

    private IEnumerable<(int Start, int End)> Join(List<Segment> segments) => Behavior switch
    {
        SplitBehavior.Removed => segments.Where(segment => !segment.IsMatch).Select(segment => segment.Span),
        SplitBehavior.Isolated => segments.Select(segment => segment.Span),
        SplitBehavior.Contiguous => JoinWhere(segments, (before, after) => before.IsMatch == after.IsMatch),
        SplitBehavior.MergedWithPrevious => JoinWhere(segments, (before, after) => !before.IsMatch && after.IsMatch),
        SplitBehavior.MergedWithNext => JoinWhere(segments, (before, after) => before.IsMatch && !after.IsMatch),
        _ => throw new InvalidOperationException($"Unknown split behaviour {Behavior}."),
    };

    private static IEnumerable<(int Start, int End)> JoinWhere(List<Segment> segments, Func<Segment, Segment, bool> belong)
    {
        for (var i = 0; i < segments.Count; i++)
        {
            var start = segments[i].Start;
            while (i + 1 < segments.Count && belong(segments[i], segments[i + 1]))
            {
                i++;
            }

            yield return (start, segments[i].End);
        }
    }

    private readonly record struct Segment(int Start, int End, bool IsMatch)
    {
        public (int Start, int End) Span => (Start, End);
    }
}

/// <summary>GPT-2's own pre-tokenizer: an optional space in front, then its regular expression.</summary>
internal sealed record ByteLevelPreTokenizer(bool AddPrefixSpace, bool TrimOffsets, bool UseRegex) : PreTokenizer
{
    private const string Space = AddedTokenSplitter.WhiteSpace;

    private const string Pattern =
        $@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{{L}}+| ?\p{{N}}+| ?[^{Space}\p{{L}}\p{{N}}]+|[{Space}]+(?![^{Space}])|[{Space}]+";

    private readonly SplitPattern? _pattern = UseRegex ? SplitPattern.FromRegex(Pattern) : null;

    public override void Split(ReadOnlySpan<char> text, int start, PieceHandler onPiece)
    {
        if (AddPrefixSpace && !text.StartsWith(' '))
        {
            SplitPrefixed($" {text}", start - 1, onPiece);
        }
        else
        {
            SplitPrefixed(text, start, onPiece);
        }
    }

    /// <summary>The pattern leaves no gaps: every character is a letter, a number, white space or none of them.</summary>
    private void SplitPrefixed(ReadOnlySpan<char> text, int start, PieceHandler onPiece)
    {
        if (_pattern is null)
        {
            onPiece(text, start);
            return;
        }

        foreach (var (from, to) in _pattern.Matches(text))
        {
            onPiece(text[from..to], start + from);
        }
    }
}

/// <summary>Each stage splits the pieces of the one before.</summary>
internal sealed record SequencePreTokenizer(IReadOnlyList<PreTokenizer> Stages) : PreTokenizer
{
    public override void Split(ReadOnlySpan<char> text, int start, PieceHandler onPiece)
    {
        var handler = onPiece;
        for (var i = Stages.Count - 1; i >= 0; i--)
        {
            handler = Before(Stages[i], handler);
        }

        handler(text, start);
    }

    private static PieceHandler Before(PreTokenizer stage, PieceHandler next) =>
        (text, start) => stage.Split(text, start, next);
}
