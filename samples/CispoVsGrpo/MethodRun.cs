using System.Diagnostics;
using System.Text.Json.Serialization;
using LogicReasoner;
using MiniMaxSharp;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Training;

namespace CispoVsGrpo;

/// <summary>An examination within a run.</summary>
internal sealed record Point(int Step, double PassRate, double CarefulShare);

/// <summary>What a run of one method came to; the setters are for source-generated reading.</summary>
internal sealed record Outcome
{
    public required Point[] Curve { get; set; }

    public long ZeroGradientTokens { get; set; }

    /// <summary>Mean share of trained tokens whose weight was capped; what was masked is among the tokens without gradient.</summary>
    public double ClipRatio { get; set; }

    /// <summary>Mean updates on a batch of rollouts.</summary>
    public double Updates { get; set; }

    public double Seconds { get; set; }

    [JsonIgnore]
    public double Final => Curve[^1].PassRate;
}

[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(Outcome))]
internal sealed partial class OutcomeJson : JsonSerializerContext;

/// <summary>One method from a starting point, with one learning rate and one seed. The seed decides prompts and sampling.</summary>
internal sealed record MethodRun(Method Method, float Rate, int Seed)
{
    public string File => FormattableString.Invariant($"{Method.Name}-{Rate:0.#######}-{Seed}.json");

    /// <summary>Trains, and examines before the first step, every few and after the last.</summary>
    public async Task<Outcome> TrainAsync(Plan plan, Lessons lessons, Examination examination, Device device, string start, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(start, device);
        using var optimizer = new AdamW(model.Parameters);
        int steps = plan.Recipe.CispoSteps;
        PolicyOptions options = Recipe.Cispo(plan.Recipe, lessons) with
        {
            Objective = Method.Objective,
            LearningRate = new LearningRateSchedule(Rate, steps),
            MaxGenerationBatches = plan.MaxGenerationBatches,
        };
        var trainer = new PolicyTrainer(model, optimizer, tokens => lessons.Text(tokens), RuleReward.CorrectAndWellFormed(RuleJudges.Puzzles), options);
        var curve = new List<Point> { Examine(0) };
        var done = new List<PolicyStep>();
        for (int step = 0; step < steps; step++)
        {
            ulong seed = SplitMix64.Mix(SplitMix64.Mix((ulong)Seed + 1) + (ulong)step);
            var random = new SplitMix64(seed);
            done.Add(await trainer.StepAsync(_ => Prompts(random), step, seed, cancellation).ConfigureAwait(false));
            if ((step + 1) % plan.ExamineEvery == 0 || step + 1 == steps)
            {
                curve.Add(Examine(step + 1));
            }
        }

        return new Outcome
        {
            Curve = [.. curve],
            ZeroGradientTokens = done.Sum(s => s.ZeroGradientTokens),
            ClipRatio = done.Average(s => s.ClipRatio),
            Updates = done.Average(s => s.Updates),
            Seconds = clock.Elapsed.TotalSeconds,
        };

        Point Examine(int step)
        {
            Mark mark = examination.Take(model, cancellation).All;
            return new Point(step, mark.PassRate, mark.CarefulShare);
        }

        RolloutPrompt[] Prompts(SplitMix64 random) =>
        [
            .. Enumerable.Range(0, plan.Recipe.Prompts).Select(_ =>
            {
                TaskInstance instance = lessons.Train(random);
                return new RolloutPrompt(lessons.Prompt(instance), instance);
            }),
        ];
    }
}
