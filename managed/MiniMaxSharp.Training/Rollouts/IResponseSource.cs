using MiniMaxSharp.Models;

namespace MiniMaxSharp.Training;

/// <summary>A response and what it earned.</summary>
/// <param name="Response">Prompt, text and tokens.</param>
/// <param name="Reward">Its score.</param>
public sealed record ScoredResponse(Response Response, RewardResult Reward);

/// <summary>Has a policy respond to prompts, and scores what it says: at once (<see cref="SingleTurn"/>) or in turns (<see cref="Episodes"/>).</summary>
public interface IResponseSource
{
    /// <summary>A group of responses to each prompt, in order; result [prompt][response].</summary>
    /// <param name="policy">Only read. Its device is the source's alone until the task ends.</param>
    /// <param name="prompts">What to respond to; the responses of a group share the instance.</param>
    /// <param name="seed">Of all random choices: the same seed and weights give the same responses to the bit.</param>
    /// <param name="cancellation">Looked at while sampling.</param>
    Task<IReadOnlyList<ScoredResponse[]>> RespondAsync(
        MiniMaxForCausalLM policy, IReadOnlyList<RolloutPrompt> prompts, ulong seed, CancellationToken cancellation);
}
