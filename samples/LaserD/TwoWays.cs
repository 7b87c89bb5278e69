using LogicReasoner;
using MiniMaxSharp;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Training;

namespace LaserD;

/// <summary>
/// Teaches the main job's model a second way to work a puzzle out, in few words, and makes it a rare one. The main job's model has
/// one way only, so that a reward for short answers would find nothing to choose from.
/// </summary>
internal sealed class TwoWays(Plan plan, Lessons lessons, Device device)
{
    /// <summary>Saves the model that knows both in a folder, if it is not there.</summary>
    public Task<string> TeachAsync(string from, string to, CancellationToken cancellation) => Task.Run(() =>
    {
        if (TrainingCheckpoint.Exists(to))
        {
            return to;
        }

        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(from, device);
        using var optimizer = new AdamW(model.Parameters);
        ulong batch = 0;
        Supervise("both ways", new LearningRateSchedule(plan.SkillRate, plan.SkillSteps) { WarmupSteps = Math.Min(50, plan.SkillSteps), DecayStart = 0.3f }, plan.SkillBrief);
        Supervise("habit", new LearningRateSchedule(plan.HabitRate, plan.HabitSteps), plan.HabitBrief);
        TrainingCheckpoint.Save(to, model, optimizer, lessons.Tokenizer, "");
        return to;

        void Supervise(string phase, LearningRateSchedule rate, double brief)
        {
            var trainer = new SupervisedTrainer(
                model, optimizer, new SupervisedOptions { LearningRate = rate, AuxiliaryLossWeight = plan.Recipe.AuxiliaryLossWeight });
            for (int step = 0; step < rate.TotalSteps; step++)
            {
                cancellation.ThrowIfCancellationRequested();
                var random = new SplitMix64(SplitMix64.Mix(batch++));
                SupervisedStep done = trainer.Step([.. Enumerable.Range(0, plan.Recipe.BatchSequences).Select(_ => Demonstration(random, brief))], step);
                if ((step + 1) % 100 == 0)
                {
                    Console.WriteLine($"{phase}: supervised step {step + 1} of {rate.TotalSteps}, loss {done.Loss:F3}");
                }
            }
        }
    }, cancellation);

    private TrainingSequence Demonstration(SplitMix64 random, double brief) => lessons.Demonstration(
        random, instance => Lessons.Demonstrated(instance, random.NextDouble() < brief ? DemonstrationStyle.Brief : DemonstrationStyle.Careful));
}
