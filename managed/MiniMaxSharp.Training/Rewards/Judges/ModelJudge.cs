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
        JudgedQuestion?[] questions = [.. responses.Select(_question)];
        string[][] replies = await AskAsync(
            [.. responses.Zip(questions, (response, question) => question is null ? [] : prompts(Quoted(question), Answer(response.Text)))], cancellation)
            .ConfigureAwait(false);
        return [.. questions.Zip(replies, (question, said) => question is null ? new RewardResult(null) : read(said))];
    }

    /// <summary>The replies to lists of prompts, list by list.</summary>
    public async Task<string[][]> AskAsync(IReadOnlyList<string[]> prompts, CancellationToken cancellation)
    {
        using var places = new SemaphoreSlim(_concurrency);
        return await Task.WhenAll(prompts.Select(list => Task.WhenAll(list.Select(AskOneAsync)))).ConfigureAwait(false);

        async Task<string> AskOneAsync(string prompt)
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

    /// <summary>What follows the thought, quoted.</summary>
    public static string Answer(string response)
    {
        int thought = response.LastIndexOf(ResponseFormat.ThinkClose, StringComparison.Ordinal);
        return Quote(thought < 0 ? response : response[(thought + ResponseFormat.ThinkClose.Length)..]);
    }

    /// <summary>So that a text cannot close the tag it is put into.</summary>
    public static string Quote(string text) => text.Trim().Replace("</", "< /", StringComparison.Ordinal);

    private static JudgedQuestion Quoted(JudgedQuestion question) => new(Quote(question.Question), Quote(question.Reference));
}
