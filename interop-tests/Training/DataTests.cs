using FsCheck;
using FsCheck.Xunit;
using MiniMaxSharp.Tests.Checkpoints;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Users' lines as sequences: what is read, what is learnt, how it is packed.</summary>
public sealed class DataTests : IDisposable
{
    private static readonly Tokenizer s_tokenizer = BpeTrainer.Train(["a b c"], new BpeTrainerOptions { VocabularySize = 300 });
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void All_three_forms_are_read_from_one_file()
    {
        IReadOnlyList<TrainingExample> examples = Read(
            "\ufeff" + """{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}]}""",
            """{"prompt": "Ünï", "completion": "\ud83d\ude00"}""",
            """{"text": "once", "prompt": null}""");
        Assert.Equal(["Hi\nHello", "Ünï\n😀", "once"], examples.Select(e => e.Content));
        Assert.Equal($"{_folder["data.jsonl"]}, line 3", examples[2].Source);
    }

    [Fact]
    public void Of_a_chat_the_assistants_tokens_are_learnt_and_no_other()
    {
        TrainingSequence sequence = Encode(
            """
            {"messages": [{"role": "user", "content": "2 and 3?"}, {"role": "assistant", "content": "5"}, {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "And 4?"}, {"role": "assistant", "content": "9"}, {"role": "user", "content": "Thanks"}]}
            """.ReplaceLineEndings(" ")).Single();
        Assert.Equal(
            $"5{ChatTemplate.EndOfSentence}9{ChatTemplate.EndOfSentence}",
            s_tokenizer.Decode([.. sequence.Tokens.Where((_, i) => sequence.Scored[i])]));
        Assert.Equal(
            ChatTemplate.MiniMaxM1.Render([
                new("system", "Be brief."), new("user", "2 and 3?"), new("assistant", "5"), new("user", "And 4?"), new("assistant", "9")]).TrimEnd('\n'),
            s_tokenizer.Decode(sequence.Tokens));
    }

    [Fact]
    public void Calls_of_tools_are_learnt_and_their_results_are_not()
    {
        TrainingSequence sequence = Encode(
            """
            {"tools": [{"name": "add", "description": "adds", "parameters": {"type": "object"}}], "messages": [{"role": "user", "content": "2+3"},
            {"role": "assistant", "content": null, "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": "{\"a\": 2}"}}]},
            {"role": "tool", "name": "add", "content": "5"}, {"role": "assistant", "content": "five"}]}
            """.ReplaceLineEndings(" ")).Single();
        string learnt = s_tokenizer.Decode([.. sequence.Tokens.Where((_, i) => sequence.Scored[i])]);
        Assert.Equal(
            ChatMessage.Assistant("", [new ChatToolCall("add", """{"a": 2}""")]).Content[0].Text + ChatTemplate.EndOfSentence + "five" + ChatTemplate.EndOfSentence,
            learnt);
        Assert.Contains("tool result: 5", s_tokenizer.Decode(sequence.Tokens), StringComparison.Ordinal);
    }

    [Fact]
    public void A_completion_becomes_the_tokens_that_the_model_would_generate()
    {
        TrainingSequence sequence = Encode("""{"prompt": "a b", "completion": " c"}""").Single();
        int[] prompt = s_tokenizer.Encode(ChatTemplate.MiniMaxM1.Render([new ChatMessage("user", "a b")], addGenerationPrompt: true));
        int[] answer = s_tokenizer.Encode(" c" + ChatTemplate.EndOfSentence);
        Assert.Equal([.. prompt, .. answer], sequence.Tokens);
        Assert.Equal(answer.Length, sequence.ScoredTokens);
        Assert.All(sequence.Scored[^answer.Length..], Assert.True);
    }

    [Property(MaxTest = 50)]
    public bool Pieces_of_a_text_score_each_token_but_the_first_once(NonEmptyString text, PositiveInt length)
    {
        int most = length.Get + 1;
        IReadOnlyList<TrainingSequence> pieces = new TextExample(text.Get, "here").Encode(s_tokenizer, most);
        int[] whole = [s_tokenizer.BosTokenId!.Value, .. s_tokenizer.Encode(text.Get), s_tokenizer.EosTokenId!.Value];
        return pieces.All(p => p.Tokens.Length <= most)
            && pieces.SelectMany(p => p.Tokens.Where((_, i) => p.Scored[i])).SequenceEqual(whole.Skip(1));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("{\"prompt\": \"a\"", "")]
    [InlineData("[1]", "Object")]
    [InlineData("{\"prompt\": \"a\"}", "'completion' is missing")]
    [InlineData("{\"prompt\": \"a\", \"completion\": 3}", "'completion' must be of kind String")]
    [InlineData("{\"prompt\": \"a\", \"completion\": \"b\", \"text\": \"c\"}", "either")]
    [InlineData("{\"prompt\": \"a\", \"completion\": \"b\", \"x\": 1}", "'x'")]
    [InlineData("{\"prompt\": \"a\", \"prompt\": \"b\", \"completion\": \"c\"}", "prompt")]
    [InlineData("{\"messages\": [{\"role\": \"user\", \"content\": \"a\", \"reasoning\": \"b\"}]}", "'reasoning'")]
    [InlineData("{\"messages\": [{\"role\": \"user\", \"tool_calls\": []}]}", "'user'")]
    [InlineData("{\"messages\": [{\"content\": \"a\"}]}", "'role' is missing")]
    [InlineData("{\"text\": \"\\ud800\"}", "")]
    [InlineData("{}", "either")]
    public void A_line_that_is_none_of_the_forms_is_refused_by_file_and_line(string line, string named)
    {
        var error = Assert.Throws<InvalidDataException>(() => Read("""{"text": "good"}""", line, """{"text": "good"}"""));
        Assert.StartsWith($"{_folder["data.jsonl"]}, line 2: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}]}""", "assistant's")]
    [InlineData("""{"prompt": "a", "completion": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}""", "64 are allowed")]
    public void An_example_that_cannot_be_learnt_is_refused_by_file_and_line(string line, string named)
    {
        var error = Assert.Throws<InvalidDataException>(() => Encode(line));
        Assert.StartsWith($"{_folder["data.jsonl"]}, line 1: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_that_are_not_text_and_files_without_lines_are_refused()
    {
        File.WriteAllBytes(_folder["data.jsonl"], [.. "{\"text\": \"a"u8, 0xff, .. "\"}\n"u8]);
        Assert.Contains("line 1", Assert.Throws<InvalidDataException>(() => TrainingData.Read(_folder["data.jsonl"])).Message, StringComparison.Ordinal);
        File.WriteAllText(_folder["data.jsonl"], "");
        Assert.Contains("no lines", Assert.Throws<InvalidDataException>(() => TrainingData.Read(_folder["data.jsonl"])).Message, StringComparison.Ordinal);
    }

    [Property(MaxTest = 50)]
    public bool A_plan_takes_every_sequence_once_an_epoch_and_cuts_none(PositiveInt[] lengths, PositiveInt tokens, ulong seed)
    {
        TrainingSequence[] sequences = [.. lengths.Select((l, i) => new TrainingSequence(TinyModels.Ids(i, l.Get + 1), 1))];
        IReadOnlyList<IReadOnlyList<TrainingSequence>> plan = Batches.Plan(sequences, tokens.Get, 2, seed);
        TrainingSequence[] taken = [.. plan.SelectMany(step => step)];
        return plan.All(step => step.Count == 1 || step.Sum(s => s.Tokens.Length) <= tokens.Get)
            && taken.Length == 2 * sequences.Length
            && taken[..sequences.Length].ToHashSet().SetEquals(sequences) && taken[sequences.Length..].ToHashSet().SetEquals(sequences)
            && plan.SelectMany(step => step).SequenceEqual(Batches.Plan(sequences, tokens.Get, 2, seed).SelectMany(step => step));
    }

    private IReadOnlyList<TrainingExample> Read(params string[] lines)
    {
        File.WriteAllText(_folder["data.jsonl"], string.Join('\n', lines) + "\n");
        return TrainingData.Read(_folder["data.jsonl"]);
    }

    private IReadOnlyList<TrainingSequence> Encode(string line) => TrainingData.Encode(Read(line), s_tokenizer, line.Contains("bbb", StringComparison.Ordinal) ? 64 : 4096);
}
