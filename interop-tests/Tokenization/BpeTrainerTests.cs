using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Tokenization;

public class BpeTrainerTests
{
    private static readonly string[] s_special = ["<begin_of_document>", "<beginning_of_sentence>", "<end_of_sentence>"];

    /// <summary>Counted by hand: "ab" 5 times, then "abc" 3, then "xab" 2; ids follow the 256 bytes.</summary>
    [Fact]
    public void TheMostFrequentPairMergesFirst()
    {
        var tokenizer = Train(["abc", "abc", "abc", "xab", "xab"], size: 262);
        Assert.Equal(["ab", "abc", "xab"], Enumerable.Range(256, 3).Select(tokenizer.IdToToken));
        Assert.Equal(s_special, Enumerable.Range(259, 3).Select(tokenizer.IdToToken));
        Assert.Equal(262, tokenizer.VocabularySize);
    }

    [Fact]
    public void EveryWordOfASmallVocabularyBecomesOneToken()
    {
        string[] words = [" true", " false", " and", " not", " or", " (", " )", " Ann", " says", " honest", " ->", "24", "close", "\n"];
        var texts = Enumerable.Range(0, 300).Select(i => $"close{words[i % 13]}{words[(i * 7) % 13]}\n");
        var tokenizer = Train(texts, size: 1000);
        Assert.All(words, word => Assert.Single(tokenizer.Encode(word)));
        Assert.InRange(tokenizer.VocabularySize, 270, 400);
    }

    [Fact]
    public void TheOrderOfTextsDoesNotMatter()
    {
        using var one = new TemporaryFolder();
        using var other = new TemporaryFolder();
        Train(Goldens.Paragraphs, 500).Save(one.Path);
        Train(Goldens.Paragraphs.Reverse(), 500).Save(other.Path);
        Assert.Equal(File.ReadAllText(Path.Combine(one.Path, "tokenizer.json")), File.ReadAllText(Path.Combine(other.Path, "tokenizer.json")));
    }

    [Fact]
    public void TrainingGivesTheGoldenTokenizerAgain()
    {
        using var folder = new TemporaryFolder();
        Train(Goldens.Paragraphs, 600).Save(folder.Path);
        Assert.Equal(Goldens.TokenizerJson, File.ReadAllText(Path.Combine(folder.Path, "tokenizer.json")));
    }

    [Fact]
    public void AddedTokensAreWholeAndNotLearnedFrom()
    {
        var options = new BpeTrainerOptions { VocabularySize = 300, AddedTokens = ["<think>", "</think>"] };
        var tokenizer = BpeTrainer.Train(["<think>easy</think>", "<think>easy</think>"], options);
        var ids = tokenizer.Encode("<think>easy</think><end_of_sentence>");
        Assert.Equal(4, ids.Length);
        Assert.Equal("<think>easy</think>", tokenizer.Decode(ids, skipSpecialTokens: true));
        Assert.Null(tokenizer.TokenToId("think"));
        Assert.Equal(s_special, tokenizer.SpecialTokens.Select(token => token.Content));
    }

    [Fact]
    public void NoTextLeavesTheBytes() => Assert.Equal(259, Train([], 1000).VocabularySize);

    [Fact]
    public void BadOptionsAreRefused()
    {
        Assert.Contains("258", Refused(new() { VocabularySize = 258 }));
        Assert.Contains("'<a>' is named twice", Refused(new() { VocabularySize = 300, AddedTokens = ["<a>", "<a>"] }));
        Assert.Contains("must be text", Refused(new() { VocabularySize = 300, AddedTokens = [""] }));
        Assert.Contains("must be text", Refused(new() { VocabularySize = 300, AddedTokens = ["\ud800"] }));
        Assert.Contains("pad_token '<pad>'", Refused(new() { VocabularySize = 300, PadToken = "<pad>" }));
        Assert.Throws<FormatException>(() => BpeTrainer.Train([], new() { VocabularySize = 300, Pattern = "(" }));

        static string Refused(BpeTrainerOptions options) =>
            Assert.Throws<ArgumentException>(() => BpeTrainer.Train(["text"], options)).Message;
    }

    [Fact]
    public void TrainingCanBeCancelled() => Assert.Throws<OperationCanceledException>(() =>
        BpeTrainer.Train(["text"], new() { VocabularySize = 300 }, new CancellationToken(canceled: true)));

    private static Tokenizer Train(IEnumerable<string> texts, int size) =>
        BpeTrainer.Train(texts, new BpeTrainerOptions { VocabularySize = size });
}
