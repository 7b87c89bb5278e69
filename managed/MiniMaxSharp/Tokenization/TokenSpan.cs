namespace MiniMaxSharp.Tokenization;

/// <summary>A token and the range of the text that it stands for, in UTF-16 units.</summary>
/// <param name="Id">The token's id.</param>
/// <param name="Start">Where the range begins.</param>
/// <param name="End">Where it ends: the unit after the last.</param>
public readonly record struct TokenSpan(int Id, int Start, int End);
