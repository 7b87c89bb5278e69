namespace MiniMaxSharp.Training;

/// <summary>What a generative reward model needs to know of a prompt.</summary>
/// <param name="Question">As the user put it.</param>
/// <param name="Reference">The right answer, or where there is none, an answer to be compared with.</param>
public sealed record JudgedQuestion(string Question, string Reference)
{
    /// <summary>The question of prompts whose data is one; other prompts are not judged.</summary>
    public static JudgedQuestion? OfData(Response response)
    {
        ArgumentNullException.ThrowIfNull(response);
        return response.Prompt.Data as JudgedQuestion;
    }
}
