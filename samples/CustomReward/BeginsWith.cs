using MiniMaxSharp.Training;

/// <summary>The share of words that begin with the letter of the prompt; and whether all of them do, which counts as right.</summary>
internal sealed class BeginsWith : IRewardFunction
{
    public string Name => "begins_with";

    public ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation) => new([.. responses.Select(Score)]);

    private static RewardResult Score(Response response)
    {
        string[] words = response.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        double share = words.Length == 0 ? 0 : words.Average(w => w[0] == (char)response.Prompt.Data! ? 1.0 : 0.0);
        return new RewardResult(share, new Dictionary<string, double> { [TaskOutcome.CorrectPart] = share == 1 ? 1 : 0 });
    }
}
