using System.Diagnostics;
using System.Diagnostics.Metrics;
using MiniMaxSharp.Generation;

namespace MiniMaxSharp.Serving;

/// <summary>
/// Metrics and spans under OpenTelemetry's names for generative AI, and the engine's gauges. Meter and source are named
/// <see cref="SourceName"/>; without a listener they cost next to nothing.
/// </summary>
internal sealed class Telemetry : IDisposable
{
    public const string SourceName = "MiniMaxSharp";

    private readonly ActivitySource _source = new(SourceName);
    private readonly Histogram<int> _tokens;
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _firstToken;
    private readonly Histogram<double> _perToken;
    private readonly string _model;

    public Telemetry(ServedModel model)
    {
        _model = model.Id;
        // The bounds are those that the conventions advise.
        double[] seconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
        _tokens = Meter.CreateHistogram(
            "gen_ai.client.token.usage", "{token}", "Tokens of prompts and answers",
            advice: new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864] });
        _duration = Seconds("gen_ai.client.operation.duration", "From the request to its last token", seconds);
        _firstToken = Seconds(
            "gen_ai.server.time_to_first_token", "From the request to its first token",
            [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]);
        _perToken = Seconds(
            "gen_ai.server.time_per_output_token", "Between two tokens of an answer after the first",
            [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5]);
        GenerationEngine engine = model.Engine;
        Meter.CreateObservableGauge("minimax.engine.running", () => engine.Status.Running, "{sequence}", "Sequences being generated");
        Meter.CreateObservableGauge("minimax.engine.waiting", () => engine.Status.Waiting, "{sequence}", "Sequences that wait for memory");
        Meter.CreateObservableGauge("minimax.engine.pages.used", () => engine.Status.UsedPages, "{page}", "Pages of keys and values in use");
        Meter.CreateObservableGauge("minimax.engine.pages.total", () => engine.Status.TotalPages, "{page}", "Pages of keys and values in all");
        Meter.CreateObservableCounter("minimax.engine.prompt_tokens", () => engine.Status.PromptTokens, "{token}", "Prompt tokens that were computed");
        Meter.CreateObservableCounter("minimax.engine.reused_tokens", () => engine.Status.ReusedTokens, "{token}", "Prompt tokens that a snapshot saved");
        Meter.CreateObservableCounter("minimax.engine.generated_tokens", () => engine.Status.GeneratedTokens, "{token}", "New tokens");

        Histogram<double> Seconds(string name, string description, double[] bounds) =>
            Meter.CreateHistogram(name, "s", description, advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds });
    }

    public Meter Meter { get; } = new(SourceName);

    public Operation Start(string name, GenerationRequest request, GenerationOptions options) => new(this, name, request, options);

    public void Dispose()
    {
        Meter.Dispose();
        _source.Dispose();
    }

    /// <summary>One request, from its start to its disposal.</summary>
    internal sealed class Operation : IDisposable
    {
        private readonly Telemetry _owner;
        private readonly TagList _tags;
        private readonly int _promptTokens;
        private readonly long _start = Stopwatch.GetTimestamp();
        private readonly (long First, int Tokens)[] _samples;
        private readonly string?[] _reasons;
        private readonly Activity? _activity;
        private string? _error = "cancelled";

        public Operation(Telemetry owner, string name, GenerationRequest request, GenerationOptions options)
        {
            _owner = owner;
            _promptTokens = request.Prompt.Length;
            _samples = new (long, int)[request.Samples];
            _reasons = new string?[request.Samples];
            _tags = new TagList
            {
                { "gen_ai.operation.name", name },
                { "gen_ai.provider.name", "minimax" },
                { "gen_ai.request.model", owner._model },
                { "gen_ai.response.model", owner._model },
            };
            _activity = owner._source.StartActivity($"{name} {owner._model}", ActivityKind.Internal, default(ActivityContext), _tags);
            _activity?
                .SetTag("gen_ai.request.temperature", options.Temperature)
                .SetTag("gen_ai.request.top_p", options.TopP)
                .SetTag("gen_ai.request.top_k", options.TopK)
                .SetTag("gen_ai.request.max_tokens", options.MaxNewTokens)
                .SetTag("gen_ai.request.presence_penalty", options.PresencePenalty)
                .SetTag("gen_ai.request.frequency_penalty", options.FrequencyPenalty)
                .SetTag("gen_ai.request.seed", unchecked((long)request.Seed))
                .SetTag("gen_ai.request.choice.count", request.Samples)
                .SetTag("gen_ai.request.stop_sequences", options.StopStrings.ToArray());
        }

        /// <summary>Tokens so far, of all samples.</summary>
        public int OutputTokens { get; private set; }

        public void Token(GenerationUpdate update)
        {
            OutputTokens++;
            ref (long First, int Tokens) sample = ref _samples[update.Sample];
            if (++sample.Tokens == 1)
            {
                sample.First = Stopwatch.GetTimestamp();
                if (OutputTokens == 1)
                {
                    _owner._firstToken.Record(Stopwatch.GetElapsedTime(_start, sample.First).TotalSeconds, _tags);
                }
            }

            if (update.Finish is { } finish)
            {
                _reasons[update.Sample] = finish.ToString().ToLowerInvariant();
                if (sample.Tokens > 1)
                {
                    _owner._perToken.Record(Stopwatch.GetElapsedTime(sample.First).TotalSeconds / (sample.Tokens - 1), _tags);
                }
            }
        }

        public void Fail(Exception error) => _error = error is OperationCanceledException ? "cancelled" : error.GetType().FullName;

        public void Complete() => _error = null;

        public void Dispose()
        {
            Tokens("input", _promptTokens);
            Tokens("output", OutputTokens);
            TagList tags = _tags;
            if (_error is not null)
            {
                tags.Add("error.type", _error);
                _activity?.SetStatus(ActivityStatusCode.Error, _error).SetTag("error.type", _error);
            }

            _owner._duration.Record(Stopwatch.GetElapsedTime(_start).TotalSeconds, tags);
            _activity?
                .SetTag("gen_ai.usage.input_tokens", _promptTokens)
                .SetTag("gen_ai.usage.output_tokens", OutputTokens)
                .SetTag("gen_ai.response.finish_reasons", _reasons.OfType<string>().ToArray());
            _activity?.Dispose();
        }

        private void Tokens(string type, int count)
        {
            TagList tags = _tags;
            tags.Add("gen_ai.token.type", type);
            _owner._tokens.Record(count, tags);
        }
    }
}
