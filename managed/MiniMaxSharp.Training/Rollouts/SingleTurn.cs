using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Training;

/// <summary>One continuous response to each prompt, scored as a whole.</summary>
/// <param name="Decode">From response tokens to the text that is scored.</param>
/// <param name="Reward">Scores responses.</param>
/// <param name="Generation">How they are sampled.</param>
/// <param name="GroupSize">Responses to each prompt.</param>
public sealed record SingleTurn(Func<int[], string> Decode, IRewardFunction Reward, GenerationOptions Generation, int GroupSize) : IResponseSource
{
    /// <summary>Needed for stop strings and a thinking budget.</summary>
    public Tokenizer? Tokenizer { get; init; }

    /// <summary>Whether responses say which experts their tokens went to, for <see cref="PolicyOptions.ReplayRouting"/>.</summary>
    public bool RecordExperts { get; init; }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The reward gave another number of results than there were responses.</exception>
    public async Task<IReadOnlyList<ScoredResponse[]>> RespondAsync(
        MiniMaxForCausalLM policy, IReadOnlyList<RolloutPrompt> prompts, ulong seed, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        GenerationRequest[] requests =
        [
            .. prompts.Select((p, i) => new GenerationRequest(p.Tokens, SplitMix64.Mix(seed + (ulong)(i + 1)), GroupSize)),
        ];
        var generator = new TextGenerator(policy, Tokenizer) { RecordExperts = RecordExperts };
        IReadOnlyList<Completion[]> completions = generator.Generate(requests, Generation, cancellation: cancellation);
        Response[] responses =
        [
            .. completions.SelectMany((group, i) => group.Select(c => new Response(prompts[i], Decode(c.Tokens), c))),
        ];
        IReadOnlyList<RewardResult> rewards = await Reward.ScoreAsync(responses, cancellation).ConfigureAwait(false);
        if (rewards.Count != responses.Length)
        {
            throw new InvalidOperationException($"The reward '{Reward.Name}' gave {rewards.Count} results for {responses.Length} responses.");
        }

        return [.. responses.Zip(rewards, (response, reward) => new ScoredResponse(response, reward)).Chunk(GroupSize)];
    }
}
