using System.Globalization;
using System.Text.Json;
using MiniMaxSharp.Generation;

namespace MiniMaxSharp.Serving.OpenAI;

/// <summary>Requests' sampling fields as the engine's options. What makes no sense is refused with the field's name.</summary>
internal static class Sampling
{
    public static GenerationOptions Options(ServedModel model, SamplingRequest request)
    {
        GenerationOptions defaults = model.Options.Defaults;
        if (request.Stop is { Count: > 16 })
        {
            throw ApiException.BadRequest("At most 16 stop texts are supported.", "stop");
        }

        return defaults with
        {
            Temperature = request.Temperature ?? defaults.Temperature,
            TopP = request.TopP ?? defaults.TopP,
            TopK = request.TopK ?? defaults.TopK,
            MinP = request.MinP ?? defaults.MinP,
            PresencePenalty = request.PresencePenalty ?? defaults.PresencePenalty,
            FrequencyPenalty = request.FrequencyPenalty ?? defaults.FrequencyPenalty,
            RepetitionPenalty = request.RepetitionPenalty ?? defaults.RepetitionPenalty,
            StopStrings = request.Stop ?? defaults.StopStrings,
            ThinkingBudget = request.ThinkingBudget is { } budget ? new ThinkingBudget(budget) : defaults.ThinkingBudget,
            LogitProcessors = request.LogitBias is { Count: > 0 } bias ? [.. defaults.LogitProcessors, new LogitBias(model, bias)] : defaults.LogitProcessors,
        };
    }

    /// <summary>The request for a prompt, checked against context and memory.</summary>
    public static (GenerationRequest Request, GenerationOptions Options) Fit(
        ServedModel model, SamplingRequest request, GenerationOptions options, int? maxTokens, int[] prompt, ulong seed)
    {
        int samples = request.N ?? 1;
        if (samples < 1)
        {
            throw ApiException.BadRequest($"n should be at least 1, not {samples}.", "n");
        }

        if (maxTokens < 1)
        {
            throw ApiException.BadRequest($"max_tokens should be at least 1, not {maxTokens}.", "max_tokens");
        }

        var generation = new GenerationRequest(prompt, seed, samples);
        options = model.Fit(options, maxTokens, prompt.Length, samples);
        try
        {
            model.Engine.Check(generation, options);
        }
        catch (ArgumentException error)
        {
            bool tooLong = (long)prompt.Length + options.MaxNewTokens > model.Context;
            throw ApiException.BadRequest(
                Plain(error), tooLong ? null : Field(error.ParamName), tooLong ? "context_length_exceeded" : "invalid_value");
        }

        return (generation, options);
    }

    public static ulong Seed(SamplingRequest request) => request.Seed is { } seed ? unchecked((ulong)seed) : Answers.RandomSeed();

    /// <summary>OpenAI knows no repetition; what was cut off is of reason length.</summary>
    public static string Reason(FinishReason reason, bool called) => reason != FinishReason.Stop ? "length" : called ? "tool_calls" : "stop";

    /// <summary>An exception's message without the name of a C# parameter.</summary>
    public static string Plain(ArgumentException error)
    {
        string message = error.Message.Split('\n')[0];
        int suffix = message.IndexOf(" (Parameter '", StringComparison.Ordinal);
        return suffix < 0 ? message : message[..suffix];
    }

    // The client's name for one of the engine's options.
    private static string? Field(string? option) => option switch
    {
        null or "request" or "options" => null,
        nameof(GenerationOptions.StopStrings) => "stop",
        nameof(GenerationOptions.TopLogProbabilities) => "top_logprobs",
        nameof(GenerationOptions.ThinkingBudget.MaxTokens) => "thinking_budget",
        _ => JsonNamingPolicy.SnakeCaseLower.ConvertName(option),
    };

    private sealed class LogitBias : ILogitProcessor
    {
        private readonly (int Token, float Bias)[] _biases;

        public LogitBias(ServedModel model, Dictionary<string, float> biases) => _biases =
        [
            .. biases.Select(b => int.TryParse(b.Key, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && id < model.VocabularySize
                ? (id, b.Value)
                : throw ApiException.BadRequest($"'{b.Key}' is not a token id; the vocabulary has {model.VocabularySize}.", "logit_bias")),
        ];

        public void Process(ReadOnlySpan<int> prompt, ReadOnlySpan<int> answer, Span<float> logits)
        {
            foreach ((int token, float bias) in _biases)
            {
                logits[token] += bias;
            }
        }
    }
}
