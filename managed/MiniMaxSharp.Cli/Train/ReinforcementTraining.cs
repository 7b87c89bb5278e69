using System.Globalization;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>minimax train rl: from settings to a trained checkpoint, step by step; interrupted anywhere, it ends in the same bits.</summary>
internal sealed class ReinforcementTraining
{
    private const string Phase = "reinforcement";
    private static readonly RuleReward s_rule = RuleReward.CorrectAndWellFormed(RuleJudges.Puzzles);
    private readonly ReinforcementSettings _settings;
    private readonly Tokenizer _tokenizer;
    private readonly GenerationOptions _generation;
    private readonly Puzzles _puzzles;
    private readonly RunRecord _record;
    private readonly TaskLaserReward? _laser;

    private ReinforcementTraining(ReinforcementSettings settings, Tokenizer tokenizer, GenerationOptions generation, RunRecord record)
    {
        _settings = settings;
        _tokenizer = tokenizer;
        _generation = generation;
        _puzzles = new Puzzles(settings, tokenizer);
        _record = record;
        _laser = settings.Laser is null ? null : Laser();
    }

    public static async Task RunAsync(ReinforcementSettings settings, Device device, LiveConsole console, CancellationToken cancellation)
    {
        var folder = new RunFolder(settings);
        string source = folder.IsUnderWay ? folder.Progress : settings.Model;
        Tokenizer tokenizer = Tokenizer.Load(source);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(source, device);
        using MiniMaxForCausalLM? reference = settings.KlWeight > 0 ? MiniMaxForCausalLM.Load(settings.Model, device) : null;
        using ValueHead? head = settings.Method != PolicyMethod.Ppo ? null : folder.IsUnderWay ? ValueHead.Load(source, model) : new ValueHead(model);
        using var optimizer = new AdamW(head is null ? model.Parameters : [.. model.Parameters, head.Weight]);
        PolicyOptions options = settings.Policy(tokenizer.EosTokenId is int end ? [end] : []);
        var trainer = new PolicyTrainer(model, optimizer, options, reference, head);
        using (var record = new RunRecord(folder, console))
        {
            var training = new ReinforcementTraining(settings, tokenizer, options.Generation, record);
            await using ReinforcementRun run = training.Run(trainer);
            if (folder.IsUnderWay)
            {
                run.Load(folder.Progress);
                console.Say($"Resumed after step {run.Step}.");
            }
            else
            {
                folder.Begin();
            }

            await training.TrainAsync(run, model, folder, cancellation).ConfigureAwait(false);
        }

        folder.Finish(model, tokenizer);
    }

    private ReinforcementRun Run(PolicyTrainer trainer) => new(
        trainer,
        (_, seed) => Plan(seed),
        new ReinforcementRunOptions
        {
            Seed = _settings.Seed,
            Staleness = _settings.Staleness,
            Evaluation = _settings.EvaluateEvery is null ? null : Evaluation(),
            EvaluateEvery = _settings.EvaluateEvery ?? 1,
        },
        [.. _puzzles.States, .. _laser is null ? [] : (ICheckpointedState[])[_laser], _record]);

    private async Task TrainAsync(ReinforcementRun run, MiniMaxForCausalLM model, RunFolder folder, CancellationToken cancellation)
    {
        try
        {
            while (run.Step < _settings.Steps)
            {
                await RenewTargetsAsync(run.Step, model, cancellation).ConfigureAwait(false);
                Note(await run.StepAsync(cancellation).ConfigureAwait(false));
                if (run.Step % _settings.SaveEvery == 0)
                {
                    await run.SaveAsync(folder.Progress, _tokenizer, cancellation).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            await run.SaveAsync(folder.Progress, _tokenizer, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    // What changes from step to step is taken as it is now: the rollouts may be sampled later.
    private RolloutPlan Plan(ulong seed)
    {
        Func<SplitMix64, int, RolloutPrompt[]> draw = _puzzles.Drawing();
        var random = new SplitMix64(seed);
        return new RolloutPlan(_ => draw(random, _settings.Prompts), Source(_laser is null ? s_rule : Laser(_laser.Targets), _generation, _settings.GroupSize), seed);
    }

    private TaskLaserReward Laser(IReadOnlyDictionary<string, LaserTargets>? targets = null) =>
        new(_settings.Tasks!, _settings.Laser!.Options(_settings.MaxNewTokens, _settings.GroupSize), targets);

    private async Task RenewTargetsAsync(int step, MiniMaxForCausalLM model, CancellationToken cancellation)
    {
        if (_laser is null || !_laser.IsDue(step))
        {
            return;
        }

        ulong seed = SplitMix64.Mix(SplitMix64.Mix(~_settings.Seed) + (ulong)step);
        RolloutPrompt[] prompts = _puzzles.Drawing()(new SplitMix64(seed), _settings.Laser!.MonitoringPrompts);
        IReadOnlyList<ScoredResponse[]> answers =
            await Source(s_rule, _generation, _settings.GroupSize).RespondAsync(model, prompts, seed, cancellation).ConfigureAwait(false);
        await _laser.UpdateAsync([.. answers.SelectMany(group => group.Select(a => a.Response))], cancellation).ConfigureAwait(false);
    }

    private Evaluation Evaluation() => new(
        _puzzles.HeldOut(),
        Source(s_rule, Training.Evaluation.Sampling(_generation), _settings.EvaluationSamples),
        [_settings.EvaluationSamples],
        seed: 0);

    private SingleTurn Source(IRewardFunction reward, GenerationOptions generation, int groupSize) =>
        new(tokens => _tokenizer.Decode(tokens, skipSpecialTokens: true), reward, generation, groupSize) { RecordExperts = _settings.ReplayRouting };

    private void Note(ReinforcementStep step)
    {
        IReadOnlyList<Rollout> rollouts = step.Training.Rollouts;
        _puzzles.Learn(rollouts);
        _record.Step(Phase, step.Number, _settings.Steps, TrainingMetrics.Of(step.Training));
        int done = step.Number + 1;
        if (done % _settings.SaveEvery == 0 || done == _settings.Steps)
        {
            _record.Responses(Phase, step.Number, SampleAnswer.Of(rollouts, tokens => _tokenizer.Decode(tokens)));
        }

        if (step.Evaluation is { } evaluation)
        {
            Note(done, evaluation);
        }
    }

    private void Note(int steps, EvaluationResult evaluation)
    {
        EvaluationMarks all = evaluation.All;
        int k = _settings.EvaluationSamples;
        double pass = all.PassAtK[0].Rate;
        _record.Measured(
            "evaluation",
            steps,
            string.Create(CultureInfo.InvariantCulture, $"step {steps}: avg@{k} {all.Average:F3}, pass@{k} {pass:F3} on {all.Items} held-out puzzles"),
            [
                (MetricNames.PassRate, all.Average),
                ($"{MetricNames.PassAtPrefix}{k}", pass),
                .. evaluation.ByTask.Select(t => (MetricNames.PassRatePrefix + t.Task, t.Marks.Average)),
            ]);
    }
}
