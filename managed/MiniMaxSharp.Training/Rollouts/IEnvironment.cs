using MiniMaxSharp.Generation;

namespace MiniMaxSharp.Training;

/// <summary>Something a model works on in turns: it acts, looks at what came of it, and acts again.</summary>
public interface IEnvironment
{
    /// <summary>Begins anew at a prompt. Called several times for each, once for every response of the group.</summary>
    /// <param name="prompt">What the model reads first, and what the environment needs to know.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    ValueTask<IEpisode> StartAsync(RolloutPrompt prompt, CancellationToken cancellation);
}

/// <summary>
/// One pass through an environment. Episodes run side by side: none may depend on another, nor on anything but its prompt and the
/// turns, or a run cannot be repeated. Disposed when it ends, however it ends.
/// </summary>
public interface IEpisode : IAsyncDisposable
{
    /// <summary>Answers a turn of the model.</summary>
    /// <param name="turn">What it said; its text is decoded.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    ValueTask<Observation> ActAsync(Completion turn, CancellationToken cancellation);
}

/// <summary>What an environment answers.</summary>
/// <param name="Tokens">What the model reads next, with all that a chat template puts around it; not read after the end.</param>
/// <param name="Reward">Earned by the turn; an episode's reward is the sum.</param>
/// <param name="Done">Whether the episode has ended.</param>
public sealed record Observation(int[] Tokens, double Reward, bool Done);
