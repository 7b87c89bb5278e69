using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;

namespace MiniMaxSharp.Training;

/// <summary>A question of an <see cref="Evaluation"/>.</summary>
/// <param name="Task">What its marks are reported under.</param>
/// <param name="Prompt">The question.</param>
public sealed record EvaluationItem(string Task, RolloutPrompt Prompt);

/// <summary>How well questions were answered.</summary>
/// <param name="Items">Questions.</param>
/// <param name="Average">Share of right answers, the mean over questions (avg@k, whatever k).</param>
/// <param name="PassAtK">For each k asked for, the mean over questions of <see cref="PassAtK.Estimate"/>.</param>
public sealed record EvaluationMarks(int Items, double Average, IReadOnlyList<(int K, double Rate)> PassAtK);

/// <summary>What an evaluation found.</summary>
/// <param name="All">Over all questions.</param>
/// <param name="ByTask">By task, in the order of their first questions.</param>
/// <param name="Responses">Every response, [question][sample].</param>
public sealed record EvaluationResult(
    EvaluationMarks All, IReadOnlyList<(string Task, EvaluationMarks Marks)> ByTask, IReadOnlyList<ScoredResponse[]> Responses);

/// <summary>
/// Questions that are always asked in the same way and with the same seed, so that two sets of weights are compared by the same draws.
/// </summary>
public sealed class Evaluation
{
    private readonly IReadOnlyList<EvaluationItem> _items;
    private readonly IResponseSource _source;
    private readonly int[] _ks;
    private readonly ulong _seed;

    /// <param name="items">The questions.</param>
    /// <param name="source">Answers each n times, n its group size, and scores; see <see cref="Sampling"/>.</param>
    /// <param name="ks">For which k pass@k is estimated; none above n.</param>
    /// <param name="seed">Of the sampling.</param>
    public Evaluation(IReadOnlyList<EvaluationItem> items, IResponseSource source, IReadOnlyList<int> ks, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(ks);
        if (items.Count == 0)
        {
            throw new ArgumentException("An evaluation needs at least one question.", nameof(items));
        }

        _items = items;
        _source = source;
        _ks = [.. ks.Order()];
        _seed = seed;
    }

    /// <summary>Reward from which on an answer counts as right.</summary>
    public double PassMark { get; init; } = 1;

    /// <summary>The report's way to sample in evaluations: temperature 1.0, top-p 0.95; all else as it was.</summary>
    public static GenerationOptions Sampling(GenerationOptions generation)
    {
        ArgumentNullException.ThrowIfNull(generation);
        return generation with { Temperature = 1, TopP = 0.95f, TopK = 0, MinP = 0 };
    }

    /// <summary>Asks all questions.</summary>
    /// <param name="model">Only read.</param>
    /// <param name="cancellation">Looked at while sampling.</param>
    /// <exception cref="ArgumentOutOfRangeException">A k is above the number of answers to a question.</exception>
    public async Task<EvaluationResult> RunAsync(MiniMaxForCausalLM model, CancellationToken cancellation = default)
    {
        IReadOnlyList<ScoredResponse[]> responses =
            await _source.RespondAsync(model, [.. _items.Select(i => i.Prompt)], _seed, cancellation).ConfigureAwait(false);
        (string Task, ScoredResponse[] Answers)[] marked = [.. _items.Zip(responses, (item, answers) => (item.Task, answers))];
        return new EvaluationResult(
            Marks(responses),
            [.. marked.GroupBy(m => m.Task, m => m.Answers, StringComparer.Ordinal).Select(g => (g.Key, Marks([.. g])))],
            responses);
    }

    private EvaluationMarks Marks(IReadOnlyList<ScoredResponse[]> answers)
    {
        (int Samples, int Right)[] counts = [.. answers.Select(a => (a.Length, a.Count(r => r.Reward.Score >= PassMark)))];
        return new EvaluationMarks(
            counts.Length,
            counts.Average(c => (double)c.Right / c.Samples),
            [.. _ks.Select(k => (k, counts.Average(c => PassAtK.Estimate(c.Samples, c.Right, k))))]);
    }
}
