using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Checks;

/// <summary>logits [responses, tokens, vocabulary], the other inputs [responses, tokens], reward and group [responses].</summary>
internal static class PolicyLossCheck
{
    public static void Run(OperatorCase c)
    {
        long[] shape = c.Shape("logits");
        int tokens = (int)shape[1];
        int[] actions = [.. c.Integers("actions").Select(x => (int)x)];
        bool[] mask = [.. c.Integers("mask").Select(x => x != 0)];
        int[] groups = [.. c.Integers("group").Select(x => (int)x)];
        PolicyObjective objective = Objective(c);
        var scores = new TokenScores(c.Device, c.Input("logits"), actions, shape[2]);
        c.Compare("logp", scores.LogProbability);
        Evaluate("");
        if (c.HasOutput("loss_all_tokens"))
        {
            objective = objective with { Aggregation = LossAggregation.BatchToken };
            Evaluate("_all_tokens");
        }

        double[] rewards = [.. c.Floats("reward").Select(x => (double)x)];
        c.Compare("advantage_population_std", Advantages(rewards, groups, unbiased: false));
        c.Compare("advantage_sample_std", Advantages(rewards, groups, unbiased: true));

        void Evaluate(string suffix)
        {
            (double loss, float[] gradient, float[] ratio, float[] value) = PolicyLoss.Evaluate(
                c.Device, objective, scores.LogProbability, c.Floats("old_logp"), c.Floats("advantage"),
                Weights(objective.Aggregation, mask, groups, tokens), c.Floats("ref_logp"));
            c.Compare("loss" + suffix, [loss]);
            c.Compare("dlogp" + suffix, gradient);
            c.Compare("dlogits" + suffix, scores.Backward(gradient));
            if (suffix.Length == 0)
            {
                c.Compare("ratio", ratio);
                c.Compare("token_objective", value);
            }
        }
    }

    private static PolicyObjective Objective(OperatorCase c)
    {
        float low = (float)c.Number("eps_low", 0), high = (float)c.Number("eps_high", 0), beta = (float)c.Number("beta", 0);
        var capped = new PolicyObjective { Name = "capped", MinWeight = Math.Max(0, 1 - low), MaxWeight = 1 + high };
        var clipped = new PolicyObjective { Name = "clipped", MaskLow = low, MaskHigh = high, KlWeight = beta, ReportsClippedSurrogate = true };
        return c.Text("kind") switch
        {
            "cispo" => capped,
            "unify" => capped with { MaskLow = (float)c.Number("mask_low"), MaskHigh = (float)c.Number("mask_high") },
            "dapo" => clipped,
            "ppo" or "grpo" => clipped with { Aggregation = LossAggregation.Sample },
            "reinforce" => PolicyObjective.Reinforce(),
            string kind => throw new NotSupportedException($"the kind '{kind}' is not known"),
        };
    }

    // The trainer's weights of the tokens that count, 0 for the others.
    private static float[] Weights(LossAggregation aggregation, bool[] mask, int[] groups, int tokens)
    {
        (int Group, int Tokens)[] responses = [.. groups.Select((g, i) => (g, mask.Skip(i * tokens).Take(tokens).Count(m => m)))];
        var packed = new Queue<float>(Aggregation.TokenWeights(aggregation, responses));
        return [.. mask.Select(m => m ? packed.Dequeue() : 0)];
    }

    private static IEnumerable<double> Advantages(double[] rewards, int[] groups, bool unbiased)
    {
        var result = new double[rewards.Length];
        foreach (IGrouping<int, int> group in Enumerable.Range(0, rewards.Length).GroupBy(i => groups[i]))
        {
            int[] members = [.. group];
            double[] advantages = GroupAdvantage.Of([.. members.Select(i => rewards[i])], unbiased, epsilon: 0);
            for (int j = 0; j < members.Length; j++)
            {
                result[members[j]] = advantages[j];
            }
        }

        return result;
    }
}
