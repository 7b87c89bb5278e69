using System.Text.Json;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Training;

/// <summary>One line of a user's data, before it becomes tokens.</summary>
/// <param name="Source">Where it comes from, for messages: the file and the line.</param>
public abstract record TrainingExample(string Source)
{
    /// <summary>All that is said in it, for comparing examples.</summary>
    public abstract string Content { get; }

    /// <summary>The example as tokens, with marks on those that are learnt.</summary>
    /// <param name="tokenizer">Its chat template counts; M1's where it has none.</param>
    /// <param name="maxTokens">Tokens of a sequence at most, at least 2.</param>
    /// <exception cref="InvalidDataException">It does not fit, or nothing in it is to be learnt; names the file and the line.</exception>
    public abstract IReadOnlyList<TrainingSequence> Encode(Tokenizer tokenizer, int maxTokens);

    private protected InvalidDataException Error(string problem) => new($"{Source}: {problem}.");
}

/// <summary>
/// A conversation. What the assistant would have generated is learnt: each of its answers, with the token that ends it. Prompts and
/// answers become tokens apart from each other, as they do when the model answers.
/// </summary>
/// <param name="Messages">The turns; at least one is the assistant's. What follows its last one is left out.</param>
/// <param name="Tools">What describes each tool.</param>
/// <param name="Source">See the base.</param>
public sealed record ChatExample(IReadOnlyList<ChatMessage> Messages, IReadOnlyList<JsonElement> Tools, string Source) : TrainingExample(Source)
{
    /// <inheritdoc/>
    public override string Content => string.Join('\n', Messages.SelectMany(m => m.Content).Select(part => part.Text));

    /// <inheritdoc/>
    public override IReadOnlyList<TrainingSequence> Encode(Tokenizer tokenizer, int maxTokens)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ChatTemplate template = tokenizer.ChatTemplate ?? ChatTemplate.MiniMaxM1;
        string whole = template.Render(Messages, Tools);
        var tokens = new List<int>();
        var scored = new List<bool>();
        int at = 0;
        for (int i = 0; i < Messages.Count; i++)
        {
            if (Messages[i].Role == "assistant")
            {
                int start = template.Render(UpTo(i), Tools, addGenerationPrompt: true).Length;
                int end = template.Render(UpTo(i + 1), Tools).Length - 1; // without the line break behind the turn
                Add(whole[at..start], score: false);
                Add(whole[start..end], score: true);
                at = end;
            }
        }

        return at == 0 ? throw Error("no message is the assistant's")
            : tokens.Count > maxTokens ? throw Error($"the conversation has {tokens.Count} tokens; {maxTokens} are allowed")
            : [new TrainingSequence([.. tokens], [.. scored])];

        // System messages stand in front of all turns, wherever they come in the list.
        ChatMessage[] UpTo(int end) => [.. Messages.Where((message, i) => i < end || message.Role == "system")];

        void Add(string text, bool score)
        {
            tokens.AddRange(tokenizer.Encode(text));
            scored.AddRange(Enumerable.Repeat(score, tokens.Count - scored.Count));
        }
    }
}

/// <summary>
/// A plain text, learnt whole, as in pretraining. Choice: it stands between the tokenizer's tokens for the beginning and the end of a
/// sequence, where it has such.
/// </summary>
/// <param name="Content">The text.</param>
/// <param name="Source">See the base.</param>
public sealed record TextExample(string Content, string Source) : TrainingExample(Source)
{
    /// <inheritdoc/>
    public override string Content { get; } = Content;

    /// <summary>A long text becomes several sequences; the last token of one begins the next, so that each but the first is learnt once.</summary>
    public override IReadOnlyList<TrainingSequence> Encode(Tokenizer tokenizer, int maxTokens)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokens, 2);
        int[] tokens = [.. Token(tokenizer.BosTokenId), .. tokenizer.Encode(Content), .. Token(tokenizer.EosTokenId)];
        if (tokens.Length < 2)
        {
            throw Error("the text is too short: the first token has nothing before it to be learnt from");
        }

        var pieces = new List<TrainingSequence>();
        for (int start = 0; start < tokens.Length - 1; start += maxTokens - 1)
        {
            pieces.Add(new TrainingSequence(tokens[start..Math.Min(start + maxTokens, tokens.Length)], promptLength: 1));
        }

        return pieces;

        static int[] Token(int? id) => id is { } token ? [token] : [];
    }
}
