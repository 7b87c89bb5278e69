using FsCheck;
using FsCheck.Xunit;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

/// <summary>What every task has to keep, whatever its puzzle.</summary>
public sealed class TaskContractTests
{
    public static TheoryData<string> Names => [.. TaskRegistry.All.Select(task => task.Name)];

    private static TaskInstance Any(byte task, byte difficulty, ulong seed, PromptStyle style) =>
        TaskRegistry.All[task % TaskRegistry.All.Count].Generate((difficulty % 10) + 1, seed, style);

    [Property(MaxTest = 400)]
    public bool The_solution_of_a_generated_puzzle_verifies(byte task, byte difficulty, ulong seed)
    {
        var instance = Any(task, difficulty, seed, PromptStyle.Full);
        return TaskRegistry.Get(instance.Task).Verify(instance, instance.Solution).Correct;
    }

    [Property(MaxTest = 400)]
    public bool Demonstrations_of_every_style_earn_the_reward(byte task, byte difficulty, ulong seed)
    {
        var instance = Any(task, difficulty, seed, PromptStyle.Compact);
        return Enum.GetValues<DemonstrationStyle>().All(
            style => ResponseFormat.Score(instance, TaskRegistry.Get(instance.Task).Demonstrate(instance, style)).Reward == 1);
    }

    [Property(MaxTest = 400)]
    public bool Prompt_and_demonstration_keep_to_the_compact_words(byte task, byte difficulty, ulong seed)
    {
        var instance = Any(task, difficulty, seed, PromptStyle.Compact);
        var owner = TaskRegistry.Get(instance.Task);
        var words = TaskRegistry.CompactVocabulary([owner]).ToHashSet();
        return Enum.GetValues<DemonstrationStyle>().Select(style => owner.Demonstrate(instance, style)).Append(instance.Prompt)
            .SelectMany(text => text.Split(' ')).All(words.Contains);
    }

    [Property(MaxTest = 200)]
    public bool The_same_seed_gives_the_same_instance_and_the_style_changes_but_the_prompt(byte task, byte difficulty, ulong seed)
    {
        var (one, two) = (Any(task, difficulty, seed, PromptStyle.Full), Any(task, difficulty, seed, PromptStyle.Full));
        var compact = Any(task, difficulty, seed, PromptStyle.Compact);
        return one.ToJsonLine() == two.ToJsonLine()
            && compact.Prompt != one.Prompt
            && compact.Puzzle.ToJson().ToJsonString() == one.Puzzle.ToJson().ToJsonString()
            && compact.Solution == one.Solution;
    }

    [Property(MaxTest = 400)]
    public bool An_instance_survives_a_line_of_JSON(byte task, byte difficulty, ulong seed)
    {
        var instance = Any(task, difficulty, seed, PromptStyle.Full);
        var back = TaskRegistry.ReadLine(instance.ToJsonLine());
        return back.ToJsonLine() == instance.ToJsonLine()
            && back.CanonicalHash == instance.CanonicalHash
            && TaskRegistry.Get(back.Task).Demonstrate(back) == TaskRegistry.Get(back.Task).Demonstrate(instance);
    }

    [Property(MaxTest = 1000)]
    public bool A_damaged_line_is_refused_or_still_holds_a_solved_puzzle(byte task, byte difficulty, ulong seed, ushort at, char replacement)
    {
        var instance = Any(task, difficulty, seed, PromptStyle.Compact);
        var line = instance.ToJsonLine();
        var damaged = $"{line[..(at % line.Length)]}{replacement}{line[((at % line.Length) + 1)..]}";
        try
        {
            var read = TaskRegistry.ReadLine(damaged);
            return TaskRegistry.Get(read.Task).Verify(read, read.Solution).Correct;
        }
        catch (FormatException e)
        {
            return e.Message.Length > 0;
        }
    }

    [Property(MaxTest = 2000)]
    public bool The_verifier_says_something_of_any_text(byte task, byte difficulty, ulong seed, NonNull<string> text, ushort at)
    {
        var instance = Any(task, difficulty, seed, PromptStyle.Compact);
        var owner = TaskRegistry.Get(instance.Task);
        var spliced = instance.Solution.Insert(at % instance.Solution.Length, text.Get);
        return owner.Verify(instance, text.Get).Reason.Length > 0 && owner.Verify(instance, spliced).Reason.Length > 0;
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_verifier_stands_very_long_and_very_deep_answers(string name)
    {
        var task = TaskRegistry.Get(name);
        var instance = task.Generate(1, 1);
        foreach (var piece in new[] { "(", ")", "1", "not ", "-", ",", "\0", "\ud800", "1+(" })
        {
            Assert.False(task.Verify(instance, string.Concat(Enumerable.Repeat(piece, 1000))).Correct);
            Assert.Equal("too long", task.Verify(instance, string.Concat(Enumerable.Repeat(piece, 100_000))).Reason);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Both_languages_and_all_templates_occur(string name)
    {
        var openings = Enumerable.Range(0, 200).Select(seed => TaskRegistry.Get(name).Generate(3, (ulong)seed).Prompt[..4]).ToHashSet();
        Assert.Contains(openings, opening => opening.Any(c => c > 0x4E00));
        Assert.Contains(openings, opening => opening.All(char.IsAscii));
        Assert.True(openings.Count >= 4, string.Join('|', openings));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Difficulty_is_1_to_10_and_instances_belong_to_their_task(string name)
    {
        var task = TaskRegistry.Get(name);
        Assert.Throws<ArgumentOutOfRangeException>(() => task.Generate(0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => task.Generate(11, 1));
        var foreign = TaskRegistry.All.First(other => other.Name != name).Generate(1, 1);
        Assert.Throws<ArgumentException>(() => task.Verify(foreign, "1"));
        Assert.Throws<ArgumentException>(() => task.Demonstrate(foreign));
        Assert.Throws<ArgumentException>(() => TaskRegistry.Get(name + "?"));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Ten_kinds_of_wrong_answers_are_wrong_at_every_difficulty(string name)
    {
        var task = TaskRegistry.Get(name);
        for (var difficulty = 1; difficulty <= 10; difficulty++)
        {
            for (var seed = 0UL; seed < 20; seed++)
            {
                var instance = task.Generate(difficulty, seed);
                var wrong = WrongAnswers.For(instance);
                Assert.True(wrong.Count >= 10, $"{name} has only {wrong.Count} wrong answers");
                Assert.All(wrong, answer => Assert.False(task.Verify(instance, answer).Correct, $"'{answer}' passes for {instance.ToJsonLine()}"));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Two_hundred_seeds_of_each_task_hold(string name)
    {
        var task = TaskRegistry.Get(name);
        var words = TaskRegistry.CompactVocabulary([task]).ToHashSet();
        for (var seed = 0UL; seed < 200; seed++)
        {
            var instance = task.Generate((int)(seed % 10) + 1, seed, PromptStyle.Compact);
            Assert.Equal("correct", task.Verify(instance, instance.Solution).Reason);
            Assert.Equal(1, ResponseFormat.Score(instance, task.Demonstrate(instance)).Reward);
            Assert.All($"{instance.Prompt} {task.Demonstrate(instance)}".Split(' '), word => Assert.Contains(word, words));
            var back = TaskRegistry.ReadLine(instance.ToJsonLine());
            Assert.Equal((instance.ToJsonLine(), instance.CanonicalHash), (back.ToJsonLine(), back.CanonicalHash));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Puzzles_of_medium_difficulty_seldom_repeat(string name) =>
        Assert.InRange(Enumerable.Range(0, 100).Select(seed => TaskRegistry.Get(name).Generate(5, (ulong)seed).CanonicalHash).Distinct().Count(), 75, 100);

    /// <summary>A seed gives the same puzzle for ever: whoever changes a generator has to change these on purpose.</summary>
    [Theory]
    [InlineData("boolean_expressions", "aca7a2c9a6df929f 1e9174ee2695c068 3e60106768d2d014 eba8efc828d82b6a")]
    [InlineData("dyck_language", "e0027201db85e3fe 208610066cbb3ac1 59b8e26d770226d6 997d0302d20ee67d")]
    [InlineData("web_of_lies", "45c47279d9302a6e 29865bfb95cd3b77 36c24b48fe4f0996 9e4ff6786cc1a2e2")]
    [InlineData("game_of_24", "f504f1e3ab1fe93a 4b97db43505f11e7 307a08a58ba0f7ee 0a50b6ae17f0d491")]
    [InlineData("sudoku", "517881b822809c76 73905a69099727b7 a2c68b400aaa378c f71e00012ba36dfc")]
    [InlineData("word_sorting", "f43f276215955614 985b41cf516aacf4 e46fa77e88f747f8 40a4ec1d5244c870")]
    [InlineData("arc_agi", "acc4af9cb52b79d6 41a849fb07da68d4 46d5db1fa951006a a69fb8429fc4279c")]
    [InlineData("number_wall", "6c56bffe4972777f 9cedcd518c30bc02 0f8e2cb1488e35ad f75ab916bfabe0ef")]
    [InlineData("numbrix", "2bfaa8f21ca181e8 6fb6989eb7919ece 1d0a1cb17d39ad69 e14ea8b015514e7c")]
    [InlineData("object_counting", "30835204b90fd1f4 5d1f9c08f968e49f fc3466fb1d92a368 817d55507ce68e6f")]
    [InlineData("object_properties", "965850a46d820f8b fb9012574a54468e bdc57cf3c6163fb7 a341d72d31ca020f")]
    [InlineData("operation", "22a520955ae2f8f5 9bf95932c750baf0 e85a7f1f5a2f7a68 3a206668a7127c7d")]
    [InlineData("skyscraper_puzzle", "df7469e5c108867a 2cfde408dca0ffaf 1202101dbf562cad c66627bf00bb59b0")]
    [InlineData("space_reasoning", "0fe038610f67ed6f 3037e254e5906503 b0796958eb3be462 2713cfeb7854522e")]
    [InlineData("space_reasoning_tree", "f21ab942398b7d03 fbb6e2b3469783da 6d203b66690fe23e 3f3b3fb7d6b24c28")]
    [InlineData("star_placement", "510393e081e4b7f6 c9058e163c4a075f ca9f0f9ce2d127bf c2921d1c22cbf63d")]
    [InlineData("survo", "e589b877f6dfa861 d9b43a971a728afa dac5937f7ac35d59 7d1c197273fad9e3")]
    [InlineData("time_sequence", "f623722ad6a0e21a 558cf74c7a499f93 6e5fd59eb965605d 4a7bd856897395e0")]
    [InlineData("word_sorting_mistake", "280009ea692f45e3 f7f76e7b75db816b f5e60f0655f4a230 9c119e41cbdb069b")]
    [InlineData("wordscapes", "fed1486775344468 01a6b88754e4b480 3ae51d5bddef8cfc e6f945cd371043d8")]
    [InlineData("zebra_puzzle", "f3f266e6a7312ed5 057ce07fd5ea913b b97162692942d925 14e328f21f569a4e")]
    [InlineData("arrow_maze", "63e0e3791a15984c 9320600bef01408c 36052782a0902108 58dd76a380cad145")]
    [InlineData("buggy_tables", "a644ba04a20af855 0998d00f6d56d7ac 5321aedff1e84043 3d038b9d6439dff2")]
    [InlineData("calcudoko", "3cb9b84e3d7d70ce 0ae58e20711571d0 f47670adb10b4fd3 730129c28a8a16e2")]
    [InlineData("campsite", "d426c74b3651dab0 faa52106ac391819 9d117ae1082c44ee 4b24c949b9b948ec")]
    [InlineData("cipher", "eefc54a3179b7099 1e4dbcc2053a58a7 ad7d26765b3d60cc b21210c0956acade")]
    [InlineData("cryptarithm", "cfb6945cb5926225 ae4063c1f3d038b4 e98bed2f4726ccd8 273190726744c4f3")]
    [InlineData("dyck_language_errors", "f732cfb95b7e0fe4 c9b28d32d9cab708 34e80147a3c23a5c d2a189c9cb154565")]
    [InlineData("dyck_language_reasoning_errors", "36d3ccac3e5ba917 999081e984ac0c1a e1c30ea3228c699a 23c849ef57fcb2f0")]
    [InlineData("futoshiki", "2d89ecd0b8bac6ce 3f78ab904c39ee34 0635aa94f839233c 480e92de8bc7c991")]
    [InlineData("goods_exchange", "d55e66376ceccf46 319fa48b921db47c 960fd793b004d405 6099b22219aa9d6c")]
    [InlineData("kukurasu", "6afeb295f102a425 6efdb537e16b5ceb ef2a6309c5439de3 a1b6d4281f68aad8")]
    [InlineData("math_path", "73a449c6fe495af4 688aaaa3cb9eeb55 1468934dfc8d386e 7d604479b0f3840a")]
    [InlineData("minesweeper", "9bee31681b5e4fd6 fcd7bbee8d03bf97 c1d18ee8022d2ac0 c619ae54df9ee39f")]
    [InlineData("norinori", "97011e6610473017 3aea0392e9fabf4b 281bcaab32d8fe4b d5c5d6122cd85b9d")]
    public void Seeds_keep_their_puzzles(string name, string expected)
    {
        var hashes = new[] { (1, 1UL), (3, 12345UL), (7, ulong.MaxValue), (10, 0UL) }
            .Select(at => $"{TaskRegistry.Get(name).Generate(at.Item1, at.Item2).CanonicalHash:x16}");
        Assert.Equal(expected, string.Join(' ', hashes));
    }

    [Fact]
    public void The_compact_vocabulary_is_small_and_closed()
    {
        string[] five = ["boolean_expressions", "dyck_language", "web_of_lies", "game_of_24", "sudoku"];
        var vocabulary = TaskRegistry.CompactVocabulary(five.Select(TaskRegistry.Get));
        Assert.Equal(
            "<think> </think> <answer> </answer> easy which ? A B C D E F : true false and or not ( ) = ; none close [ { < ] } > "
            + "who says honest liar . -> Ann Bob Cal Dan Eve Fay Gus Hal Ida Jim Kay Leo Meg Ned Oli Pam Ray Sue "
            + $"make from + - * / | _ yes no {string.Join(' ', Enumerable.Range(0, 37))} "
            + $"fill {string.Join(' ', "abcdefghi".SelectMany(row => Enumerable.Range(1, 9).Select(column => $"{row}{column}")))}",
            string.Join(' ', vocabulary));
        Assert.Equal(184, vocabulary.Count);
        Assert.Equal(vocabulary.Count, vocabulary.Distinct().Count());
    }
}
