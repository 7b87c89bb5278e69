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
/// killed. Its goal moves on when the model has found it.
/// </summary>
internal sealed class ReinforcementJob : IAsyncDisposable
{
    private const int SaveEvery = 2;
    private static readonly Tokenizer s_tokenizer = BpeTrainer.Train(["a b c"], new BpeTrainerOptions { VocabularySize = 300 });
    private static readonly TaskInstance s_instance = TaskRegistry.Get("sudoku").Generate(1, 1, PromptStyle.Compact, Split.Train);
    private readonly string _directory;
    private readonly Device _device;
    private readonly MiniMaxForCausalLM _model;
    private readonly AdamW _optimizer;
    private readonly Goal _goal = new();
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
                [_goal, _log, .. more]);
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
            ReinforcementStep step = await _run.StepAsync();
            Assert.True(step.Training.Updates > 0);
            _goal.Update(step.Training.Reward);
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

    private RolloutPlan Plan(ulong seed, object? data, int delay)
    {
        var random = new SplitMix64(seed);
        RolloutPrompt[] prompts = [.. Enumerable.Range(0, 2).Select(_ => new RolloutPrompt(TinyModels.Ids(random.Below(1000), 5), data ?? s_instance))];
        return new RolloutPlan(_ => prompts, new SingleTurn(_ => "text", new ShareOfFifth(_goal.Fifth, delay), Options.Generation, Options.GroupSize), seed);
    }

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

    /// <summary>Stands for a difficulty.</summary>
    private sealed class Goal : ICheckpointedState
    {
        public string Name => "goal";

        public int Fifth { get; private set; }

        public void Update(double reward) => Fifth = reward > 0.25 ? (Fifth + 1) % 5 : Fifth;

        public JsonNode Save() => Fifth;

        public void Load(JsonNode state) => Fifth = (int)state;
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
