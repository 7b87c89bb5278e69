using FsCheck.Xunit;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Generation;

/// <summary>Continuous batching, shared prefixes, and all that may end or bend an answer.</summary>
public sealed class GenerationEngineTests
{
    private static readonly EngineOptions s_small = new() { MaxSequences = 8, CacheTokens = 2048, PrefillTokens = 128, SnapshotBytes = 1 << 20 };
    private static readonly GenerationOptions s_sampled = new() { MaxNewTokens = 20, TopP = 0.95f };

    [Theory]
    [Devices(ElementType.Float32)]
    [Devices(ElementType.BFloat16)]
    public async Task An_answer_is_the_same_to_the_bit_alone_and_among_others_that_come_and_go(string on, ElementType type)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3, type);
        GenerationRequest[] requests = [.. Enumerable.Range(0, 30).Select(i => new GenerationRequest(TinyModels.Ids(i % 20, 1 + 37 * i % 300), (ulong)i, 1 + i % 3))];
        IReadOnlyList<Completion[]> alone = [.. requests.Select(r => new TextGenerator(model).Generate([r], s_sampled)[0])];
        await using var engine = new GenerationEngine(model, s_small);
        Completion[][] together = await Task.WhenAll(requests.Select(r => Task.Run(() => engine.CompleteAsync(r, s_sampled))));
        for (int i = 0; i < requests.Length; i++)
        {
            AssertEqual(alone[i], together[i]);
        }

        Assert.True(engine.Status.ReusedTokens > 0, "no prompt was reused");
    }

    [Theory]
    [Devices]
    public async Task A_remembered_beginning_saves_its_tokens_and_changes_no_bit(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3);
        int[] first = TinyModels.Ids(1, 200), second = [.. first, .. TinyModels.Ids(2, 50)];
        Completion fresh = new TextGenerator(model).Generate([new GenerationRequest(second, 9)], s_sampled)[0][0];
        await using var engine = new GenerationEngine(model, s_small);
        await engine.CompleteAsync(new GenerationRequest(first), s_sampled);
        Completion reused = (await engine.CompleteAsync(new GenerationRequest(second, 9), s_sampled))[0];
        AssertEqual([fresh], [reused]);
        Assert.Equal(192, engine.Status.ReusedTokens);
        Assert.Equal(200 + 250 - 192, engine.Status.PromptTokens);
    }

    [Theory]
    [Devices]
    public async Task Samples_of_a_prompt_compute_it_once(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3);
        await using var engine = new GenerationEngine(model, s_small with { SnapshotBytes = 0 });
        Completion[] samples = await engine.CompleteAsync(new GenerationRequest(TinyModels.Ids(1, 100), 4, 8), s_sampled);
        Assert.Equal(100, engine.Status.PromptTokens);
        Assert.Equal(8, samples.Select(s => string.Join(',', s.Tokens)).Distinct().Count());
    }

    [Fact]
    public async Task Snapshots_give_way_to_requests_and_all_memory_comes_back()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3);
        await using var engine = new GenerationEngine(model, s_small with { CacheTokens = 512 });
        for (int i = 0; i < 12; i++)
        {
            await engine.CompleteAsync(new GenerationRequest(TinyModels.Ids(i, 300), (ulong)i), s_sampled);
        }

        EngineStatus status = await QuietAsync(engine);
        Assert.Equal((0, 0), (status.Running, status.Waiting));
        Assert.InRange(status.UsedPages, 1, status.TotalPages);
        Assert.True(status.Snapshots > 0);
    }

    [Fact]
    public async Task A_cancelled_request_frees_its_place_for_the_next()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3);
        await using var engine = new GenerationEngine(model, s_small with { MaxSequences = 1, SnapshotBytes = 0 });
        using var cancellation = new CancellationTokenSource();
        var endless = new GenerationOptions { MaxNewTokens = 1500, RepetitionTokens = 10_000 };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (GenerationUpdate update in engine.GenerateAsync(new GenerationRequest(new[] { 1 }), endless, cancellation.Token))
            {
                await cancellation.CancelAsync();
            }
        });
        Completion[] next = await engine.CompleteAsync(new GenerationRequest(new[] { 2 }), s_sampled);
        Assert.Equal(20, next[0].Tokens.Length);

        // Left without a word.
        await foreach (GenerationUpdate update in engine.GenerateAsync(new GenerationRequest(new[] { 1 }), endless))
        {
            break;
        }

        EngineStatus status = await QuietAsync(engine);
        Assert.Equal((0, 0), (status.Running, status.UsedPages));
    }

    [Fact]
    public async Task What_can_never_run_is_refused_with_the_figures()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3);
        await using var engine = new GenerationEngine(model, s_small with { CacheTokens = 256 });
        Refused("4,096", new GenerationRequest(TinyModels.Ids(1, 4000)), new() { MaxNewTokens = 200 });
        Refused("256", new GenerationRequest(TinyModels.Ids(1, 100), 0, 4), new() { MaxNewTokens = 100 });
        Refused("8 sequences", new GenerationRequest(new[] { 1 }, 0, 9), new() { MaxNewTokens = 1 });
        Refused("id 50 at position 1", new GenerationRequest(new[] { 1, 50 }), new());
        Refused("tokenizer", new GenerationRequest(new[] { 1 }), new() { StopStrings = ["x"], MaxNewTokens = 1 });

        void Refused(string figure, GenerationRequest request, GenerationOptions options) => Assert.Contains(
            figure.Replace(",", "", StringComparison.Ordinal),
            Assert.ThrowsAny<ArgumentException>(() => engine.GenerateAsync(request, options)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [Devices]
    public async Task A_faulty_processor_ends_its_own_request_only(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3);
        await using var engine = new GenerationEngine(model, s_small);
        Task<Completion[]> good = engine.CompleteAsync(new GenerationRequest(new[] { 1 }, 5), s_sampled);
        foreach (float value in new[] { float.NaN, float.NegativeInfinity })
        {
            await Assert.ThrowsAsync<ArithmeticException>(() =>
                engine.CompleteAsync(new GenerationRequest(new[] { 1 }), s_sampled with { LogitProcessors = [new Fill(value)] }));
        }

        await Assert.ThrowsAsync<InvalidOperationException>(() =>
            engine.CompleteAsync(new GenerationRequest(new[] { 1 }, 0, 3), s_sampled with { LogitProcessors = [new Throwing()] }));
        Assert.Equal(20, (await good)[0].Tokens.Length);
        Assert.Equal(0, (await QuietAsync(engine)).Running);
    }

    [Theory]
    [Devices]
    public async Task A_disposed_engine_tells_its_readers_and_leaves_no_native_bytes(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3);
        var engine = new GenerationEngine(model, s_small);
        Task<Completion[]> running = engine.CompleteAsync(new GenerationRequest(new[] { 1 }), new() { MaxNewTokens = 1900, RepetitionTokens = 10_000 });
        await engine.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => running);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => engine.CompleteAsync(new GenerationRequest(new[] { 1 }), s_sampled));

        // The device is free again.
        Assert.Equal(20, new TextGenerator(model).Generate([new GenerationRequest(new[] { 1 })], s_sampled)[0][0].Tokens.Length);
    }

    [Theory]
    [Devices]
    public void Penalties_processors_and_log_probabilities_follow_their_formulas(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3);
        int[] prompt = [1, 2, 3];
        float[] logits = TinyModels.Logits(model, prompt)[^TinyModels.Vocabulary..];
        double total = logits.Sum(x => Math.Exp(x));
        int[] order = [.. Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i])];
        var greedy = new GenerationOptions { MaxNewTokens = 1, Temperature = 0 };
        GenerationUpdate update = First(greedy with { TopLogProbabilities = 3 });
        Assert.Equal(order[0], update.Token);
        Assert.Equal(order[..3], update.Top.Select(t => t.Token));
        Assert.All(update.Top, t => Assert.Equal(logits[t.Token] - Math.Log(total), t.LogProbability, 1e-4));

        // Forbidding the best leaves the second, whose log-probability is still the model's own.
        update = First(greedy with { LogitProcessors = [new Forbid(order[0])] });
        Assert.Equal(order[1], update.Token);
        Assert.Equal(logits[order[1]] - Math.Log(total), update.LogProbability, 1e-4);

        foreach ((float repetition, float presence, float frequency) in new[] { (1.7f, 0f, 0f), (1f, 3f, 0f), (1f, 0f, 2f), (1.2f, 1f, 0.5f) })
        {
            var options = new GenerationOptions
            {
                MaxNewTokens = 12,
                Temperature = 0,
                RepetitionPenalty = repetition,
                PresencePenalty = presence,
                FrequencyPenalty = frequency,
            };
            var answer = new List<int>();
            for (int i = 0; i < 12; i++)
            {
                float[] edited = TinyModels.Logits(model, [.. prompt, .. answer])[^TinyModels.Vocabulary..];
                for (int id = 0; id < edited.Length; id++)
                {
                    int count = answer.Count(a => a == id);
                    bool seen = count > 0 || prompt.Contains(id);
                    edited[id] = seen ? (edited[id] > 0 ? edited[id] / repetition : edited[id] * repetition) : edited[id];
                    edited[id] -= (count > 0 ? presence : 0) + frequency * count;
                }

                answer.Add(Array.IndexOf(edited, edited.Max()));
            }

            Assert.Equal(answer, new TextGenerator(model).Generate([new GenerationRequest(prompt)], options)[0][0].Tokens);
        }

        GenerationUpdate First(GenerationOptions options)
        {
            var updates = new List<GenerationUpdate>();
            new TextGenerator(model).Generate([new GenerationRequest(prompt)], options, (_, u) => updates.Add(u));
            return updates.Single();
        }
    }

    [Fact]
    public void A_stop_string_ends_the_text_before_it_wherever_tokens_cut_it()
    {
        using Device device = Device.Cpu();
        Tokenizer tokenizer = Letters();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config() with { VocabSize = tokenizer.VocabularySize }, device, 3);
        Completion free = Answer(model, tokenizer, "say abcabcabxabcxyz");
        Assert.Equal("abcabcabxabcxyz", free.Text);
        Completion stopped = Answer(model, tokenizer, "say abcabcabxabcxyz", "abcx", "zzz");
        Assert.Equal(("abcabcabx", FinishReason.Stop), (stopped.Text, stopped.Reason));

        // What might have become the stop string comes out when it does not.
        Assert.Equal("abcabcabxabcxyz", Answer(model, tokenizer, "say abcabcabxabcxyz", "xyzz").Text);
    }

    [Fact]
    public void A_thinking_budget_closes_the_thought_and_marks_what_it_put_in()
    {
        using Device device = Device.Cpu();
        Tokenizer tokenizer = Letters();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config() with { VocabSize = tokenizer.VocabularySize }, device, 3);
        GenerationOptions options = Scripted(tokenizer, "<think>abcabcabcabc") with
        {
            MaxNewTokens = 40,
            ThinkingBudget = new ThinkingBudget(4) { Injection = "x</think>y" },
        };
        Completion completion = new TextGenerator(model, tokenizer).Generate([new GenerationRequest(tokenizer.Encode("x"))], options)[0][0];
        // Four tokens: the vocabulary has "ab" as one.
        Assert.Equal(tokenizer.Encode("x</think>y"), completion.Injected.Select(i => completion.Tokens[i]));
        Assert.StartsWith("<think>abcabcx</think>y", completion.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_is_sure_of_itself_too_long_is_stopped()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3);
        var options = new GenerationOptions { MaxNewTokens = 100, Temperature = 0, RepetitionTokens = 7, RepetitionProbability = 0.001f };
        Completion completion = new TextGenerator(model).Generate([new GenerationRequest(new[] { 1 })], options)[0][0];
        Assert.Equal((FinishReason.Repetition, 7), (completion.Reason, completion.Tokens.Length));
    }

    // Any order of joins, leaves and lengths: the engine ends empty and answers as the plain generator does.
    [Property(MaxTest = 15)]
    public bool Whatever_comes_the_engine_answers_and_ends_empty(int[] work)
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(TinyModels.Config(), device, 3);
        var engine = new GenerationEngine(model, s_small with { CacheTokens = 640, MaxSequences = 4, PrefillTokens = 64 });
        Task<bool>[] tasks = [.. work.Take(12).Select((w, i) => Task.Run(() => RunAsync((uint)w, i)))];
        bool good = Task.WhenAll(tasks).GetAwaiter().GetResult().All(ok => ok);
        EngineStatus status = QuietAsync(engine).GetAwaiter().GetResult();
        engine.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return good && status is { Running: 0, Waiting: 0 };

        async Task<bool> RunAsync(uint w, int index)
        {
            int length = 1 + (int)(w % 220), wanted = 1 + (int)(w / 220 % 30), leaveAfter = (int)(w / 7000 % 3) == 0 ? wanted / 2 : int.MaxValue;
            int seen = 0;
            await foreach (GenerationUpdate update in engine.GenerateAsync(new GenerationRequest(TinyModels.Ids(index % 3, length), w), new() { MaxNewTokens = wanted }))
            {
                if (++seen > leaveAfter)
                {
                    return true;
                }
            }

            return seen == wanted;
        }
    }

    private static async Task<EngineStatus> QuietAsync(GenerationEngine engine)
    {
        while (engine.Status is { Running: > 0 } or { Waiting: > 0 })
        {
            await Task.Delay(5);
        }

        return engine.Status;
    }

    private static void AssertEqual(Completion[] expected, Completion[] actual)
    {
        Assert.Equal(expected.Select(c => c.Tokens), actual.Select(c => c.Tokens));
        Assert.Equal(expected.Select(c => c.LogProbabilities), actual.Select(c => c.LogProbabilities));
    }

    // A tokenizer whose tokens are bytes.
    private static Tokenizer Letters() => BpeTrainer.Train(["ab"], new BpeTrainerOptions { VocabularySize = 260 });

    private static Completion Answer(MiniMaxForCausalLM model, Tokenizer tokenizer, string script, params string[] stops) => new TextGenerator(model, tokenizer)
        .Generate([new GenerationRequest(tokenizer.Encode("x"))], Scripted(tokenizer, script[4..]) with { StopStrings = stops })[0][0];

    private static GenerationOptions Scripted(Tokenizer tokenizer, string text)
    {
        int[] ids = tokenizer.Encode(text);
        return new GenerationOptions { MaxNewTokens = ids.Length, Temperature = 0, LogitProcessors = [new Script(ids)] };
    }

    private sealed class Script(int[] ids) : ILogitProcessor
    {
        public void Process(ReadOnlySpan<int> prompt, ReadOnlySpan<int> answer, Span<float> logits)
        {
            logits.Fill(-100);
            logits[ids[answer.Length % ids.Length]] = 0;
        }
    }

    private sealed class Forbid(int id) : ILogitProcessor
    {
        public void Process(ReadOnlySpan<int> prompt, ReadOnlySpan<int> answer, Span<float> logits) => logits[id] = float.NegativeInfinity;
    }

    private sealed class Fill(float value) : ILogitProcessor
    {
        public void Process(ReadOnlySpan<int> prompt, ReadOnlySpan<int> answer, Span<float> logits) => logits.Fill(value);
    }

    private sealed class Throwing : ILogitProcessor
    {
        public void Process(ReadOnlySpan<int> prompt, ReadOnlySpan<int> answer, Span<float> logits) => throw new InvalidOperationException("on purpose");
    }
}
