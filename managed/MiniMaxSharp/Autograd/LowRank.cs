namespace MiniMaxSharp;

/// <summary>
/// A low-rank addition to a weight, W + scale · B A (LoRA, arXiv 2106.09685, section 4.1): A [rank, in], B [out, rank], single precision. A
/// stacked weight has one for each matrix: A [stack, rank, in], B [stack, out, rank].
/// </summary>
internal sealed record LowRank(Parameter A, Parameter B, float Scale);
