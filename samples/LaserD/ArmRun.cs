using System.Diagnostics;
using LogicReasoner;
using MiniMaxSharp;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Training;

namespace LaserD;

/// <summary>Training of one model with one reward. The seed decides prompts and sampling.</summary>
internal sealed class ArmRun(Plan plan, Lessons lessons, Arm arm, int seed)
{
    private readonly SingleTurn _answers = new(
        tokens => lessons.Text(tokens), RuleReward.CorrectAndWellFormed(RuleJudges.Puzzles), plan.Policy(lessons).Generation, plan.Recipe.GroupSize);

    /// <summary>Trains, and examines before the first step, every few and after the last.</summary>
    public async Task<Outcome> TrainAsync(string start, Device device, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(start, device);
        using var optimizer = new AdamW(model.Parameters);
        LaserReward[] lasers = [.. plan.Recipe.Tasks.Select(task => new LaserReward(Only(task), plan.Laser) { Name = task })];
        IRewardFunction reward = arm.Shaped ? new CompositeReward("laser_d", [.. lasers.Select(l => ((IRewardFunction)l, 1.0))]) : _answers.Reward;
        var trainer = new PolicyTrainer(model, optimizer, tokens => lessons.Text(tokens), reward, plan.Policy(lessons));
        Evaluation test = Examination();
        var curve = new List<Point> { await ExamineAsync(0).ConfigureAwait(false) };
        for (int step = 0; step < plan.Steps; step++)
        {
            if (arm.Shaped && lasers[0].IsDue(step))
            {
                Response[] monitoring = await MonitorAsync(model, step, cancellation).ConfigureAwait(false);
                await Task.WhenAll(lasers.Select(l => l.UpdateAsync(monitoring, cancellation))).ConfigureAwait(false);
            }

            ulong random = Seed(step);
            await trainer.StepAsync(_ => Prompts(new SplitMix64(random), plan.Recipe.Prompts), step, random, cancellation).ConfigureAwait(false);
            if ((step + 1) % plan.ExamineEvery == 0 || step + 1 == plan.Steps)
            {
                curve.Add(await ExamineAsync(step + 1).ConfigureAwait(false));
            }
        }

        return new Outcome { Curve = [.. curve], Seconds = clock.Elapsed.TotalSeconds };

        async Task<Point> ExamineAsync(int step)
        {
            Point point = Point.Of(step, lasers.ToDictionary(l => l.Name, l => l.Targets), await test.RunAsync(model, cancellation).ConfigureAwait(false));
            Console.WriteLine($"{arm.Title}, seed {seed}, step {step}: pass rate {point.PassRate:F3}, {point.Tokens:F1} tokens");
            return point;
        }
    }

    // Each task has targets of its own: 11 tokens are much for brackets and nothing for people.
    private static ResponseJudge Only(string task) => (response, cancellation) =>
        ((TaskInstance)response.Prompt.Data!).Task == task ? RuleJudges.Puzzles(response, cancellation) : ValueTask.FromResult<Judgement?>(null);

    private Evaluation Examination() => new(
        [.. lessons.HeldOut(Split.Test, plan.TestInstances, Recipe.TestSeed).Select(i => new EvaluationItem(i.Task, Prompt(i)))],
        _answers with { Generation = plan.Sampling(lessons), GroupSize = plan.TestSamples },
        [1],
        (ulong)seed);

    private async Task<Response[]> MonitorAsync(MiniMaxForCausalLM model, int step, CancellationToken cancellation)
    {
        ulong random = Seed(step) ^ 1;
        IReadOnlyList<ScoredResponse[]> responses = await _answers.RespondAsync(
            model, Prompts(new SplitMix64((ulong)seed), plan.MonitoringPrompts), random, cancellation).ConfigureAwait(false);
        return [.. responses.SelectMany(group => group.Select(r => r.Response))];
    }

    private RolloutPrompt[] Prompts(SplitMix64 random, int count) => [.. Enumerable.Range(0, count).Select(_ => Prompt(lessons.Train(random)))];

    private RolloutPrompt Prompt(TaskInstance instance) => new(lessons.Prompt(instance), instance);

    private ulong Seed(int step) => SplitMix64.Mix(SplitMix64.Mix((ulong)seed + 1) + (ulong)step);
}
