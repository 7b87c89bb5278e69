namespace MiniMaxSharp.Tokenization;

/// <summary>A token recognised as a whole in the text, before any splitting or merging.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">The text that it stands for; not empty.</param>
public sealed record AddedToken(int Id, string Content)
{
    /// <summary>Whether it steers the model rather than being text; <c>skipSpecialTokens</c> leaves it out.</summary>
    public bool Special { get; init; } = true;

    /// <summary>Whether it swallows the white space before it.</summary>
    public bool LeftStrip { get; init; }

    /// <summary>Whether it swallows the white space after it.</summary>
    public bool RightStrip { get; init; }

    /// <summary>Whether it is recognised only where no letter, digit or underscore touches it.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Whether it is looked for in the normalised text instead of the text as given.</summary>
    public bool Normalized { get; init; }
}
