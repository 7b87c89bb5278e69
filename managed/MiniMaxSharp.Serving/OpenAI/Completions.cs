using System.Text;
using Microsoft.AspNetCore.Http;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Serving.OpenAI;

/// <summary>POST /v1/completions: texts or token ids, continued as they are, without the chat format.</summary>
internal static class Completions
{
    public static async Task HandleAsync(ServedModel model, HttpContext context, CancellationToken cancellation)
    {
        CompletionRequest request = await Wire.ReadAsync(context, ApiJson.Default.CompletionRequest, cancellation).ConfigureAwait(false);
        Wire.CheckModel(model, request.Model);
        if (request.Echo == true || request.Suffix is not null || (request.BestOf is { } best && best != (request.N ?? 1)))
        {
            throw ApiException.BadRequest("echo, suffix and a best_of other than n are not supported.");
        }

        if (request.Prompt is not { Count: > 0 and <= 64 } prompts)
        {
            throw ApiException.BadRequest("prompt should hold from 1 to 64 texts or lists of token ids.", "prompt");
        }

        GenerationOptions options = Sampling.Options(model, request) with { TopLogProbabilities = request.Logprobs ?? 0 };
        ulong seed = Sampling.Seed(request);
        var answer = new Answer(model, request.Logprobs is not null);
        Part[] parts =
        [
            .. prompts.Select((p, i) =>
            {
                int[] ids = p.Ids ?? model.Tokenizer.Encode(p.Text!);
                (GenerationRequest generation, GenerationOptions fitting) = Sampling.Fit(model, request, options, request.MaxTokens ?? 16, ids, seed);
                return new Part(generation, fitting, i * generation.Samples);
            }),
        ];
        await (request.Stream == true
            ? StreamAsync(model, context, answer, parts, request.StreamOptions?.IncludeUsage == true, cancellation)
            : WholeAsync(model, context, answer, parts, cancellation)).ConfigureAwait(false);
    }

    // The prompts run at the same time; the first error ends all of them.
    private static async Task<int> RunAsync(ServedModel model, IReadOnlyList<Part> parts, Func<int, Part, AnswerStep, ValueTask> onStep, CancellationToken cancellation)
    {
        using var all = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var one = new SemaphoreSlim(1, 1);
        Exception? first = null;
        int tokens = 0;
        Task[] running = [.. parts.Select(ReadAsync)];
        await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return first is null ? tokens : throw first;

        async Task ReadAsync(Part part)
        {
            try
            {
                await foreach (AnswerStep step in model.Continue(part.Request, part.Options, all.Token).ConfigureAwait(false))
                {
                    await one.WaitAsync(all.Token).ConfigureAwait(false);
                    try
                    {
                        tokens++;
                        await onStep(part.FirstIndex + step.Update.Sample, part, step).ConfigureAwait(false);
                    }
                    finally
                    {
                        one.Release();
                    }
                }
            }
            catch (Exception error)
            {
                Interlocked.CompareExchange(ref first, error, null);
                await all.CancelAsync().ConfigureAwait(false);
            }
        }
    }

    private static async Task WholeAsync(ServedModel model, HttpContext context, Answer answer, Part[] parts, CancellationToken cancellation)
    {
        Sample[] samples = [.. parts.SelectMany(p => Enumerable.Range(0, p.Request.Samples)).Select(_ => new Sample())];
        int tokens = await RunAsync(model, parts, (index, part, step) =>
        {
            samples[index].Add(answer, part, step);
            return ValueTask.CompletedTask;
        }, cancellation).ConfigureAwait(false);
        Completion completion = answer.Envelope([.. samples.Select((s, i) => s.Choice(i, answer))], new Usage(parts.Sum(p => p.Request.Prompt.Length), tokens));
        await Wire.WriteAsync(context, 200, completion, ApiJson.Default.Completion, cancellation).ConfigureAwait(false);
    }

    private static async Task StreamAsync(ServedModel model, HttpContext context, Answer answer, Part[] parts, bool usage, CancellationToken cancellation)
    {
        EventStream stream = EventStream.Start(context);
        Sample[] samples = [.. parts.SelectMany(p => Enumerable.Range(0, p.Request.Samples)).Select(_ => new Sample())];
        int tokens = await RunAsync(model, parts, async (index, part, step) =>
        {
            Sample sample = samples[index];
            sample.Add(answer, part, step);
            if (sample.HasNews)
            {
                await stream.SendAsync(answer.Envelope([sample.Choice(index, answer)]), ApiJson.Default.Completion, cancellation).ConfigureAwait(false);
                sample.Forget();
            }
        }, cancellation).ConfigureAwait(false);
        if (usage)
        {
            await stream.SendAsync(answer.Envelope([], new Usage(parts.Sum(p => p.Request.Prompt.Length), tokens)), ApiJson.Default.Completion, cancellation).ConfigureAwait(false);
        }

        await stream.DoneAsync(cancellation).ConfigureAwait(false);
    }

    private sealed record Part(GenerationRequest Request, GenerationOptions Options, int FirstIndex);

    private sealed class Answer(ServedModel model, bool logprobs)
    {
        private readonly string _id = $"cmpl-{Guid.NewGuid():N}";
        private readonly long _created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

        public bool HasLogprobs => logprobs;

        public Completion Envelope(IReadOnlyList<CompletionChoice> choices, Usage? usage = null) => new(_id, "text_completion", _created, model.Id, choices, usage);

        public string Text(int token) => Wire.TokenText(model, token);
    }

    /// <summary>One sample as it grows: all of it, or what was not sent yet.</summary>
    private sealed class Sample
    {
        private readonly StringBuilder _text = new();
        private readonly List<GenerationUpdate> _updates = [];
        private readonly List<int> _offsets = [];
        private int _offset;
        private FinishReason? _finish;

        public bool HasNews => _text.Length > 0 || _updates.Count > 0 || _finish is not null;

        public void Add(Answer answer, Part part, AnswerStep step)
        {
            if (answer.HasLogprobs && !(step.Update.Finish == FinishReason.Stop && part.Options.StopTokens.Contains(step.Update.Token)))
            {
                _updates.Add(step.Update);
                _offsets.Add(_offset);
            }

            foreach (ChatDelta delta in step.Deltas)
            {
                _text.Append(delta.Text);
                _offset += delta.Text.Length;
            }

            _finish = step.Update.Finish;
        }

        public void Forget()
        {
            _text.Clear();
            _updates.Clear();
            _offsets.Clear();
        }

        public CompletionChoice Choice(int index, Answer answer) => new(
            index,
            _text.ToString(),
            answer.HasLogprobs ? Logprobs(answer) : null,
            _finish is { } finish ? Sampling.Reason(finish, called: false) : null);

        private CompletionLogprobs Logprobs(Answer answer) => new(
            [.. _updates.Select(u => answer.Text(u.Token))],
            [.. _updates.Select(u => u.LogProbability)],
            [.. _updates.Select(u => u.Top.DistinctBy(t => answer.Text(t.Token)).ToDictionary(t => answer.Text(t.Token), t => t.LogProbability))],
            [.. _offsets]);
    }
}
