using System.Text.Json;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Training;

/// <summary>Two answers to one prompt, of which the first is the better one.</summary>
public sealed record PreferencePair(TrainingSequence Chosen, TrainingSequence Rejected)
{
    /// <summary>Tokens of both.</summary>
    public int Tokens => Chosen.Tokens.Length + Rejected.Tokens.Length;
}

/// <summary>
/// Users' preferences: a file with a JSON object on each line, {"prompt", "chosen", "rejected"}, or {"messages", "chosen", "rejected"} where a
/// conversation led up to the answers.
/// </summary>
public static class PreferenceData
{
    /// <summary>The pairs as tokens, in the order of the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="tokenizer">Its chat template counts; M1's where it has none.</param>
    /// <param name="maxTokens">Tokens of a sequence at most.</param>
    /// <exception cref="InvalidDataException">A line is not of the form, or too long, or there is none; names the file and the line.</exception>
    public static IReadOnlyList<PreferencePair> Read(string path, Tokenizer tokenizer, int maxTokens) => JsonLines.Read(path, (line, source) =>
    {
        JsonLines.Allow(line, "messages", "prompt", "chosen", "rejected");
        IReadOnlyList<ChatMessage> prompt = (JsonLines.TryText(line, "prompt"), JsonLines.TryGet(line, "messages")) switch
        {
            ({ } text, null) => [new ChatMessage("user", text)],
            (null, { } messages) => TrainingData.Messages(messages),
            _ => throw new ArgumentException("a line has either 'prompt' or 'messages'"),
        };
        return new PreferencePair(Answered(JsonLines.Text(line, "chosen")), Answered(JsonLines.Text(line, "rejected")));

        // Of earlier answers in the conversation both sequences have the same tokens, which a comparison takes out again.
        TrainingSequence Answered(string answer) =>
            new ChatExample([.. prompt, new ChatMessage("assistant", answer)], [], source).Encode(tokenizer, maxTokens).Single();
    });
}
