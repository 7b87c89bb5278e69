using System.Text.Json.Nodes;
using FsCheck.Xunit;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

public sealed class WordSortingTests
{
    private const string Latin = "abcdefghijklmnopqrstuvwxyz";
    private static readonly IReasoningTask Task = TaskRegistry.Get("word_sorting");

    private static (string Alphabet, string[] Words) Parts(TaskInstance instance)
    {
        var data = instance.Puzzle.ToJson();
        return (data["alphabet"]!.GetValue<string>(), [.. data["words"]!.AsArray().Select(word => word!.GetValue<string>())]);
    }

    private static ulong Hash(string alphabet, params string[] words) => new TaskInstance(Task.Name, "", 1, Task.ReadPuzzle(new JsonObject
    {
        ["alphabet"] = alphabet,
        ["words"] = new JsonArray([.. words.Select(word => (JsonNode)word)]),
    }), "").CanonicalHash;

    [Property(MaxTest = 300)]
    public bool Sorting_the_transcribed_words_gives_the_solution(byte difficulty, ulong seed, bool spelled)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed);
        var (alphabet, words) = Parts(instance);
        var sorted = words.OrderBy(word => string.Concat(word.Select(c => Latin[alphabet.IndexOf(c)])), StringComparer.Ordinal).ToArray();
        return Task.Verify(instance, string.Join(spelled ? "，" : "\n", sorted)).Correct
            && instance.Solution.Replace(" ", "") == string.Join(',', sorted);
    }

    [Property(MaxTest = 200)]
    public bool Only_the_order_of_letters_counts(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed);
        var ((alphabet, words), rng) = (Parts(instance), new Rng(seed));
        var other = string.Concat(rng.Sample(Latin, alphabet.Length));
        var renamed = words.Select(word => string.Concat(word.Select(c => other[alphabet.IndexOf(c)])));
        return Hash(other, rng.Sample(renamed, words.Length)) == instance.CanonicalHash;
    }

    [Fact]
    public void Unused_letters_do_not_count_and_other_words_do()
    {
        Assert.Equal(Hash("ba", "b", "a"), Hash("bca", "b", "a"));
        ulong[] hashes = [Hash("ab", "a", "b"), Hash("ab", "aa", "b"), Hash("ab", "a", "bb"), Hash("ab", "a", "b", "ab"), Hash("ab", "a", "b", "ba")];
        Assert.Equal(hashes.Length, hashes.Distinct().Count());
    }

    [Fact]
    public void A_word_comes_before_its_continuations()
    {
        var puzzle = Task.ReadPuzzle(new JsonObject { ["alphabet"] = "ba", ["words"] = new JsonArray("ba", "b", "a", "bab") });
        var instance = new TaskInstance(Task.Name, "", 1, puzzle, "");
        Assert.True(Task.Verify(instance, "b, ba, bab, a").Correct);
        Assert.False(Task.Verify(instance, "ba, b, bab, a").Correct);
    }
}
