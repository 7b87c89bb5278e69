using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Training;

/// <summary>Settings of <see cref="Episodes"/>.</summary>
public sealed record EpisodeOptions
{
    /// <summary>Episodes from each prompt.</summary>
    public int GroupSize { get; init; } = 8;

    /// <summary>Turns of the model at most.</summary>
    public int MaxTurns { get; init; } = 8;

    /// <summary>Tokens after the prompt at most, turns and observations together.</summary>
    public int MaxTokens { get; init; } = 4096;

    /// <summary>How one turn is sampled; its stop tokens hand over to the environment.</summary>
    public required GenerationOptions Generation { get; init; }

    /// <summary>
    /// Memory of the engine that samples; beginnings that were computed in earlier turns are reused out of it. Router replay needs its
    /// <see cref="EngineOptions.RecordExperts"/>.
    /// </summary>
    public EngineOptions Engine { get; init; } = new();

    /// <summary>Throws on a setting that makes no sense.</summary>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(GroupSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxTurns, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxTokens, 1);
        Generation.Validate();
        Engine.Validate();
    }
}

/// <summary>
/// Responses of several turns. All episodes of a batch go on side by side in one engine, each at its own pace: what one samples depends
/// on its seed and its tokens only. An episode is one sequence for the trainer, in which observations are marked as put in from outside,
/// so that nothing is learnt from them.
/// </summary>
/// <remarks>
/// Choice: an episode also ends when a turn does not stop by itself (its length, a repetition), when <see cref="EpisodeOptions.MaxTurns"/> are
/// taken, or when the next observation would leave no token of <see cref="EpisodeOptions.MaxTokens"/> to say something. It keeps the reward
/// that it has earned, and counts as cut by length unless it was a repetition.
/// </remarks>
public sealed class Episodes : IResponseSource
{
    private readonly IEnvironment _environment;
    private readonly Func<int[], string> _decode;
    private readonly EpisodeOptions _options;
    private readonly Tokenizer? _tokenizer;

    /// <param name="environment">Where the model acts.</param>
    /// <param name="decode">From the tokens of a turn to its text.</param>
    /// <param name="options">Settings; checked here.</param>
    /// <param name="tokenizer">Needed for stop strings and a thinking budget.</param>
    public Episodes(IEnvironment environment, Func<int[], string> decode, EpisodeOptions options, Tokenizer? tokenizer = null)
    {
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(decode);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _environment = environment;
        _decode = decode;
        _options = options;
        _tokenizer = tokenizer;
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ScoredResponse[]>> RespondAsync(
        MiniMaxForCausalLM policy, IReadOnlyList<RolloutPrompt> prompts, ulong seed, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        await using var engine = new GenerationEngine(policy, _options.Engine, _tokenizer);
        var episodes = new List<Task<ScoredResponse>>();
        for (int i = 0; i < prompts.Count; i++)
        {
            var seeds = new SplitMix64(SplitMix64.Mix(seed + (ulong)(i + 1)));
            for (int j = 0; j < _options.GroupSize; j++)
            {
                episodes.Add(PlayAsync(engine, prompts[i], new SplitMix64(seeds.Next()), cancellation));
            }
        }

        ScoredResponse[] played = await Task.WhenAll(episodes).ConfigureAwait(false);
        return [.. played.Chunk(_options.GroupSize)];
    }

    private async Task<ScoredResponse> PlayAsync(GenerationEngine engine, RolloutPrompt prompt, SplitMix64 seeds, CancellationToken cancellation)
    {
        IEpisode episode = await _environment.StartAsync(prompt, cancellation).ConfigureAwait(false);
        await using (episode.ConfigureAwait(false))
        {
            var transcript = new Transcript();
            double reward = 0;
            for (int turns = 1; ; turns++)
            {
                Completion turn = await SpeakAsync(engine, prompt, transcript, seeds.Next(), cancellation).ConfigureAwait(false);
                transcript.Add(turn);
                Observation seen = await episode.ActAsync(turn, cancellation).ConfigureAwait(false);
                reward += seen.Reward;
                if (seen.Done || turn.Reason != FinishReason.Stop)
                {
                    return Scored(prompt, transcript, turn.Reason, reward, turns);
                }

                if (turns == _options.MaxTurns || transcript.Length + seen.Tokens.Length >= _options.MaxTokens)
                {
                    return Scored(prompt, transcript, FinishReason.Length, reward, turns);
                }

                transcript.Add(seen);
            }
        }
    }

    private async Task<Completion> SpeakAsync(
        GenerationEngine engine, RolloutPrompt prompt, Transcript transcript, ulong seed, CancellationToken cancellation)
    {
        var request = new GenerationRequest((int[])[.. prompt.Tokens, .. transcript.Tokens], seed);
        int room = Math.Min(_options.Generation.MaxNewTokens, _options.MaxTokens - transcript.Length);
        Completion[] turn = await engine.CompleteAsync(request, _options.Generation with { MaxNewTokens = room }, cancellation).ConfigureAwait(false);
        return turn[0] with { Text = _decode(turn[0].Tokens) };
    }

    private ScoredResponse Scored(RolloutPrompt prompt, Transcript transcript, FinishReason reason, double reward, int turns)
    {
        Completion completion = transcript.ToCompletion(reason);
        return new ScoredResponse(
            new Response(prompt, _decode(completion.Tokens), completion),
            new RewardResult(reward, new Dictionary<string, double> { ["turns"] = turns }));
    }

    /// <summary>All that follows the prompt, with log π_old where the model spoke.</summary>
    private sealed class Transcript
    {
        private readonly List<int> _tokens = [];
        private readonly List<float> _logProbabilities = [];
        private readonly List<int> _outside = [];
        private ushort[]? _experts;

        public IReadOnlyList<int> Tokens => _tokens;

        public int Length => _tokens.Count;

        public void Add(Completion turn)
        {
            _outside.AddRange(turn.Injected.Select(i => Length + i));
            _tokens.AddRange(turn.Tokens);
            _logProbabilities.AddRange(turn.LogProbabilities);
            // All that came before was this turn's prompt: its experts are those of the whole.
            _experts = turn.Experts;
        }

        public void Add(Observation seen)
        {
            _outside.AddRange(Enumerable.Range(Length, seen.Tokens.Length));
            _tokens.AddRange(seen.Tokens);
            _logProbabilities.AddRange(seen.Tokens.Select(_ => 0f));
        }

        public Completion ToCompletion(FinishReason reason) =>
            new([.. _tokens], [.. _logProbabilities], reason) { Injected = [.. _outside], Experts = _experts };
    }
}
