using System.Globalization;
using LogicReasoner;
using MiniMaxSharp;
using MiniMaxSharp.Models;
using MiniMaxSharp.Training;

namespace CispoVsGrpo;

/// <summary>
/// The models that reinforcement learning starts from: one supervised phase that teaches both ways to answer, then for each
/// setting a short one that fixes how often answers are worked out.
/// </summary>
internal sealed class StartingPoints(Plan plan, Lessons lessons, Device device, string directory)
{
    private const int SaveEvery = 500;

    /// <summary>The folder of a setting's model, made if it is not there.</summary>
    public string Of(Setting setting, CancellationToken cancellation)
    {
        string skill = Phase("skill", null, Recipe.Skill(plan.Recipe), plan.Recipe.SkillQuick, plan.Recipe.SkillSteps, 1, cancellation);
        return Phase(setting.Name, skill, Recipe.Habit(plan.Recipe), setting.HabitQuick, plan.Recipe.HabitSteps, 2, cancellation);
    }

    // Goes on where an earlier start stopped; a finished one is only named.
    private string Phase(
        string name, string? from, LearningRateSchedule schedule, double quick, int steps, ulong phase, CancellationToken cancellation)
    {
        string folder = Path.Combine(directory, name);
        bool begun = TrainingCheckpoint.Exists(folder);
        int done = begun ? int.Parse(TrainingCheckpoint.ReadState(folder), CultureInfo.InvariantCulture) : 0;
        if (begun && done >= steps)
        {
            return folder;
        }

        using MiniMaxForCausalLM model = (begun ? folder : from) is { } source
            ? MiniMaxForCausalLM.Load(source, device)
            : MiniMaxForCausalLM.Create(Recipe.Model(lessons.Tokenizer), device, plan.Recipe.Seed);
        using var optimizer = new AdamW(model.Parameters);
        if ((begun ? folder : from) is { } moments)
        {
            TrainingCheckpoint.LoadOptimizer(moments, optimizer);
        }

        var trainer = new SupervisedTrainer(
            model, optimizer, new SupervisedOptions { LearningRate = schedule, AuxiliaryLossWeight = plan.Recipe.AuxiliaryLossWeight });
        for (int step = done; step < steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            var random = new SplitMix64(SplitMix64.Mix(SplitMix64.Mix(plan.Recipe.Seed ^ (phase << 56)) + (ulong)step));
            SupervisedStep result = trainer.Step([.. Enumerable.Range(0, plan.Recipe.BatchSequences).Select(_ => lessons.Demonstration(random, quick))], step);
            if ((step + 1) % SaveEvery == 0 || step + 1 == steps)
            {
                TrainingCheckpoint.Save(folder, model, optimizer, lessons.Tokenizer, (step + 1).ToString(CultureInfo.InvariantCulture));
                Console.WriteLine($"{name}: supervised step {step + 1} of {steps}, loss {result.Loss:F3}");
            }
        }

        return folder;
    }
}
