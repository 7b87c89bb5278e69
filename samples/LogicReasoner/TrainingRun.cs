using System.Diagnostics;
using MiniMaxSharp;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Training;

namespace LogicReasoner;

/// <summary>
/// The run from random weights to the report: one step at a time, each determined by the seed and the step's number, so
/// that a run that was stopped goes on as if it had not been.
/// </summary>
internal sealed class TrainingRun : IDisposable
{
    private const int SaveEverySupervised = 1000;
    private const int SaveEveryCispo = 10;
    private readonly Recipe _recipe;
    private readonly RunFiles _files;
    private readonly LiveConsole _console;
    private readonly Device _device;
    private readonly Lessons _lessons;
    private readonly Examination _test;
    private readonly Examination _development;
    private readonly MetricsLog _metrics;
    private readonly ExampleLog _examples;
    private readonly TrainingMeter _meter;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly double _secondsBefore;
    private MiniMaxForCausalLM _model;
    private AdamW _optimizer;
    private RunState _state;

    public TrainingRun(Recipe recipe, RunFiles files, LiveConsole console, Device device)
    {
        _recipe = recipe;
        _files = files;
        _console = console;
        _device = device;
        _lessons = new Lessons(recipe);
        _test = new Examination(_lessons, _lessons.HeldOut(recipe.ExaminedSplit, recipe.TestInstances, Recipe.TestSeed), recipe.TestSamples, recipe);
        _development = new Examination(
            _lessons, _lessons.HeldOut(Split.Development, recipe.DevelopmentInstances, Recipe.TestSeed), 1, recipe);
        bool resumed = TrainingCheckpoint.Exists(files.Progress);
        _state = resumed
            ? RunState.FromJson(TrainingCheckpoint.ReadState(files.Progress))
            : new RunState { Recipe = recipe.ToJson(), Commit = Summary.Commit(), PassRates = [.. recipe.Tasks.Select(_ => 0.5)] };
        if (_state.Recipe != recipe.ToJson())
        {
            throw new InvalidOperationException($"{files.Directory} was begun with other settings; give it the same ones, another --name, or --fresh.");
        }

        _secondsBefore = _state.Seconds;
        _metrics = new MetricsLog(files.Metrics, _state.MetricsBytes);
        _examples = new ExampleLog(files.Examples, _state.ExamplesBytes);
        _meter = new TrainingMeter(Path.GetFileName(files.Directory));
        ElementType type = recipe.BFloat16 ? ElementType.BFloat16 : ElementType.Float32;
        _model = resumed
            ? MiniMaxForCausalLM.Load(files.Progress, device)
            : MiniMaxForCausalLM.Create(Recipe.Model(_lessons.Tokenizer), device, recipe.Seed, type);
        _optimizer = new AdamW(_model.Parameters);
        if (resumed)
        {
            TrainingCheckpoint.LoadOptimizer(files.Progress, _optimizer);
            console.Say($"Resumed at {_state.Phase.ToString().ToLowerInvariant()} step {_state.Step}.");
        }
    }

    /// <summary>Runs to the end, or saves and throws when cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        try
        {
            while (_state.Phase != Phase.Done)
            {
                cancellation.ThrowIfCancellationRequested();
                await StepAsync(cancellation).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            Save();
            throw;
        }

        _metrics.Dispose();
        _examples.Dispose();
        Summary.Write(_files, _recipe, _state, _model.Parameters.Sum(p => p.Value.Count));
    }

    public void Dispose()
    {
        _metrics.Dispose();
        _examples.Dispose();
        _meter.Dispose();
        _optimizer.Dispose();
        _model.Dispose();
    }

    // A step, or what comes after a phase's last one. A cancelled examination is taken again, with no step between.
    private async Task StepAsync(CancellationToken cancellation)
    {
        switch (_state.Phase)
        {
            case Phase.Skill when _state.Step == 0 && !_state.Marks.ContainsKey("untrained"):
                Examine("untrained", cancellation);
                break;
            case Phase.Skill when _state.Step >= _recipe.SkillSteps:
                EndPhase("skill", Phase.Habit, cancellation);
                break;
            case Phase.Habit when _state.Step >= _recipe.HabitSteps:
                EndPhase("warm_start", Phase.Cispo, cancellation);
                break;
            case Phase.Cispo when _state.Step >= _recipe.CispoSteps:
                EndPhase("cispo", Phase.Control, cancellation);
                break;
            case Phase.Control when _state.ControlTokens >= _state.CispoTokens:
                EndPhase("sft_control", Phase.Done, cancellation);
                break;
            case Phase.Skill:
                Supervise(Recipe.Skill(_recipe), _recipe.SkillQuick);
                SaveEvery(SaveEverySupervised);
                break;
            case Phase.Cispo:
                await ReinforceAsync(cancellation).ConfigureAwait(false);
                SaveEvery(SaveEveryCispo);
                break;
            default:
                Supervise(Recipe.Habit(_recipe), _recipe.HabitQuick);
                SaveEvery(SaveEverySupervised);
                break;
        }
    }

    private void SaveEvery(int steps)
    {
        if (_state.Step % steps == 0)
        {
            Save();
        }
    }

    private void Supervise(LearningRateSchedule rate, double quick)
    {
        var random = new SplitMix64(StepSeed());
        var trainer = new SupervisedTrainer(
            _model, _optimizer, new SupervisedOptions { LearningRate = rate, AuxiliaryLossWeight = _recipe.AuxiliaryLossWeight });
        var clock = Stopwatch.StartNew();
        TrainingSequence[] batch = [.. Enumerable.Range(0, _recipe.BatchSequences).Select(_ => _lessons.Demonstration(random, quick))];
        SupervisedStep step = trainer.Step(batch, _state.Step);
        double seconds = clock.Elapsed.TotalSeconds;
        Record(TrainingMetrics.Of(step, seconds));
        _state = _state with
        {
            Step = _state.Step + 1,
            Tokens = _state.Tokens + step.Tokens,
            ControlTokens = _state.ControlTokens + (_state.Phase == Phase.Control ? step.Tokens : 0),
            TrainingSeconds = _state.TrainingSeconds + seconds,
        };
    }

    private async Task ReinforceAsync(CancellationToken cancellation)
    {
        ulong seed = StepSeed();
        var random = new SplitMix64(seed);
        double[] weights = [.. _state.PassRates.Select(p => Math.Max(0.05, p * (1 - p)))];
        var trainer = new PolicyTrainer(_model, _optimizer, tokens => _lessons.Text(tokens), RuleReward.CorrectAndWellFormed(RuleJudges.Puzzles), Recipe.Cispo(_recipe, _lessons));
        PolicyStep step = await trainer.StepAsync(_ => Prompts(random, weights), _state.Step, seed, cancellation).ConfigureAwait(false);
        Record(TrainingMetrics.Of(step));
        int tokens = step.GeneratedTokens + step.TrainedTokens;
        double seconds = step.GenerationSeconds + step.TrainingSeconds;
        _state = _state with
        {
            Step = _state.Step + 1,
            Tokens = _state.Tokens + tokens,
            CispoTokens = _state.CispoTokens + tokens,
            ZeroGradientTokens = _state.ZeroGradientTokens + step.ZeroGradientTokens,
            LowestPearson = step.Updates == 0 ? _state.LowestPearson : Math.Min(_state.LowestPearson, step.RolloutTrainerPearson),
            TrainingSeconds = _state.TrainingSeconds + seconds,
            PassRates = [.. _state.PassRates.Select((p, task) => Updated(p, step, _recipe.Tasks[task]))],
        };
        if (_state.Step % _recipe.DevelopmentEvery == 0)
        {
            _examples.Write(PhaseName, _state.Step - 1, SampleAnswer.Of(step.Rollouts, ids => _lessons.Text(ids)));

            // Not cancelled: the step that it belongs to is done, and a resumed run would not take it.
            Marks marks = _development.Take(_model, CancellationToken.None);
            _metrics.Write("development", _state.Step - 1, ("pass_rate", marks.All.PassRate), ("careful_share", marks.All.CarefulShare));
        }
    }

    private void Record(TrainingMetrics metrics)
    {
        // step_time under the name that readers of this job's file know.
        _metrics.Write(
            PhaseName, _state.Step, [.. metrics.Values.Where(v => v.Name != MetricNames.StepTime), ("step_seconds", metrics[MetricNames.StepTime])]);
        _meter.Record(PhaseName, _state.Step, metrics);
        _console.Show(PhaseName, _state.Step + 1, Steps, metrics, TimeSpan.FromSeconds(SecondsLeft()));
    }

    private int? Steps => _state.Phase switch
    {
        Phase.Skill => _recipe.SkillSteps,
        Phase.Habit => _recipe.HabitSteps,
        Phase.Cispo => _recipe.CispoSteps,
        _ => null,
    };

    private RolloutPrompt[] Prompts(SplitMix64 random, double[] weights) =>
    [
        .. Enumerable.Range(0, _recipe.Prompts).Select(_ =>
        {
            TaskInstance instance = _lessons.Train(random, weights);
            return new RolloutPrompt(_lessons.Prompt(instance), instance);
        }),
    ];

    private static double Updated(double passRate, PolicyStep step, string task)
    {
        double[] rewards = [.. step.Rollouts.Where(r => ((TaskInstance)r.Response.Prompt.Data!).Task == task).Select(r => r.Reward.Score ?? 0)];
        return rewards.Length == 0 ? passRate : 0.8 * passRate + 0.2 * rewards.Average();
    }

    private void EndPhase(string marks, Phase next, CancellationToken cancellation)
    {
        Examine(marks, cancellation);
        _state = _state with { Phase = next, Step = 0 };
        if (next == Phase.Cispo)
        {
            RestartOptimizer();
            SaveAs(_files.WarmStart);
        }
        else if (next == Phase.Control)
        {
            SaveCheckpoint();
            LoadModel(_files.WarmStart);
        }

        Save();
    }

    private void Examine(string name, CancellationToken cancellation)
    {
        _console.Say($"Examining on {_recipe.TestInstances} held-out puzzles ({name}) …");
        Marks marks = _test.Take(_model, cancellation);
        _state = _state with { Marks = new(_state.Marks) { [name] = new MarksSummary(marks.All, new(marks.ByTask)) } };
        if (name == "cispo")
        {
            _state = _state with { Answers = [.. Samples(marks.Answers)] };
        }

        _metrics.Write(
            "test",
            _state.Step,
            [($"{name}_pass_rate", marks.All.PassRate), ($"{name}_careful_share", marks.All.CarefulShare), .. marks.ByTask.Select(t => ($"{name}_{t.Key}", t.Value.PassRate))]);
        _console.Say($"{name}: {marks}");
    }

    // A few right and wrong answers of each task.
    private static IEnumerable<SampleText> Samples(IReadOnlyList<SampleAnswer> answers) => answers
        .GroupBy(a => (a.Task, a.Correct))
        .OrderBy(g => g.Key.Task, StringComparer.Ordinal).ThenByDescending(g => g.Key.Correct)
        .SelectMany(g => g.DistinctBy(a => a.Prompt).Take(4))
        .Select(a => new SampleText(a.Task, a.Prompt, a.Response, a.Correct, a.Reason));

    // CISPO and the control start from the same weights with moments of their own, as the gradients are of another size.
    private void RestartOptimizer()
    {
        _optimizer.Dispose();
        _optimizer = new AdamW(_model.Parameters);
    }

    private void LoadModel(string directory)
    {
        _optimizer.Dispose();
        _model.Dispose();
        _model = MiniMaxForCausalLM.Load(directory, _device);
        _optimizer = new AdamW(_model.Parameters);
        TrainingCheckpoint.LoadOptimizer(directory, _optimizer);
    }

    private void SaveCheckpoint() => AtomicDirectory.Replace(_files.Checkpoint, directory =>
    {
        _model.Save(directory);
        _lessons.Tokenizer.Save(directory);
    });

    private void Save() => SaveAs(_files.Progress);

    private void SaveAs(string directory)
    {
        RunState state = _state with { MetricsBytes = _metrics.Length, ExamplesBytes = _examples.Length, Seconds = _secondsBefore + _clock.Elapsed.TotalSeconds };
        _state = state;
        TrainingCheckpoint.Save(directory, _model, _optimizer, _lessons.Tokenizer, state.ToJson());
    }

    private string PhaseName => _state.Phase.ToString().ToLowerInvariant();

    private ulong StepSeed() => SplitMix64.Mix(SplitMix64.Mix(_recipe.Seed ^ ((ulong)_state.Phase << 56)) + (ulong)_state.Step);

    // From the speed so far; a step of CISPO takes about as long as thirteen supervised ones until that is known.
    private double SecondsLeft()
    {
        double done = Cost(_state.Phase, _state.Step + 1), all = Cost(Phase.Done, 0);
        return (_secondsBefore + _clock.Elapsed.TotalSeconds) * (all - done) / done;
    }

    private double Cost(Phase phase, int step)
    {
        const double Cispo = 13, Examination = 80;
        double cost = Examination;
        (Phase Phase, double Steps, double Each)[] parts =
        [
            (Phase.Skill, _recipe.SkillSteps, 1), (Phase.Habit, _recipe.HabitSteps, 1),
            (Phase.Cispo, _recipe.CispoSteps, Cispo), (Phase.Control, _recipe.CispoSteps * Cispo, 1),
        ];
        foreach ((Phase part, double steps, double each) in parts)
        {
            if (part >= phase)
            {
                return cost + (part == phase ? Math.Min(step, steps) * each : 0);
            }

            cost += steps * each + Examination;
        }

        return cost;
    }
}
