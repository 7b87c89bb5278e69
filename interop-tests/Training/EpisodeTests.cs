using System.Globalization;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Episodes of several turns, on a game: guess a number, and be told higher or lower.</summary>
public sealed class EpisodeTests
{
    private const int Numbers = 4, Higher = 40, Lower = 41, Colon = 42;
    private static readonly int[] s_secrets = [0, 1, 2, 3];

    [Theory]
    [Devices]
    public async Task Observations_are_not_scored_and_turns_keep_the_log_probabilities_they_were_sampled_with(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device);
        IReadOnlyList<ScoredResponse[]> groups = await Source().RespondAsync(model, Prompts(), 1, CancellationToken.None);
        Assert.Equal(s_secrets.Length, groups.Count);
        int observed = 0;
        foreach (ScoredResponse scored in groups.SelectMany(g => g))
        {
            Completion completion = scored.Response.Completion;
            // A turn is one token, and what follows it is two: every third is the model's.
            int turns = (int)scored.Reward.Parts!["turns"];
            Assert.Equal(3 * turns - 2, completion.Tokens.Length);
            Assert.Equal(Enumerable.Range(0, completion.Tokens.Length).Where(i => i % 3 > 0), completion.Injected);
            Assert.All(completion.Injected.Where(i => i % 3 == 1), i => Assert.Equal(Answer(scored, completion.Tokens[i - 1]), completion.Tokens[i]));
            observed += completion.Injected.Count;

            var rollout = new Rollout(0, scored.Response, scored.Reward, 1);
            Assert.Equal(turns, rollout.Sequence.ScoredTokens);
            float[] expected = LogProbabilities(model, rollout.Sequence);
            Assert.InRange(TinyModels.Difference(expected, [.. rollout.OldLogProbabilities]), 0, 2e-4);
        }

        Assert.True(observed > 20, $"{observed} tokens were observed");
    }

    [Fact]
    public async Task Episodes_end_at_the_limits_of_turns_and_of_tokens()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        // Never right: the limits have to end it.
        RolloutPrompt[] prompts = [new(TinyModels.Ids(1, 6), -1)];
        await Ends(Options with { MaxTurns = 4 }, 10, FinishReason.Length);
        await Ends(Options with { MaxTurns = 1 }, 1, FinishReason.Length);
        // A third turn has no token left after two observations.
        await Ends(Options with { MaxTurns = 9, MaxTokens = 6 }, 4, FinishReason.Length);
        await Ends(Options with { MaxTurns = 9, MaxTokens = 7 }, 7, FinishReason.Length);
        // A turn that does not stop by itself is the last.
        await Ends(Options with { Generation = new GenerationOptions { MaxNewTokens = 2 } }, 2, FinishReason.Length);
        await Ends(Options with { Generation = new GenerationOptions { MaxNewTokens = 9, RepetitionTokens = 1, RepetitionProbability = 1e-9f } }, 1, FinishReason.Repetition);

        async Task Ends(EpisodeOptions options, int length, FinishReason reason)
        {
            var game = new Game();
            IReadOnlyList<ScoredResponse[]> groups = await Source(options, game).RespondAsync(model, prompts, 1, CancellationToken.None);
            Assert.All(groups[0], r => Assert.Equal((length, reason), (r.Response.Completion.Tokens.Length, r.Response.Completion.Reason)));
            Assert.Equal(options.GroupSize, game.Ended);
        }
    }

    [Fact]
    public async Task Slow_environments_change_nothing()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        Assert.Equal(await PlayAsync(new Game()), await PlayAsync(new Game { Wait = secret => secret % 3 * 7 }));

        async Task<string[]> PlayAsync(Game game) =>
        [
            .. (await Source(Options, game).RespondAsync(model, Prompts(), 1, CancellationToken.None)).SelectMany(g => g).Select(r =>
                string.Create(CultureInfo.InvariantCulture, $"{string.Join(' ', r.Response.Completion.Tokens)} {string.Join(' ', r.Response.Completion.LogProbabilities)} {r.Reward.Score}")),
        ];
    }

    [Fact]
    public async Task An_environment_that_fails_ends_its_episodes_and_says_why()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        var game = new Game { Wait = secret => secret == 2 ? throw new IOException("the board fell down") : 0 };
        IOException error = await Assert.ThrowsAsync<IOException>(() => Source(Options, game).RespondAsync(model, Prompts(), 1, CancellationToken.None));
        Assert.Equal("the board fell down", error.Message);
        Assert.Equal(s_secrets.Length * Options.GroupSize, game.Ended);
    }

    // Whoever does not look at what is observed is right half of the time.
    [Fact]
    public async Task A_model_learns_to_act_on_what_it_observes()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        using var optimizer = new AdamW(model.Parameters);
        var source = new Episodes(new Echo(), tokens => string.Join(' ', tokens), Options with { GroupSize = 16 });
        await using var run = new ReinforcementRun(
            new PolicyTrainer(model, optimizer, ReinforcementJob.Options),
            (_, seed) => new RolloutPlan(_ => Prompts(), source, seed),
            new ReinforcementRunOptions { Staleness = 1 });
        var rewards = new List<double>();
        for (int step = 0; step < 20; step++)
        {
            rewards.Add((await run.StepAsync()).Training.Reward);
        }

        Assert.True(rewards.TakeLast(5).Average() > 0.8, string.Join(' ', rewards));
    }

    private static EpisodeOptions Options { get; } = new()
    {
        GroupSize = 4,
        MaxTurns = 6,
        Generation = new GenerationOptions { MaxNewTokens = 4, StopTokens = [.. Enumerable.Range(0, TinyModels.Vocabulary)] },
        Engine = new EngineOptions { CacheTokens = 4096, SnapshotBytes = 1 << 20 },
    };

    private static Episodes Source(EpisodeOptions? options = null, Game? game = null) => new(game ?? new Game(), tokens => string.Join(' ', tokens), options ?? Options);

    private static MiniMaxForCausalLM Model(Device device) =>
        MiniMaxForCausalLM.Create(TinyModels.Config() with { InitializerRange = 0.05 }, device, 1);

    // The same beginning for all: only what is observed tells the secrets apart.
    private static RolloutPrompt[] Prompts() => [.. s_secrets.Select(secret => new RolloutPrompt(TinyModels.Ids(1, 6), secret))];

    private static int Answer(ScoredResponse scored, int guess) => Answer((int)scored.Response.Prompt.Data!, guess);

    private static int Answer(int secret, int guess) => guess % Numbers < secret ? Higher : Lower;

    private static float[] LogProbabilities(MiniMaxForCausalLM model, TrainingSequence sequence)
    {
        using TensorScope scope = model.Device.Scope();
        int[] inputs = sequence.Tokens[..^1], targets = sequence.Tokens[1..];
        (Tensor logp, _) = model.LogProbabilities(
            model.Forward(PackedBatch.Create(model.Device, [inputs])), Tensor.From<int>(model.Device, targets, targets.Length));
        return [.. logp.ToFloats().Where((_, i) => sequence.Scored[i + 1])];
    }

    private sealed class Game : IEnvironment
    {
        private int _ended;

        public Func<int, int> Wait { get; init; } = _ => 0;

        public int Ended => _ended;

        public ValueTask<IEpisode> StartAsync(RolloutPrompt prompt, CancellationToken cancellation) => new(new Play(this, (int)prompt.Data!));

        private sealed class Play(Game game, int secret) : IEpisode
        {
            private double _worth = 1.25;

            public async ValueTask<Observation> ActAsync(Completion turn, CancellationToken cancellation)
            {
                await Task.Delay(game.Wait(secret), cancellation);
                int guess = int.Parse(turn.Text.Split(' ')[0], CultureInfo.InvariantCulture);
                _worth -= 0.25;
                return guess % Numbers == secret
                    ? new Observation([], _worth, Done: true)
                    : new Observation([Answer(secret, guess), Colon], 0, Done: false);
            }

            public ValueTask DisposeAsync()
            {
                Interlocked.Increment(ref game._ended);
                return ValueTask.CompletedTask;
            }
        }
    }

    /// <summary>Shows one of two tokens; the turn after that is right if it is even or odd accordingly.</summary>
    private sealed class Echo : IEnvironment
    {
        public ValueTask<IEpisode> StartAsync(RolloutPrompt prompt, CancellationToken cancellation) => new(new Play((int)prompt.Data! % 2));

        private sealed class Play(int parity) : IEpisode
        {
            private bool _shown;

            public ValueTask<Observation> ActAsync(Completion turn, CancellationToken cancellation)
            {
                if (_shown)
                {
                    return new(new Observation([], turn.Tokens[0] % 2 == parity ? 1 : 0, Done: true));
                }

                _shown = true;
                return new(new Observation([parity == 0 ? Higher : Lower], 0, Done: false));
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
