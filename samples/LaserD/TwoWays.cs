using LogicReasoner;
using MiniMaxSharp;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Training;

namespace LaserD;

/// <summary>
/// The habit that LASER-D is to break: having worked a puzzle out, to work it out once more. Models that learnt to reason do that
/// (overthinking); the main job's does not, and has no shorter way than its own, so that a reward for short answers would find nothing to choose from.
/// </summary>
internal sealed class SecondLook(Plan plan, Lessons lessons, Device device)
{
    /// <summary>Saves the model with the habit in a folder, if it is not there.</summary>
    public Task<string> TeachAsync(string from, string to, CancellationToken cancellation) => Task.Run(() =>
    {
        if (TrainingCheckpoint.Exists(to))
        {
            return to;
        }

        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Load(from, device);
        using var optimizer = new AdamW(model.Parameters);
        var trainer = new SupervisedTrainer(model, optimizer, new SupervisedOptions
        {
            LearningRate = new LearningRateSchedule(plan.HabitRate, plan.HabitSteps) { WarmupSteps = Math.Min(20, plan.HabitSteps), DecayStart = 0.3f },
            AuxiliaryLossWeight = plan.Recipe.AuxiliaryLossWeight,
        });
        for (int step = 0; step < plan.HabitSteps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            var random = new SplitMix64(SplitMix64.Mix((ulong)step));
            SupervisedStep done = trainer.Step([.. Enumerable.Range(0, plan.Recipe.BatchSequences).Select(_ => lessons.Demonstration(random, Demonstrate))], step);
            if ((step + 1) % 100 == 0)
            {
                Console.WriteLine($"second look: supervised step {step + 1} of {plan.HabitSteps}, loss {done.Loss:F3}");
            }

            string Demonstrate(TaskInstance instance)
            {
                string careful = Lessons.Demonstrated(instance, DemonstrationStyle.Careful);
                return random.NextDouble() < plan.HabitShare ? Repeat(careful) : careful;
            }
        }

        TrainingCheckpoint.Save(to, model, optimizer, lessons.Tokenizer, "");
        return to;
    }, cancellation);

    /// <summary>The thought, a doubt, and the thought again.</summary>
    internal static string Repeat(string response)
    {
        int open = response.IndexOf(ResponseFormat.ThinkOpen, StringComparison.Ordinal) + ResponseFormat.ThinkOpen.Length;
        int close = response.IndexOf(ResponseFormat.ThinkClose, StringComparison.Ordinal);
        string thought = response[open..close].Trim();
        return $"{response[..open]} {thought} ? {thought} {response[close..]}";
    }
}
