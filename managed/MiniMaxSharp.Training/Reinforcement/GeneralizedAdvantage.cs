namespace MiniMaxSharp.Training;

/// <summary>How much better a token was than the value function expected (arXiv 1506.02438, equation 16).</summary>
public static class GeneralizedAdvantage
{
    /// <summary>
    /// A_t = Σ_l (γλ)^l δ_{t+l}, δ_t = r_t + γ V_{t+1} − V_t. The reward comes with the last token, after which nothing is expected, whether
    /// the response ended or was cut (a choice). Returns are A_t + V_t.
    /// </summary>
    /// <param name="values">V before each scored token; tokens that were put in from outside take no time.</param>
    /// <param name="reward">Of the response.</param>
    /// <param name="gamma">See <see cref="CriticOptions.Gamma"/>.</param>
    /// <param name="lambda">See <see cref="CriticOptions.Lambda"/>.</param>
    public static (double[] Advantages, double[] Returns) Of(IReadOnlyList<float> values, double reward, double gamma, double lambda)
    {
        ArgumentNullException.ThrowIfNull(values);
        var advantages = new double[values.Count];
        double advantage = 0, next = 0, earned = reward;
        for (int t = values.Count - 1; t >= 0; t--)
        {
            advantage = earned + gamma * next - values[t] + gamma * lambda * advantage;
            advantages[t] = advantage;
            (next, earned) = (values[t], 0);
        }

        return (advantages, [.. advantages.Zip(values, (a, v) => a + v)]);
    }

    /// <summary>Standard scores over the tokens of all responses, as PPO's implementations have it; zeros if all are equal.</summary>
    internal static double[][] Standardized(IReadOnlyList<double[]> advantages)
    {
        var scores = new Queue<double>(advantages.Count == 0 ? [] : GroupAdvantage.Of([.. advantages.SelectMany(a => a)]));
        return [.. advantages.Select(a => a.Select(_ => scores.Dequeue()).ToArray())];
    }
}
