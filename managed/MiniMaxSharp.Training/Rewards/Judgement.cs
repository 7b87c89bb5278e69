using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Training;

/// <summary>What a rule says of a response.</summary>
/// <param name="WellFormed">Whether it is one thought and one answer, each in its tags.</param>
/// <param name="Correct">Whether its answer is right, whatever the form.</param>
public readonly record struct Judgement(bool WellFormed, bool Correct)
{
    /// <summary>Right, and in the right form.</summary>
    public bool Passed => WellFormed && Correct;
}

/// <summary>Judges one response; null where it has nothing to say of the prompt. Bad responses get a judgement, never an exception.</summary>
public delegate ValueTask<Judgement?> ResponseJudge(Response response, CancellationToken cancellation);

/// <summary>Judges by rule. The answer is taken out of a response by the one policy of <see cref="ResponseFormat.Extract"/>.</summary>
public static class RuleJudges
{
    /// <summary>For prompts whose data is a <see cref="TaskInstance"/>: by the rules of the puzzle.</summary>
    public static ResponseJudge Puzzles { get; } = (response, _) =>
        ValueTask.FromResult<Judgement?>(response.Prompt.Data is TaskInstance instance ? Of(ResponseFormat.Score(instance, response.Text)) : null);

    /// <summary>The same for one task alone.</summary>
    public static ResponseJudge PuzzlesOf(string task) => (response, cancellation) =>
        response.Prompt.Data is TaskInstance instance && instance.Task == task ? Puzzles(response, cancellation) : ValueTask.FromResult<Judgement?>(null);

    /// <summary>For prompts whose data is a <see cref="MathReference"/>: by the value of the answer.</summary>
    public static ResponseJudge Mathematics { get; } = (response, _) =>
        ValueTask.FromResult<Judgement?>(response.Prompt.Data is MathReference reference ? Of(reference, response.Text) : null);

    private static Judgement Of(Score score) => new(score.FormatOk, score.Verdict.Correct);

    private static Judgement Of(MathReference reference, string text) =>
        new(ResponseFormat.Holds(text), ResponseFormat.Extract(text) is { } answer && MathAnswer.AreEqual(reference.Answer, answer));
}

/// <summary>The right answer to a mathematical question, in any form that <see cref="MathAnswer"/> reads.</summary>
public sealed record MathReference(string Answer);
