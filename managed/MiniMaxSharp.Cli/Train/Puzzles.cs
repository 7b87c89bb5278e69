using MiniMaxSharp.Tasks;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>Which puzzles a run draws, and which it holds out: at one level, or at those that the curriculum has come to.</summary>
internal sealed class Puzzles
{
    // Every run is evaluated on the same puzzles, whatever its seed.
    private const ulong HeldOutSeed = 0;
    private static readonly DifficultyController s_controller = new();
    private readonly ReinforcementSettings _settings;
    private readonly Tokenizer _tokenizer;
    private readonly IReasoningTask[] _tasks;
    private readonly Checkpointed<DifficultyState>? _difficulty;

    public Puzzles(ReinforcementSettings settings, Tokenizer tokenizer)
    {
        _settings = settings;
        _tokenizer = tokenizer;
        _tasks = [.. settings.Tasks!.Select(TaskRegistry.Get)];
        _difficulty = settings.Difficulty.Level is null
            ? new("difficulty", s_controller.Start(_tasks.Select(t => t.Name)), s => s.ToJson(), DifficultyState.FromJson)
            : null;
    }

    /// <summary>What a checkpoint has to hold of them.</summary>
    public IEnumerable<ICheckpointedState> States => _difficulty is null ? [] : [_difficulty];

    /// <summary>Draws so many puzzles of the training split. It goes by the levels of the present, whenever it is called.</summary>
    public Func<SplitMix64, int, RolloutPrompt[]> Drawing()
    {
        DifficultyState? state = _difficulty?.Value;
        return (random, count) => [.. Enumerable.Range(0, count).Select(_ =>
        {
            IReasoningTask task = _tasks[state is null ? random.Below(_tasks.Length) : TaskMixture.Pick(s_controller.Weights(state), random)];
            int level = state is null ? _settings.Difficulty.Level!.Value : state[task.Name].Level;
            return Prompt(task.Generate(level, random.Next(), _settings.PromptStyle, Split.Train));
        })];
    }

    /// <summary>Different puzzles of the test split, tasks and levels in equal shares.</summary>
    public IReadOnlyList<EvaluationItem> HeldOut()
    {
        int[] levels = _settings.EvaluationLevels ?? (_settings.Difficulty.Level is { } level ? [level] : [1, 2, 3, 4, 5]);
        return
        [
            .. Splits.Distinct(_tasks, levels, _settings.EvaluationPuzzles, HeldOutSeed, _settings.PromptStyle, Split.Test)
                .Select(instance => new EvaluationItem(instance.Task, Prompt(instance))),
        ];
    }

    /// <summary>Makes tasks harder or easier after a step.</summary>
    public void Learn(IReadOnlyList<Rollout> rollouts)
    {
        if (_difficulty is not null)
        {
            _difficulty.Value = s_controller.Next(_difficulty.Value, TaskOutcome.Of(rollouts));
        }
    }

    private RolloutPrompt Prompt(TaskInstance instance) => new(
        _tokenizer.Encode((_tokenizer.ChatTemplate ?? ChatTemplate.MiniMaxM1).Render([new ChatMessage("user", instance.Prompt)], addGenerationPrompt: true)),
        instance);
}
