namespace MiniMaxSharp.Training;

/// <summary>How tokens are averaged into one loss.</summary>
public enum LossAggregation
{
    /// <summary>Each prompt's responses by their number of tokens, then the mean over prompts (equation 4 of the report).</summary>
    Prompt,

    /// <summary>All tokens of the batch alike.</summary>
    BatchToken,

    /// <summary>The mean of each response, then the mean over responses.</summary>
    Sample,
}

/// <summary>What a token counts in the loss.</summary>
internal static class Aggregation
{
    /// <summary>A weight for each token of the responses, in order; they sum to 1.</summary>
    public static float[] TokenWeights(LossAggregation aggregation, IReadOnlyList<(int Group, int Tokens)> responses)
    {
        Dictionary<int, int> groupTokens = responses.GroupBy(r => r.Group).ToDictionary(g => g.Key, g => g.Sum(r => r.Tokens));
        int all = responses.Sum(r => r.Tokens);
        return
        [
            .. responses.SelectMany(r => Enumerable.Repeat(
                aggregation switch
                {
                    LossAggregation.Prompt => 1f / ((float)groupTokens.Count * groupTokens[r.Group]),
                    LossAggregation.BatchToken => 1f / all,
                    LossAggregation.Sample => 1f / ((float)responses.Count * r.Tokens),
                    _ => throw new ArgumentOutOfRangeException(nameof(aggregation), aggregation, "not an aggregation"),
                },
                r.Tokens)),
        ];
    }
}
