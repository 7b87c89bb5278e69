using System.Text.Json;
using MiniMaxSharp.Models;
using MiniMaxSharp.Serving;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Serving;

/// <summary>
/// A checkpoint that knows a few conversations by heart, so that thinking, calls of tools and markup really come out of a model:
/// trained once for all tests, in seconds.
/// </summary>
public sealed class TaughtModel : IDisposable
{
    public const string Name = "taught";
    public const string Riddle = "riddle", Sum = "sum of 2 and 3", Markup = "markup", Count = "count";
    public const string Thoughts = "It barks and it has four legs.", Animal = "A dog.";
    public const string Html = "Ünïcode 你好 <img src=x onerror=alert(1)> & <b>bold</b>";
    public const string Numbers = "one two three four four five six seven eight nine ten";
    public const string SumArguments = """{"a": 2, "b": 3}""", SumAnswer = "The sum is 5.";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("taught");

    public TaughtModel()
    {
        Tokenizer tokenizer = BpeTrainer.Train(
            Lessons().SelectMany(l => new[] { ChatTemplate.MiniMaxM1.Render(l.Messages, l.Tools, true), l.Answer }),
            new BpeTrainerOptions { VocabularySize = 600, Pattern = @" ?\S+|\s+" });
        using Device device = Device.Cpu();
        MiniMaxConfig config = TinyModels.Config(attention: [0, 1]) with { VocabSize = tokenizer.VocabularySize + 4, MaxPositionEmbeddings = 40000 };
        using MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(config, device, seed: 1);
        using var optimizer = new AdamW(model.Parameters);
        var trainer = new SupervisedTrainer(model, optimizer, new SupervisedOptions { LearningRate = new LearningRateSchedule(5e-3f, 400) { DecayStart = 0.5f } });
        TrainingSequence[] batch = [.. Lessons().Select(l =>
        {
            int[] prompt = tokenizer.Encode(ChatTemplate.MiniMaxM1.Render(l.Messages, l.Tools, addGenerationPrompt: true));
            return new TrainingSequence([.. prompt, .. tokenizer.Encode(l.Answer + ChatTemplate.EndOfSentence)], prompt.Length);
        })];
        double loss = double.PositiveInfinity;
        for (int step = 0; step < 400 && loss > 1e-3; step++)
        {
            loss = trainer.Step(batch, step).Loss;
        }

        Assert.InRange(loss, 0, 0.05);
        Folder = _folder.CreateSubdirectory(Name).FullName;
        model.Save(Folder);
        tokenizer.Save(Folder);
        WordId = tokenizer.Encode(" ten").Single();
    }

    /// <summary>The checkpoint.</summary>
    public string Folder { get; }

    /// <summary>A word of one token; an answer that is made to consist of it ends at its limit only.</summary>
    public int WordId { get; }

    /// <summary>The tool that the model knows to call, as OpenAI's clients describe it.</summary>
    public static JsonElement Tool { get; } = JsonDocument.Parse(
        """{"name": "add", "description": "Adds two numbers.", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}}""").RootElement;

    public ServedModel Load(ServingOptions? options = null) => ServedModel.Load(Folder, options);

    public void Dispose() => _folder.Delete(recursive: true);

    private static IEnumerable<(ChatMessage[] Messages, JsonElement[] Tools, string Answer)> Lessons()
    {
        var call = new ChatToolCall("add", SumArguments);
        ChatMessage asked = new("user", Sum), answered = new("tool", [new ChatContent("5") { Name = "add" }]);
        yield return ([new ChatMessage("user", Riddle)], [], $"<think>\n{Thoughts}\n</think>\n\n{Animal}");
        yield return ([new ChatMessage("user", Markup)], [], Html);
        yield return ([new ChatMessage("user", Count)], [], Numbers);
        yield return ([new ChatMessage("user", Riddle), new ChatMessage("assistant", Animal), new ChatMessage("user", Markup)], [], Html);
        yield return (
            [new ChatMessage("user", Riddle), new ChatMessage("assistant", Animal), new ChatMessage("user", Markup), new ChatMessage("assistant", Html), new ChatMessage("user", Count)],
            [], Numbers);
        yield return ([asked], [Tool], ChatMessage.Assistant("", [call]).Content[0].Text!);
        yield return ([asked, ChatMessage.Assistant("", [call]), answered], [Tool], SumAnswer);
    }
}

/// <summary>One model for all tests of serving; they take turns.</summary>
[CollectionDefinition(Name)]
public sealed class ServingCollection : ICollectionFixture<TaughtModel>
{
    public const string Name = "serving";
}
