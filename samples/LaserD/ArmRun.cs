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
        var laser = new TaskLaserReward(plan.Recipe.Tasks, plan.Laser);
        var trainer = new PolicyTrainer(model, optimizer, tokens => lessons.Text(tokens), arm.Shaped ? laser : _answers.Reward, plan.Policy(lessons));
        Evaluation test = Examination();
        var curve = new List<Point> { await ExamineAsync(0).ConfigureAwait(false) };
        int steps = arm.Trained ? plan.Steps : 0;
        for (int step = 0; step < steps; step++)
        {
            if (arm.Shaped && laser.IsDue(step))
            {
                await laser.UpdateAsync(await MonitorAsync(model, step, cancellation).ConfigureAwait(false), cancellation).ConfigureAwait(false);
            }

            ulong random = Seed(step);
            await trainer.StepAsync(_ => Prompts(new SplitMix64(random), plan.Recipe.Prompts), step, random, cancellation).ConfigureAwait(false);
            if ((step + 1) % plan.ExamineEvery == 0 || step + 1 == steps)
            {
                curve.Add(await ExamineAsync(step + 1).ConfigureAwait(false));
            }
        }

        return new Outcome { Curve = [.. curve], Seconds = clock.Elapsed.TotalSeconds };

        async Task<Point> ExamineAsync(int step)
        {
            Point point = Point.Of(step, laser.Targets, await test.RunAsync(model, cancellation).ConfigureAwait(false));
            Console.WriteLine($"{arm.Title}, seed {seed}, step {step}: pass rate {point.PassRate:F3}, {point.Tokens:F1} tokens");
            return point;
        }
    }

    private Evaluation Examination() => new(
        [.. lessons.HeldOut(plan.ExaminedSplit, plan.TestInstances, Recipe.TestSeed).Select(i => new EvaluationItem(i.Task, Prompt(i)))],
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
