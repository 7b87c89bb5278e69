using System.Globalization;
using System.Text.Json.Nodes;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>
/// A small run with all that a large one has to remember: the tests make it in this process, and <see cref="Main"/> as one that may be
/// killed. Its goal moves on when the model has found it, its window widens, and its target lengths follow what the model needs.
/// </summary>
internal sealed class ReinforcementJob : IAsyncDisposable
{
    private const int SaveEvery = 2;
    private static readonly Tokenizer s_tokenizer = BpeTrainer.Train(["a b c"], new BpeTrainerOptions { VocabularySize = 300 });
    private static readonly TaskInstance s_instance = TaskRegistry.Get("sudoku").Generate(1, 1, PromptStyle.Compact, Split.Train);
    private static readonly DifficultyController s_controller = new() { RaiseAbove = 0.5, InitialPassRate = 0.4, Memory = 0.5 };
    private static readonly WindowSchedule s_schedule = new() { Stages = [new(5), new(6), new(7)], Steps = 2, Tolerance = 10, NearShare = 0.5 };
    private static readonly LaserOptions s_laserOptions = new() { MaxLength = 7, CandidateStep = 1, GroupSize = 4, UpdateEvery = 3 };
    private static readonly ResponseJudge s_judge = (response, _) => ValueTask.FromResult<Judgement?>(new Judgement(true, response.Completion.Tokens.Any(t => t % 5 == 1)));
    private readonly string _directory;
    private readonly Device _device;
    private readonly MiniMaxForCausalLM _model;
    private readonly AdamW _optimizer;
    private readonly Checkpointed<DifficultyState> _difficulty = new("difficulty", s_controller.Start(["sudoku"]), s => s.ToJson(), DifficultyState.FromJson);
    private readonly Checkpointed<WindowState> _window = new("window", s_schedule.Start(), s => s.ToJson(), WindowState.FromJson);
    private readonly LaserReward _laser = new(s_judge, s_laserOptions);
    private readonly Log _log;
    private readonly ReinforcementRun _run;

    public ReinforcementJob(string directory, int staleness, Func<int, int>? delay = null, ulong seed = 5, object? data = null, params IReadOnlyList<ICheckpointedState> more)
    {
        _directory = directory;
        Directory.CreateDirectory(directory);
        bool resumed = TrainingCheckpoint.Exists(Checkpoint);
        _device = Device.Cpu();
        _model = resumed
            ? MiniMaxForCausalLM.Load(Checkpoint, _device)
            : MiniMaxForCausalLM.Create(TinyModels.Config() with { InitializerRange = 0.05 }, _device, 1);
        _optimizer = new AdamW(_model.Parameters);
        _log = new Log(Metrics);
        try
        {
            _run = new ReinforcementRun(
                new PolicyTrainer(_model, _optimizer, Options),
                (step, stepSeed) => Plan(stepSeed, data, delay?.Invoke(step) ?? 0),
                new ReinforcementRunOptions { Staleness = staleness, Seed = seed },
                [_difficulty, _window, _laser, _log, .. more]);
            if (resumed)
            {
                _run.Load(Checkpoint);
            }
        }
        catch
        {
            Free();
            throw;
        }
    }

    public static PolicyOptions Options { get; } = new()
    {
        GroupSize = 4,
        PromptsPerUpdate = 1,
        LearningRate = new LearningRateSchedule(3e-3f, 100),
        Generation = new GenerationOptions { MaxNewTokens = 6 },
    };

    public string Checkpoint => Path.Combine(_directory, "checkpoint");

    public string Metrics => Path.Combine(_directory, "metrics.jsonl");

    /// <summary>DIRECTORY STEPS STALENESS: goes on from the directory's checkpoint, if there is one.</summary>
    public static async Task<int> Main(string[] arguments)
    {
        await using var job = new ReinforcementJob(arguments[0], Number(arguments[2]));
        await job.RunAsync(Number(arguments[1]), step => Console.WriteLine(step.Number));
        return 0;

        static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
    }

    public async Task RunAsync(int steps, Action<ReinforcementStep>? each = null)
    {
        while (_run.Step < steps)
        {
            await RenewTargetsAsync();
            ReinforcementStep step = await _run.StepAsync();
            Assert.True(step.Training.Updates > 0);
            _difficulty.Value = s_controller.Next(_difficulty.Value, TaskOutcome.Of(step.Training.Rollouts));
            _window.Value = s_schedule.Next(_window.Value, WindowObservation.Of(TrainingMetrics.Of(step.Training)));
            _log.Write(step);
            each?.Invoke(step);
            if (_run.Step % SaveEvery == 0)
            {
                await SaveAsync();
            }
        }
    }

    public Task SaveAsync() => _run.SaveAsync(Checkpoint, s_tokenizer);

    public float[] Weights() => [.. _model.Parameters.SelectMany(p => p.Value.ToFloats())];

    public async ValueTask DisposeAsync()
    {
        await _run.DisposeAsync();
        Free();
    }

    private void Free()
    {
        _log.Dispose();
        _optimizer.Dispose();
        _model.Dispose();
        _device.Dispose();
    }

    private async Task RenewTargetsAsync()
    {
        if (_laser.IsDue(_run.Step))
        {
            RolloutPrompt[] prompts = [.. Enumerable.Range(0, 3).Select(i => new RolloutPrompt(TinyModels.Ids(i, 5)))];
            IReadOnlyList<ScoredResponse[]> answers = await Source(_laser).RespondAsync(_model, prompts, (ulong)_run.Step, CancellationToken.None);
            await _laser.UpdateAsync([.. answers.SelectMany(group => group.Select(a => a.Response))]);
        }
    }

    // What changes between steps is taken as it is now: the rollouts may be sampled later.
    private RolloutPlan Plan(ulong seed, object? data, int delay)
    {
        var random = new SplitMix64(seed);
        int level = _difficulty.Value["sudoku"].Level;
        var instance = new TaskInstance(s_instance.Task, s_instance.Prompt, level, s_instance.Puzzle, s_instance.Solution);
        RolloutPrompt[] prompts = [.. Enumerable.Range(0, 2).Select(_ => new RolloutPrompt(TinyModels.Ids(random.Below(1000), 5), data ?? instance))];
        var laser = new LaserReward(s_judge, s_laserOptions, _laser.Targets);
        return new RolloutPlan(_ => prompts, Source(new CompositeReward("job", (new ShareOfFifth(level % 5, delay), 1), (laser, 0.5))), seed);
    }

    private SingleTurn Source(IRewardFunction reward) => new(
        _ => "text", reward, Options.Generation with { MaxNewTokens = s_schedule.StageOf(_window.Value).Tokens, StopTokens = [0, 10, 20, 30, 40] }, Options.GroupSize);

    /// <summary>The share of tokens that are so much more than a multiple of five.</summary>
    public sealed class ShareOfFifth(int fifth, int delay = 0) : IRewardFunction
    {
        public string Name => "share";

        public async ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation)
        {
            await Task.Delay(delay, cancellation);
            return
            [
                .. responses.Select(r =>
                {
                    double share = r.Completion.Tokens.Count(t => t % 5 == fifth) / (double)r.Completion.Tokens.Length;
                    return new RewardResult(share, new Dictionary<string, double> { ["share"] = share, ["none"] = double.NaN });
                }),
            ];
        }
    }

    /// <summary>A log without times, cut to what the checkpoint saw.</summary>
    private sealed class Log(string path) : ICheckpointedState, IDisposable
    {
        private MetricsLog? _file;

        public string Name => "metrics";

        private MetricsLog File => _file ??= new MetricsLog(path);

        public void Write(ReinforcementStep step) => File.Write(
            "reinforcement", step.Number, ("reward", step.Training.Reward), ("loss", step.Training.Loss), ("grad_norm", step.Training.GradientNorm));

        public JsonNode Save() => File.Length;

        public void Load(JsonNode state) => _file = new MetricsLog(path, (long)state);

        public void Dispose() => _file?.Dispose();
    }
}
