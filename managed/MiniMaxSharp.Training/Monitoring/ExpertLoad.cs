namespace MiniMaxSharp.Training;

/// <summary>How evenly tokens spread over experts.</summary>
internal static class ExpertLoad
{
    /// <summary>Standard deviation of the experts' counts of tokens divided by their mean, averaged over layers. Logits [tokens, experts] of each layer.</summary>
    public static double Variation(IReadOnlyList<Tensor> routerLogits, int topK) => routerLogits.Average(logits =>
    {
        int[] counts = Counts(logits.ToFloats(), (int)logits.Shape[1], topK);
        double mean = counts.Average();
        return Math.Sqrt(counts.Average(c => (c - mean) * (c - mean))) / mean;
    });

    // An expert is picked where fewer than topK come before it; of equal ones the first does.
    private static int[] Counts(float[] logits, int experts, int topK)
    {
        var counts = new int[experts];
        for (int row = 0; row < logits.Length; row += experts)
        {
            ReadOnlySpan<float> token = logits.AsSpan(row, experts);
            for (int i = 0; i < experts; i++)
            {
                int before = 0;
                for (int j = 0; j < experts; j++)
                {
                    before += token[j] > token[i] || (token[j] == token[i] && j < i) ? 1 : 0;
                }

                counts[i] += before < topK ? 1 : 0;
            }
        }

        return counts;
    }
}
