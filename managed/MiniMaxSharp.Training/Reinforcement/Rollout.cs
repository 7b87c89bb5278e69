namespace MiniMaxSharp.Training;

/// <summary>A response with its reward and its advantage over the others to the same prompt.</summary>
/// <param name="Group">Number of the prompt within the step.</param>
/// <param name="Response">Prompt, text and tokens.</param>
/// <param name="Reward">Its score.</param>
/// <param name="Advantage">(reward − mean) / (deviation + 1e-6) of the group; 0 in a uniform one.</param>
public sealed record Rollout(int Group, Response Response, RewardResult Reward, double Advantage)
{
    /// <summary>Prompt and response for the trainer; tokens that were put in from outside are not scored.</summary>
    public TrainingSequence Sequence { get; } = new([.. Response.Prompt.Tokens, .. Response.Completion.Tokens], Scored(Response))
    {
        Experts = Response.Completion.Experts,
    };

    /// <summary>What the sampler gave the scored tokens, in order: log π_old.</summary>
    public IEnumerable<float> OldLogProbabilities =>
        Response.Completion.LogProbabilities.Where((_, i) => Sequence.Scored[Response.Prompt.Tokens.Length + i]);

    private static bool[] Scored(Response response)
    {
        int prompt = response.Prompt.Tokens.Length;
        var scored = new bool[prompt + response.Completion.Tokens.Length];
        scored.AsSpan(prompt).Fill(true);
        foreach (int i in response.Completion.Injected)
        {
            scored[prompt + i] = false;
        }

        return scored;
    }
}

/// <summary>What one step samples.</summary>
/// <param name="Groups">Every response, by prompt.</param>
/// <param name="Informative">The groups to learn from: those whose responses differ in reward, as many as a step takes.</param>
/// <param name="Seconds">Time of sampling and scoring.</param>
public sealed record RolloutBatch(IReadOnlyList<Rollout[]> Groups, IReadOnlyList<Rollout[]> Informative, double Seconds);
