using MiniMaxSharp;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Training;

namespace LogicReasoner;

/// <summary>A pass rate and its standard error over instances.</summary>
internal sealed record Rate(double Mean, double StandardError)
{
    public static Rate Of(IReadOnlyCollection<double> values)
    {
        double mean = values.Average();
        double variance = values.Sum(v => (v - mean) * (v - mean)) / Math.Max(values.Count - 1, 1);
        return new Rate(mean, Math.Sqrt(variance / values.Count));
    }
}

/// <summary>How many answers were right, how many were worked out step by step, and how many of those were right.</summary>
internal sealed record Mark(double PassRate, double StandardError, double CarefulShare, double CarefulAccuracy)
{
    public static Mark Of(IReadOnlyCollection<double> rates, IReadOnlyCollection<SampleAnswer> answers)
    {
        Rate rate = Rate.Of(rates);
        SampleAnswer[] careful = [.. answers.Where(a => !a.Response.StartsWith(Examination.Quick, StringComparison.Ordinal))];
        return new Mark(
            rate.Mean,
            rate.StandardError,
            (double)careful.Length / answers.Count,
            careful.Length == 0 ? 0 : (double)careful.Count(a => a.Correct) / careful.Length);
    }
}

/// <summary>What a model can do, over all and by task, and all its answers.</summary>
internal sealed record Marks(Mark All, IReadOnlyDictionary<string, Mark> ByTask, IReadOnlyList<SampleAnswer> Answers)
{
    public override string ToString() =>
        $"pass rate {All.PassRate:F3} ± {All.StandardError:F3} ({string.Join(", ", ByTask.Select(t => $"{t.Key} {t.Value.PassRate:F3}"))}); "
        + $"worked out step by step {All.CarefulShare:P0}, of those right {All.CarefulAccuracy:P0} ({string.Join(", ", ByTask.Select(t => $"{t.Value.CarefulAccuracy:P0}"))})";
}

/// <summary>Questions with a fixed way of sampling: temperature 1.0, top-p 0.95, as the report evaluates.</summary>
internal sealed class Examination(Lessons lessons, IReadOnlyList<TaskInstance> instances, int samples, Recipe recipe)
{
    internal static readonly string Quick = $"{ResponseFormat.ThinkOpen} {ResponseFormat.QuickThought} {ResponseFormat.ThinkClose}";

    public Marks Take(MiniMaxForCausalLM model, CancellationToken cancellation)
    {
        GenerationRequest[] requests =
        [
            .. instances.Select((instance, i) => new GenerationRequest(lessons.Prompt(instance), SplitMix64.Mix(recipe.Seed + (ulong)i), samples)),
        ];
        var options = new GenerationOptions
        {
            MaxNewTokens = recipe.MaxNewTokens,
            TopP = 0.95f,
            StopTokens = [lessons.Tokenizer.EosTokenId!.Value],
        };
        IReadOnlyList<Completion[]> completions = new TextGenerator(model).Generate(requests, options, cancellation: cancellation);
        var answers = new List<SampleAnswer>();
        var rates = new List<(string Task, double Rate)>();
        for (int i = 0; i < instances.Count; i++)
        {
            TaskInstance instance = instances[i];
            double right = 0;
            foreach (Completion completion in completions[i])
            {
                string text = lessons.Text(completion.Tokens);
                Score score = ResponseFormat.Score(instance, text);
                right += score.Reward;
                answers.Add(new SampleAnswer(
                    instance.Task, instance.Prompt, text, score.Reward == 1, score.FormatOk ? score.Verdict.Reason : "wrong format"));
            }

            rates.Add((instance.Task, right / samples));
        }

        return new Marks(
            Mark.Of([.. rates.Select(r => r.Rate)], answers),
            rates.GroupBy(r => r.Task).ToDictionary(
                g => g.Key, g => Mark.Of([.. g.Select(r => r.Rate)], [.. answers.Where(a => a.Task == g.Key)])),
            answers);
    }
}
