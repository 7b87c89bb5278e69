using System.Runtime.CompilerServices;
using System.Threading.Channels;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Generation;

/// <summary>What an engine holds and has done, after its last step.</summary>
/// <param name="Running">Sequences being generated.</param>
/// <param name="Waiting">Sequences that wait for memory.</param>
/// <param name="UsedPages">Pages of keys and values in use, those of remembered prompts included.</param>
/// <param name="TotalPages">Pages of keys and values in all; 0 in a model without softmax layers.</param>
/// <param name="Snapshots">Beginnings of prompts that are remembered.</param>
/// <param name="PromptTokens">Prompt tokens that were computed.</param>
/// <param name="ReusedTokens">Prompt tokens that a snapshot saved.</param>
/// <param name="GeneratedTokens">New tokens.</param>
public sealed record EngineStatus(
    int Running, int Waiting, int UsedPages, int TotalPages, int Snapshots, long PromptTokens, long ReusedTokens, long GeneratedTokens);

/// <summary>
/// Generates for many callers at once on one model: requests join and leave between steps (continuous batching), prompts are
/// computed in pieces between steps of decoding, and beginnings that were computed before are reused. What a request
/// gives depends on neither the others nor on what is remembered. Thread-safe; it has the model's device to itself until it is
/// disposed.
/// </summary>
public sealed class GenerationEngine : IAsyncDisposable
{
    private readonly MiniMaxForCausalLM _model;
    private readonly Tokenizer? _tokenizer;
    private readonly EngineOptions _options;
    private readonly ContinuousBatch _batch;
    private readonly Channel<Action> _commands = Channel.CreateUnbounded<Action>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Task _worker;
    private long _generated;
    private volatile EngineStatus _status;

    /// <summary>Reserves the memory and starts.</summary>
    /// <param name="model">Only read. It must outlive the engine.</param>
    /// <param name="options">Memory and batch sizes; checked here.</param>
    /// <param name="tokenizer">Needed for texts, stop strings and thinking budgets.</param>
    public GenerationEngine(MiniMaxForCausalLM model, EngineOptions? options = null, Tokenizer? tokenizer = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _tokenizer = tokenizer;
        _options = options ?? new EngineOptions();
        _batch = new ContinuousBatch(model, _options, tokenizer);
        _batch.Commit();
        _status = Observe();
        _worker = Task.Factory.StartNew(Work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>After the last step.</summary>
    public EngineStatus Status => _status;

    /// <summary>The model that answers.</summary>
    public MiniMaxForCausalLM Model => _model;

    /// <summary>Its tokenizer, if the engine was given one.</summary>
    public Tokenizer? Tokenizer => _tokenizer;

    /// <summary>Throws if the request could never run; the message has the figures.</summary>
    /// <exception cref="ArgumentException">It is malformed, longer than the context, or larger than the engine's memory.</exception>
    public void Check(GenerationRequest request, GenerationOptions options)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(options);
        ContinuousBatch.Check(_model, _options, request, options, _tokenizer is not null);
    }

    /// <summary>
    /// The new tokens of all samples, as they are chosen. The request starts when the stream is first read, waits while memory is
    /// short, and frees its memory as soon as the stream is left or cancelled. A slow reader holds nobody up.
    /// </summary>
    /// <exception cref="ArgumentException">See <see cref="Check"/>; thrown by the call itself.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed, before or meanwhile.</exception>
    public IAsyncEnumerable<GenerationUpdate> GenerateAsync(
        GenerationRequest request, GenerationOptions options, CancellationToken cancellation = default)
    {
        Check(request, options);
        return StreamAsync(request, options, cancellation);
    }

    /// <summary>All samples of a request, when the last is complete.</summary>
    /// <exception cref="ArgumentException">See <see cref="Check"/>.</exception>
    public async Task<Completion[]> CompleteAsync(
        GenerationRequest request, GenerationOptions options, CancellationToken cancellation = default)
    {
        List<GenerationUpdate>[] samples = [.. Enumerable.Range(0, request.Samples).Select(_ => new List<GenerationUpdate>())];
        await foreach (GenerationUpdate update in GenerateAsync(request, options, cancellation).ConfigureAwait(false))
        {
            samples[update.Sample].Add(update);
        }

        return [.. samples.Select(Completion.Of)];
    }

    /// <summary>Ends what runs, with <see cref="ObjectDisposedException"/> for its readers, and frees the memory.</summary>
    public async ValueTask DisposeAsync()
    {
        _commands.Writer.TryComplete();
        await _worker.ConfigureAwait(false);
    }

    private async IAsyncEnumerable<GenerationUpdate> StreamAsync(
        GenerationRequest request, GenerationOptions options, [EnumeratorCancellation] CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        // As long as an answer may be: nothing is gained by holding the other sequences up for a slow reader.
        var updates = Channel.CreateUnbounded<GenerationUpdate>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        int left = request.Samples;
        var job = new ContinuousBatch.Job(
            request,
            options,
            update =>
            {
                _generated++;
                updates.Writer.TryWrite(update);
                if (update.Finish is not null && --left == 0)
                {
                    updates.Writer.Complete();
                }
            },
            error => updates.Writer.TryComplete(error));
        Post(() => _batch.Add(job));
        try
        {
            await foreach (GenerationUpdate update in updates.Reader.ReadAllAsync(cancellation).ConfigureAwait(false))
            {
                yield return update;
            }
        }
        finally
        {
            // After the end there is nothing to cancel, and after disposal nobody to tell.
            _commands.Writer.TryWrite(() => _batch.Cancel(job));
        }
    }

    private void Post(Action command) => ObjectDisposedException.ThrowIf(!_commands.Writer.TryWrite(command), this);

    private void Work()
    {
        while (true)
        {
            while (_commands.Reader.TryRead(out Action? command))
            {
                command();
            }

            if (_commands.Reader.Completion.IsCompleted)
            {
                break;
            }

            if (_batch.Idle)
            {
                _status = Observe();
                _commands.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult();
                continue;
            }

            Step();
            _status = Observe();
        }

        Abandon(new ObjectDisposedException(nameof(GenerationEngine)));
        _batch.Dispose();
        _status = Observe();
    }

    // An error that is not one request's own ends all of them: their readers are told, and the engine goes on for others.
    private void Step()
    {
        try
        {
            _batch.Step();
        }
        catch (Exception error)
        {
            Abandon(error);
        }
    }

    private void Abandon(Exception error)
    {
        foreach (ContinuousBatch.Job job in _batch.Jobs)
        {
            _batch.Cancel(job);
            job.OnError(error);
        }
    }

    private EngineStatus Observe() => new(
        _batch.Running,
        _batch.Waiting,
        _batch.Pages.Used,
        _batch.Pages.Total,
        _batch.Snapshots,
        _batch.PromptTokens.Computed,
        _batch.PromptTokens.Reused,
        _generated);
}
