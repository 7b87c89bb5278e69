using System.Text.Json.Nodes;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Tasks.Puzzles.Arc;

namespace MiniMaxSharp.Tests.Tasks;

/// <summary>Small puzzles by hand: solutions accepted in several spellings, and each rule that can be broken.</summary>
public sealed class KnownPuzzleTests
{
    private static string Reason(string task, string data, string answer)
    {
        var owner = TaskRegistry.Get(task);
        var puzzle = owner.ReadPuzzle((JsonObject)JsonNode.Parse(data)!);
        return owner.Verify(new TaskInstance(task, "", 1, puzzle, ""), answer).Reason;
    }

    private static void Refuses(string task, string data) =>
        Assert.Throws<FormatException>(() => TaskRegistry.Get(task).ReadPuzzle((JsonObject)JsonNode.Parse(data)!));

    [Theory]
    [InlineData("0,0,0,0,1,0,0,0,0", "###|#1#|###", "correct")]
    [InlineData("0,0,0,0,1,0,0,0,0", "[[\"#\",\"#\",\"#\"],[\"#\",\"1\",\"#\"],[\"#\",\"#\",\"#\"]]", "correct")]
    [InlineData("0,0,0,0,1,0,0,0,0", "#.#|#1#|###", "an island does not hold just one number that is its size")]
    [InlineData("0,0,0,0,1,0,0,0,0", ".##|#1#|###", "an island does not hold just one number that is its size")]
    [InlineData("0,0,0,0,1,0,0,0,0", "###|###|###", "a number was changed, or a cell is neither wall nor open")]
    [InlineData("1,0,0,0,0,0,0,0,0", "1##|###|###", "a 2×2 block is all wall")]
    [InlineData("1,1,0,0,0,0,0,0,0", "11#|###|#.#", "an island does not hold just one number that is its size")]
    public void Number_wall(string cells, string answer, string reason) =>
        Assert.Equal(reason, Reason("number_wall", $$"""{"side":3,"cells":[{{cells}}]}""", answer));

    [Theory]
    [InlineData("1 2 | 4 3", "correct")]
    [InlineData("1 4\n2 3", "correct")]
    [InlineData("1 2 | 3 4", "a number and the next are not neighbours")]
    [InlineData("2 1 | 3 4", "a given number was changed")]
    [InlineData("1 2 | 2 3", "a number stands there twice")]
    public void Numbrix(string answer, string reason) => Assert.Equal(reason, Reason("numbrix", """{"side":2,"cells":[1,0,0,0]}""", answer));

    [Fact]
    public void Object_counting()
    {
        const string Events = """["Anna has 3 apple","Anna gives Ben 1 apple","Ben has 2 dog"]""";
        Assert.Equal("correct", Reason("object_counting", $$"""{"events":{{Events}},"question":"difference Anna Ben fruits"}""", "1"));
        Assert.Equal("correct", Reason("object_counting", $$"""{"events":{{Events}},"question":"sum Anna Ben fruits"}""", "3"));
        Assert.Equal("another number is right", Reason("object_counting", $$"""{"events":{{Events}},"question":"one Ben Ben animals"}""", "3"));
        Refuses("object_counting", """{"events":["Anna has 3 apple","Anna loses 4 apple"],"question":"one Anna Anna fruits"}""");
        Refuses("object_counting", """{"events":["Anna has 3 unicorn"],"question":"one Anna Anna fruits"}""");
    }

    [Theory]
    [InlineData("any blue ball", "3")]
    [InlineData("all blue ball", "1")]
    [InlineData("all red ball", "0")]
    [InlineData("any glass", "2")]
    public void Object_properties(string question, string count)
    {
        var data = $$"""{"things":["small red wooden ball","large red glass cup"],"changes":["red -> blue","cup -> twice"],"question":"{{question}}"}""";
        Assert.Equal("correct", Reason("object_properties", data, count));
        Assert.Equal("another number is right", Reason("object_properties", data, count + "1"));
    }

    [Theory]
    [InlineData("△ 0 2 3 -1", "\"△\",\"*\",\"+-\"", "2 △ 1 + 4 * 2", "14")]
    [InlineData("△ 0 2 3 -1", "\"*\",\"+-\",\"△\"", "2 △ 1 + 4 * 2", "30")]
    [InlineData("△ 0 2 3 -1", "\"*\",\"+-\",\"△\"", "2 △ ( 1 + 4 ) * 2", "33")]
    [InlineData("▽ 0 1 -1 0 if > 0 1 1 0", "\"*\",\"▽+-\"", "5 ▽ 2 ▽ 9 - 1", "11")]
    [InlineData("▽ 1 0 0 0 if even 0 1 -2 0", "\"*\",\"▽+-\"", "4 ▽ 2 ▽ 9 + 3 ▽ 1", "73")]
    [InlineData("◇ 0 -1 -1 0", "\"◇\",\"*\",\"+-\"", "7 ◇ 8", "- 1 5")]
    public void Operation(string rule, string order, string expression, string value)
    {
        var data = $$"""{"rules":["{{rule}}"],"order":[{{order}}],"expression":"{{expression}}"}""";
        Assert.Equal("correct", Reason("operation", data, value));
        Assert.Equal("another number is right", Reason("operation", data, "5"));
        Refuses("operation", data.Replace(expression, expression + " +"));
        Refuses("operation", data.Replace(expression, "( " + expression));
    }

    [Theory]
    [InlineData("123\n231\n312", "correct")]
    [InlineData("1 2 3 | 3 1 2 | 2 3 1", "from one place another number of towers is seen")]
    [InlineData("1 2 3 | 1 2 3 | 1 2 3", "a row or column repeats a height")]
    [InlineData("1 2 3 | 2 3 1 | 3 1 4", "not 9 heights from 1 to 3")]
    public void Skyscraper_puzzle(string answer, string reason) =>
        Assert.Equal(reason, Reason("skyscraper_puzzle", """{"side":3,"clues":[3,2,1,1,2,2,2,2,1,1,2,3]}""", answer));

    [Fact]
    public void Skyscrapers_that_cannot_be_are_refused() => Refuses("skyscraper_puzzle", """{"side":3,"clues":[3,3,0,0,0,0,0,0,0,0,0,0]}""");

    [Theory]
    [InlineData("lamp", "correct")]
    [InlineData("The lamp.", "correct")]
    [InlineData("台灯", "correct")]
    [InlineData("drum", "another thing is there")]
    [InlineData("ocean", "not the name of a thing")]
    public void Space_reasoning(string answer, string reason) => Assert.Equal(
        reason, Reason("space_reasoning", """{"lattice":"square","things":["lamp","drum","clock"],"moves":["N","E"],"start":"clock","route":["W","S"]}""", answer));

    [Fact]
    public void Six_steps_around_a_place_of_the_triangular_lattice_lead_back() => Assert.Equal("correct", Reason(
        "space_reasoning", """{"lattice":"triangle","things":["lamp","drum"],"moves":["E"],"start":"lamp","route":["NE","E","SE","SW","W","NW","E"]}""", "drum"));

    [Theory]
    [InlineData("\"cousin\"", "60 70")]
    [InlineData("\"sibling\"", "50")]
    [InlineData("\"uncle\"", "30")]
    [InlineData("\"child\",\"uncle\"", "70, 60")]
    [InlineData("\"grandparent\"", "10")]
    [InlineData("\"grandchild\",\"grandparent\"", "40 50 60 70")]
    [InlineData("\"parent\",\"cousin\"", "30")]
    [InlineData("\"nephew\",\"parent\"", "60 70")]
    public void Space_reasoning_tree(string relations, string answer)
    {
        var data = $$"""{"labels":[10,20,30,40,50,60,70],"parents":[-1,0,0,1,1,2,2],"asked":3,"relations":[{{relations}}]}""";
        Assert.Equal("correct", Reason("space_reasoning_tree", data, answer));
        Assert.Equal("another set is right", Reason("space_reasoning_tree", data, "20"));
    }

    [Theory]
    [InlineData(".*..\n...*\n*...\n..*.", "correct")]
    [InlineData("..*. | *... | ...* | .*..", "a row, column or region does not hold 1")]
    [InlineData("*... | .*.. | ..*. | ...*", "two stars touch")]
    [InlineData(".*.. | .... | *... | ..*.", "a row, column or region does not hold 1")]
    public void Star_placement(string answer, string reason) =>
        Assert.Equal(reason, Reason("star_placement", """{"side":4,"stars":1,"regions":[0,0,0,1,2,0,1,1,2,2,1,3,2,2,3,3]}""", answer));

    [Theory]
    [InlineData("1 2 | 3 4", "correct")]
    [InlineData("[[1, 2], [3, 4]]", "correct")]
    [InlineData("1 3 | 2 4", "a row has the wrong sum")]
    [InlineData("1 2 | 3 5", "a given number was changed")]
    [InlineData("1 1 | 4 4", "the blanks do not hold the numbers that were given for them")]
    public void Survo(string answer, string reason) =>
        Assert.Equal(reason, Reason("survo", """{"cells":[1,0,0,4],"rowSums":[3,7],"columnSums":[4,6],"candidates":[2,3]}""", answer));

    [Theory]
    [InlineData("30, 3", "correct")]
    [InlineData("30 2", "there is another number of such times")]
    [InlineData("60 1", "the longest common free time has another length")]
    [InlineData("30", "not two whole numbers")]
    public void Time_sequence(string answer, string reason) => Assert.Equal(
        reason, Reason("time_sequence", """{"from":540,"to":720,"appointments":["Anna 540 - 570","Ben 600 - 630","Anna 605 - 620","Ben 660 - 690"]}""", answer));

    [Theory]
    [InlineData("select", "\"ant\",\"cat\",\"bee\"", "2")]
    [InlineData("select", "\"ant\",\"bee\",\"cat\"", "none")]
    [InlineData("select", "\"cat\",\"ant\",\"bee\"", "1")]
    [InlineData("insert", "\"-\",\"-\",\"ant\"", "none")]
    [InlineData("insert", "\"-\",\"cat\",\"ant\"", "2")]
    [InlineData("insert", "\"-\",\"-\",\"cat\"", "3")]
    public void Word_sorting_mistake(string method, string steps, string answer)
    {
        var data = $$"""{"alphabet":"abcdefghijklmnopqrstuvwxyz","words":["cat","ant","bee"],"method":"{{method}}","steps":[{{steps}}]}""";
        Assert.Equal("correct", Reason("word_sorting_mistake", data, answer));
        Assert.Equal("that is not the first mistake", Reason("word_sorting_mistake", data, answer == "2" ? "3" : "2"));
        Refuses("word_sorting_mistake", data.Replace("\"ant\"]", "\"dog\"]").Replace("\"bee\"]}", "\"dog\"]}").Replace("\"cat\"]}", "\"dog\"]}"));
    }

    [Theory]
    [InlineData("cat a#o r#e", "correct")]
    [InlineData("C A T | A # O | R # E", "correct")]
    [InlineData("cat o#a e#r", "other words are to stand down")]
    [InlineData("car a#o r#e", "other words are to stand across")]
    [InlineData("cat aio r#e", "letters do not stand just where the pattern has cells for them")]
    public void Wordscapes(string answer, string reason) =>
        Assert.Equal(reason, Reason("wordscapes", """{"side":3,"pattern":"____#__#_","across":["cat"],"down":["car","toe"]}""", answer));

    [Theory]
    [InlineData("Ben cat\nAnna dog", "correct")]
    [InlineData("本恩 猫 | 安娜 狗", "correct")]
    [InlineData("Anna dog | Ben cat", "a clue does not hold")]
    [InlineData("Ben dog | Anna cat", "a clue does not hold")]
    [InlineData("Ben cat | Ben dog", "two houses have the same value")]
    [InlineData("cat Ben | dog Anna", "a value does not belong to its column")]
    public void Zebra_puzzle(string answer, string reason) => Assert.Equal(
        reason, Reason("zebra_puzzle", """{"houses":2,"attributes":["owner Anna Ben","pet dog cat"],"clues":["at Anna 2","same Anna dog"]}""", answer));

    [Theory]
    [InlineData("043\n012", "correct")]
    [InlineData("[[0, 4, 3], [0, 1, 2]]", "correct")]
    [InlineData("0 4 3 | 0 1 1", "a cell has another colour")]
    [InlineData("0 4 3 0 1 2", "the grid has another size")]
    [InlineData("0 4 | 3 0 | 1 2", "the grid has another size")]
    [InlineData("0 4 3 | 0 1", "not a grid of digits")]
    public void Arc_agi(string answer, string reason) =>
        Assert.Equal(reason, Reason("arc_agi", """{"program":"mirror","inputs":["120"],"outputs":["021"],"test":"340/210"}""", answer));

    [Fact]
    public void Arc_agi_refuses_examples_that_its_program_does_not_make()
    {
        Refuses("arc_agi", """{"program":"mirror","inputs":["120"],"outputs":["120"],"test":"340/210"}""");
        Refuses("arc_agi", """{"program":"explode","inputs":["120"],"outputs":["021"],"test":"340/210"}""");
        Refuses("arc_agi", """{"program":"recolour 1","inputs":["120"],"outputs":["021"],"test":"340/210"}""");
    }

    [Theory]
    [InlineData("turn_right", "12/34", "31/42")]
    [InlineData("turn_left", "12/34", "24/13")]
    [InlineData("fall", "12/00/30", "00/10/32")]
    [InlineData("rise", "00/10/02", "12/00/00")]
    [InlineData("shine_up", "00/10/02", "12/12/02")]
    [InlineData("join_rows", "1001/2001", "1111/2001")]
    [InlineData("fill_holes 5", "1110/1010/1110", "1110/1510/1110")]
    [InlineData("outline 4", "000/010/000", "040/414/040")]
    [InlineData("halo 4", "000/010/000", "444/414/444")]
    [InlineData("hollow", "111/111/111", "111/101/111")]
    [InlineData("cut_largest", "1000/0022/0020", "22/20")]
    [InlineData("boxes 7", "0022/0020/1000", "0022/0027/1000")]
    [InlineData("count 3", "101/000/220", "3330000000")]
    [InlineData("just_one 6", "10520/11500", "00/66")]
    [InlineData("first_of_rows", "012/200/000", "111/222/000")]
    [InlineData("fractal", "10/01", "1000/0100/0010/0001")]
    [InlineData("drop_empty_rows; drop_empty_columns", "101/000/202", "11/22")]
    [InlineData("sort_columns", "12/10", "21/01")]
    [InlineData("stagger", "12/34", "12/43")]
    public void Primitives_do_what_they_are_called(string program, string input, string output) =>
        Assert.Equal(output, Primitives.Run(program, Picture.Parse(input)!)?.ToString());

    [Fact]
    public void There_are_at_least_sixty_programs_that_differ_and_change_their_inputs()
    {
        Assert.InRange(Programs.All.Select(program => program.Steps).Distinct().Count(), 60, Programs.All.Count);
        Assert.All(Enumerable.Range(1, 10), difficulty => Assert.Contains(Programs.All, program => program.Difficulty == difficulty));
        Assert.All(Programs.All, program =>
        {
            var steps = program.Steps.Replace('A', '1').Replace('B', '2').Replace('C', '3').Replace('D', '4');
            Assert.True(Primitives.IsProgram(steps), steps);
            var rng = new Rng(7);
            var changed = Enumerable.Range(0, 40).Select(_ => Scenes.Draw(program.Scene, 4, 8, [1, 2, 3], rng)).Count(input => Primitives.Run(steps, input) is { } output && !output.IsSame(input));
            Assert.True(changed >= 10, $"{steps} changes {changed} of 40 inputs");
        });
    }
}
