using FsCheck;
using FsCheck.Xunit;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Near-duplicates, contamination, and the schedule of continual pretraining.</summary>
public sealed class DataHygieneTests
{
    private static readonly string s_article = string.Join(' ', Enumerable.Range(0, 60).Select(i => $"word{i}"));

    [Fact]
    public void A_text_with_one_word_changed_is_a_duplicate_and_another_text_is_not()
    {
        string changed = s_article.Replace("word30 ", "other ", StringComparison.Ordinal).ToUpperInvariant();
        string[] texts = [s_article, "quite another text about other things entirely", changed, s_article + "!", "quite another text about other things altogether"];
        IReadOnlyList<NearDuplicate> found = NearDuplicates.Find(texts);
        Assert.Equal([(2, 0), (3, 0)], found.Select(d => (d.Index, d.Of)));

        // 56 runs of five words, of which one changed word takes five away on either side.
        Assert.Equal(51.0 / 61, found[0].Similarity, 9);
        Assert.Equal(1, found[1].Similarity);
        Assert.Equal([0, 1, 4], Kept(NearDuplicates.Remove(Examples(texts))));
        Assert.Empty(NearDuplicates.Find(texts[..3], new NearDuplicateOptions { Threshold = 0.9 }));
    }

    [Property(MaxTest = 30)]
    public bool What_is_found_is_similar_whatever_the_seed_and_copies_are_always_found(ulong seed, NonEmptyString first, NonEmptyString second)
    {
        string[] texts = [first.Get, s_article, second.Get, first.Get, second.Get];
        IReadOnlyList<NearDuplicate> found = NearDuplicates.Find(texts, new NearDuplicateOptions { Seed = seed });
        return found.All(d => d.Similarity >= 0.8 && d.Of < d.Index) && new[] { 3, 4 }.All(i => found.Any(d => d.Index == i));
    }

    [Fact]
    public void Ideographs_are_words_so_that_a_sentence_is_not_one()
    {
        string[] texts = ["今天天气很好我们一起去公园散步吧然后喝茶再回家看书", "今天天气很好我们一起去公园散步吧然后喝茶再回家看报"];
        Assert.Equal(0.9, NearDuplicates.Find(texts, new NearDuplicateOptions { ShingleWords = 3 }).Single().Similarity, 1);
    }

    [Fact]
    public void Thirteen_words_in_common_with_the_evaluation_are_found_and_twelve_are_not()
    {
        string[] words = s_article.Split(' ');
        var decontamination = new Decontamination([s_article, "one two three four five six seven eight nine", "too short to be looked for"]);
        string Sharing(int count) => "before " + string.Join(", ", words[20..(20 + count)]).ToUpperInvariant() + " after";
        Assert.Equal(string.Join(' ', words[20..33]), decontamination.Overlap(Sharing(13)));
        Assert.Null(decontamination.Overlap(Sharing(12)));
        Assert.NotNull(decontamination.Overlap("He counted: one two three four five six seven eight nine!"));
        Assert.Null(decontamination.Overlap("He counted: one two three four five six seven eight."));
        Assert.Equal(1, decontamination.TooShort);
        Assert.NotNull(new Decontamination([s_article], n: 5).Overlap(Sharing(5)));
        Assert.Equal([1], Kept(decontamination.Clean(Examples([Sharing(14), Sharing(3)]))));
    }

    [Fact]
    public void Continual_pretraining_follows_the_report_in_small()
    {
        LearningRateSchedule rate = ContinualPretraining.LearningRate(750);
        Assert.Equal([8e-5f, 8e-5f], [rate.At(0), rate.At(249)]);
        Assert.Equal(4.4e-5f, rate.At(500), 7);
        Assert.Equal(8e-6f, rate.At(750), 8);
        Assert.Equal(
            [(1 << 15, 25), (1 << 17, 25), (1 << 18, 25), (1 << 20, 28)],
            ContinualPretraining.ContextStages(103).Select(s => (s.ContextTokens, s.Steps)));
    }

    [Fact]
    public void Each_stage_has_its_steps_and_sequences_of_its_length()
    {
        Tokenizer tokenizer = BpeTrainer.Train(["a b c"], new BpeTrainerOptions { VocabularySize = 300 });
        IReadOnlyList<ContextStage> stages = ContinualPretraining.ContextStages(13, first: 8, last: 64, stages: 4);
        IReadOnlyList<IReadOnlyList<TrainingSequence>> plan = ContinualPretraining.Plan(Examples([s_article, s_article[..100]]), tokenizer, stages, 64, 1);
        Assert.Equal(13, plan.Count);
        int at = 0;
        foreach (ContextStage stage in stages)
        {
            TrainingSequence[] sequences = [.. plan.Skip(at).Take(stage.Steps).SelectMany(batch => batch)];
            Assert.Equal(stage.ContextTokens, sequences.Max(s => s.Tokens.Length));
            at += stage.Steps;
        }
    }

    private static TrainingExample[] Examples(string[] texts) => [.. texts.Select((text, i) => new TextExample(text, $"{i}"))];

    private static IEnumerable<int> Kept(IEnumerable<TrainingExample> examples) => examples.Select(e => int.Parse(e.Source, System.Globalization.CultureInfo.InvariantCulture));
}
