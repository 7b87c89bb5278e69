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

    /// <summary>
    /// <see cref="PolicyObjective.TokenShare"/> of the mean over tokens and the rest of the mean over responses: against negative
    /// responses that grow long late in training (MiniMax-M1 report, section 5; that the two are added is this project's choice).
    /// </summary>
    Combined,
}

/// <summary>What a token counts in the loss.</summary>
internal static class Aggregation
{
    /// <summary>A weight for each token of the responses, in order; they sum to 1.</summary>
    /// <param name="aggregation">Which.</param>
    /// <param name="responses">Number of the prompt and scored tokens of each response.</param>
    /// <param name="tokenShare">See <see cref="PolicyObjective.TokenShare"/>.</param>
    public static float[] TokenWeights(LossAggregation aggregation, IReadOnlyList<(int Group, int Tokens)> responses, float tokenShare = 0.5f)
    {
        Dictionary<int, int> groupTokens = responses.GroupBy(r => r.Group).ToDictionary(g => g.Key, g => g.Sum(r => r.Tokens));
        int all = responses.Sum(r => r.Tokens);
        return [.. responses.SelectMany(r => Enumerable.Repeat(Weight(r), r.Tokens))];

        float Weight((int Group, int Tokens) response) => aggregation switch
        {
            LossAggregation.Prompt => 1f / ((float)groupTokens.Count * groupTokens[response.Group]),
            LossAggregation.BatchToken => 1f / all,
            LossAggregation.Sample => OfSample(response),
            LossAggregation.Combined => tokenShare / all + (1 - tokenShare) * OfSample(response),
            _ => throw new ArgumentOutOfRangeException(nameof(aggregation), aggregation, "not an aggregation"),
        };

        float OfSample((int Group, int Tokens) response) => 1f / ((float)responses.Count * response.Tokens);
    }
}
