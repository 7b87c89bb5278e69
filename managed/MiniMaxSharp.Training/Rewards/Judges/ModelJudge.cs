using Microsoft.Extensions.AI;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Training;

/// <summary>Has responses judged by a chat model. At most so many requests are under way at once; neither that nor timing changes a result.</summary>
internal sealed class ModelJudge
{
    private static readonly ChatOptions s_greedy = new() { Temperature = 0 };
    private readonly IChatClient _client;
    private readonly Func<Response, JudgedQuestion?> _question;
    private readonly int _concurrency;

    public ModelJudge(IChatClient client, Func<Response, JudgedQuestion?>? question, int concurrency)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentOutOfRangeException.ThrowIfLessThan(concurrency, 1);
        (_client, _question, _concurrency) = (client, question ?? JudgedQuestion.OfData, concurrency);
    }

    /// <summary>A result for each response: null where there is no question, else what <paramref name="read"/> makes of the replies to its prompts.</summary>
    public async Task<IReadOnlyList<RewardResult>> ScoreAsync(
        IReadOnlyList<Response> responses,
        Func<JudgedQuestion, string, string[]> prompts,
        Func<string[], RewardResult> read,
        CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(responses);
        using var places = new SemaphoreSlim(_concurrency);
        return await Task.WhenAll(responses.Select(ScoreOneAsync)).ConfigureAwait(false);

        async Task<RewardResult> ScoreOneAsync(Response response) => _question(response) is { } question
            ? read(await Task.WhenAll(prompts(Quoted(question), Answer(response)).Select(AskAsync)).ConfigureAwait(false))
            : new RewardResult(null);

        async Task<string> AskAsync(string prompt)
        {
            await places.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                return (await _client.GetResponseAsync([new ChatMessage(ChatRole.User, prompt)], s_greedy, cancellation).ConfigureAwait(false)).Text;
            }
            finally
            {
                places.Release();
            }
        }
    }

    private static JudgedQuestion Quoted(JudgedQuestion question) => new(Quote(question.Question), Quote(question.Reference));

    // What follows the thought.
    private static string Answer(Response response)
    {
        int thought = response.Text.LastIndexOf(ResponseFormat.ThinkClose, StringComparison.Ordinal);
        return Quote(thought < 0 ? response.Text : response.Text[(thought + ResponseFormat.ThinkClose.Length)..]);
    }

    // So that it cannot close the tag it is put into.
    private static string Quote(string text) => text.Trim().Replace("</", "< /", StringComparison.Ordinal);
}
