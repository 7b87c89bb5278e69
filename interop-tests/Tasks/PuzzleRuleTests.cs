using System.Text.Json.Nodes;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

/// <summary>Puzzles made by hand: what solves them, and which rule each wrong answer breaks.</summary>
public sealed class PuzzleRuleTests
{
    private const string Maze = """{"grid":["1","_","_","_","4","_","_","_","_","_","_","_","_","_","_","_","_","_","_","_","5","_","_","_","1"]}""";
    private const string KenKen = """{"side":3,"cages":["a1 a2 3+","a3 b3 1-","b1 c1 6*","b2 c2 3/","c3 1="]}""";
    private const string Camp = """{"grid":"T...T....","rows":[1,0,1],"columns":[0,2,0]}""";
    private const string Signs = """{"side":3,"grid":"1________","signs":["a2 < a3","b2 < a2","c1 < b1"]}""";
    private const string Norinori = """{"side":3,"regions":"AABABBBBB"}""";
    private const string Mines = """{"side":4,"cells":"01__011_00______"}""";
    private const string Trace = """{"sequence":"([])","stacks":["(","([","[",""]}""";
    private const string Market = """{"owners":["Ada hat","Ben cup","Cy pen"],"events":["swap Ada Ben","get Cy hat","plan Ada Cy","cross hat cup","round Ada Ben Cy","back Ada Ben"]}""";

    [Theory]
    [InlineData("calcudoko", KenKen, "[[1,2,3],[3,1,2],[2,3,1]]", "correct")]
    [InlineData("calcudoko", KenKen, "2 1 3\n3 2 1\n1 3 2", "cage a3 b3 does not make 1-")]
    [InlineData("calcudoko", KenKen, "1 2 3 1 2 3 1 2 3", "repeats")]
    [InlineData("campsite", Camp, ". C .", "not 3 × 3")]
    [InlineData("campsite", Camp, "T C . . T . . C .", "correct")]
    [InlineData("campsite", Camp, "TC.\n.T.\n.C.", "correct")]
    [InlineData("campsite", Camp, "T . C . T . . C .", "another number")]
    [InlineData("campsite", Camp, "T C . . . . . C .", "tree was moved")]
    [InlineData("campsite", """{"grid":"TT.......","rows":[0,2,0],"columns":[1,1,0]}""", "T T . C C . . . .", "touch")]
    [InlineData("campsite", """{"grid":"TT.......","rows":[0,1,1],"columns":[1,0,1]}""", "T T . C . . . . C", "paired off")]
    [InlineData("futoshiki", Signs, "1 2 3 | 3 1 2 | 2 3 1", "correct")]
    [InlineData("futoshiki", Signs, "1 3 2 | 3 2 1 | 2 1 3", "a2 < a3 does not hold")]
    [InlineData("futoshiki", Signs, "2 1 3 | 3 2 1 | 1 3 2", "given number")]
    [InlineData("futoshiki", Signs, "1 2 3 | 1 2 3 | 1 2 3", "repeats")]
    [InlineData("kukurasu", """{"rows":[3,1,0],"columns":[3,1,0]}""", "1 1 X | 1 X X | X X X", "correct")]
    [InlineData("kukurasu", """{"rows":[3,1,0],"columns":[3,1,0]}""", "X X 1 | 1 X X | X X X", "columns add up to 2 0 1")]
    [InlineData("kukurasu", """{"rows":[3,1,0],"columns":[3,1,0]}""", "1 1 1 | 1 X X | X X X", "rows add up to 6")]
    [InlineData("norinori", Norinori, "1 1 0 | 0 0 0 | 0 1 1", "correct")]
    [InlineData("norinori", Norinori, "0 1 1 | 1 0 0 | 1 0 0", "correct")]
    [InlineData("norinori", Norinori, "1 1 0 | 1 0 0 | 0 1 1", "region A")]
    [InlineData("norinori", Norinori, "1 1 0 | 0 0 0 | 1 0 1", "one shaded neighbour")]
    [InlineData("minesweeper", Mines, "(1,3)", "correct")]
    [InlineData("minesweeper", Mines, "(3,3)", "may be free")]
    [InlineData("minesweeper", Mines, "(1,1)", "not covered")]
    [InlineData("minesweeper", Mines, "(1,3) (1,3)", "twice")]
    [InlineData("minesweeper", Mines, "(1,3", "correct")]
    [InlineData("dyck_language_errors", """{"sequence":"( [ ) ]"}""", "3", "correct")]
    [InlineData("dyck_language_errors", """{"sequence":"( [ ) ]"}""", "4", "not at 4")]
    [InlineData("dyck_language_errors", """{"sequence":"( [ ]"}""", "4", "correct")]
    [InlineData("dyck_language_errors", """{"sequence":"( [ ] )"}""", "-1", "correct")]
    [InlineData("dyck_language_errors", """{"sequence":")"}""", "1", "correct")]
    [InlineData("dyck_language_errors", """{"sequence":"("}""", "-1", "not balanced")]
    [InlineData("dyck_language_reasoning_errors", Trace, "3", "correct")]
    [InlineData("dyck_language_reasoning_errors", Trace, "3, 4", "another set")]
    [InlineData("dyck_language_reasoning_errors", Trace, "5", "not among")]
    [InlineData("goods_exchange", Market, "(Ada, cup), (Ben, hat), (Cy, pen)", "correct")]
    [InlineData("goods_exchange", Market, "(Ada, hat), (Ben, cup), (Cy, pen)", "does not own")]
    [InlineData("goods_exchange", Market, "(Ada, hat), (Ben, cup)", "one pair for each")]
    [InlineData("goods_exchange", Market, "Ada hat Ben cup Dan pen", "'Dan' is nobody")]
    [InlineData("math_path", """{"expression":"?*3-?","value":4}""", "2 * 3 - 2 = 4", "correct")]
    [InlineData("math_path", """{"expression":"?*3-?","value":4}""", "3*3-5", "correct")]
    [InlineData("math_path", """{"expression":"?*3-?","value":4}""", "3*3-6", "another value")]
    [InlineData("math_path", """{"expression":"?*3-?","value":4}""", "2*5-6", "not the expression")]
    [InlineData("math_path", """{"expression":"1/?*6","value":2}""", "1 / 3 * 6", "correct")]
    [InlineData("math_path", """{"expression":"1/?*6","value":2}""", "1 / 0 * 6", "division by zero")]
    [InlineData("math_path", """{"expression":"1/?%6","value":1}""", "1 / 3 % 6", "remainder of fractions")]
    [InlineData("cryptarithm", """{"equation":"SEND + MORE = MONEY"}""", "9567 + 1085 = 10652", "correct")]
    [InlineData("cryptarithm", """{"equation":"SEND + MORE = MONEY"}""", "9567 + 1085 = 10653", "does not hold")]
    [InlineData("cryptarithm", """{"equation":"SEND + MORE = MONEY"}""", "2817 + 0368 = 03185", "begins with 0")]
    [InlineData("cryptarithm", """{"equation":"SEND + MORE = MONEY"}""", "9562 + 1085 = 10652", "one to one")]
    [InlineData("cryptarithm", """{"equation":"SEND + MORE = MONEY"}""", "9567 - 1085 = 10652", "form")]
    [InlineData("arrow_maze", Maze, "1 → ← ← 4 | ↑ ↗ ↙ ↙ ↓ | ↑ ↗ → ↗ ↙ | ↑ ↗ ↗ ↗ ↑ | 5 → → → 1", "lies on no ray")]
    public void A_verdict_names_the_rule(string task, string data, string answer, string reason) =>
        Assert.Contains(reason, Verdict(task, data, answer).Reason);

    [Fact]
    public void Rays_of_a_maze_add_up()
    {
        var line = """{"grid":["4","→","→","→","→","4","→","→","→","→","4","→","→","→","→","4","→","→","→","→","4","→","→","→","_"]}""";
        var solved = string.Join(" | ", Enumerable.Repeat("4 → → → →", 5));
        Assert.True(Verdict("arrow_maze", line, solved).Correct);
        Assert.Contains("lies on no ray", Verdict("arrow_maze", line, $"{solved[..^1]}↑").Reason);
    }

    [Theory]
    [InlineData("caesar", "3", "XYZ", 0, "ABC")]
    [InlineData("caesar", "3", "ABC", 1, "XYZ")]
    [InlineData("atbash", "-", "WIZARD", 0, "DRAZIW")]
    [InlineData("affine", "5 8", "AFFINECIPHER", 0, "IHHWVCSWFRCP")]
    [InlineData("affine", "5 8", "IHHWVCSWFRCP", 1, "AFFINECIPHER")]
    [InlineData("keyword", "ZEBRAS", "FLEEATONCE", 0, "SIAAZQLKBA")]
    [InlineData("polybius", "-", "BAT", 0, "121144")]
    [InlineData("polybius", "-", "121144", 1, "BAT")]
    [InlineData("vigenere", "LEMON", "ATTACKATDAWN", 0, "LXFOPVEFRNHR")]
    [InlineData("vigenere", "LEMON", "LXFOPVEFRNHR", 1, "ATTACKATDAWN")]
    [InlineData("autokey", "QUEENLY", "ATTACKATDAWN", 0, "QNXEPVYTWTWP")]
    [InlineData("autokey", "QUEENLY", "QNXEPVYTWTWP", 1, "ATTACKATDAWN")]
    [InlineData("rail_fence", "3", "WEAREDISCOVEREDRUNATONCE", 0, "WECRUOERDSOEERNTNEAIVDAC")]
    [InlineData("rail_fence", "3", "WECRUOERDSOEERNTNEAIVDAC", 1, "WEAREDISCOVEREDRUNATONCE")]
    [InlineData("beaufort", "FORTIFICATION", "DEFENDTHEEASTWALLOFTHECASTLE", 0, "CKMPVCPVWPIWUJOGIUAPVWRIWUUK")]
    [InlineData("columnar", "ZEBRAS", "WEAREDISCOVEREDFLEEATONCE", 0, "EVLNACDTESEAROFODEECWIREE")]
    [InlineData("columnar", "ZEBRAS", "EVLNACDTESEAROFODEECWIREE", 1, "WEAREDISCOVEREDFLEEATONCE")]
    public void Ciphers_give_the_texts_known_from_the_literature(string cipher, string key, string text, int decrypt, string result) =>
        Assert.True(Verdict("cipher", new JsonObject { ["cipher"] = cipher, ["key"] = key, ["text"] = text, ["decrypt"] = decrypt }.ToJsonString(), result).Correct);

    [Theory]
    [InlineData("repeated", "1 10|1 20|1 20|1 30", 2, 0, "", 60)]
    [InlineData("foreign", "1 10|1 20|1 99|1 30", 2, 0, "", 60)]
    [InlineData("erased", "1 10|1 ?|1 30|1 ?", 2, 0, "20,40", 100)]
    [InlineData("raised", "1 10|1 27|1 30|1 47", 2, 7, "", 100)]
    [InlineData("exchanged", "1 10|1 20|1 30|1 40", 2, 0, "", 42)]
    [InlineData("reversed", "2 20|1 10|1 30|1 40", 2, 0, "", 90)]
    [InlineData("rotated", "2 30|1 40|1 10|1 20", 2, 0, "", 90)]
    public void A_spoilt_table_is_restored(string kind, string rows, int step, int amount, string lost, int sum)
    {
        var data = new JsonObject
        {
            ["rows"] = rows.Split('|').Select(row => $"{row} 1 1 1").ToJsonArray(),
            ["damage"] = new JsonObject
            {
                ["kind"] = kind,
                ["column"] = 1,
                ["other"] = 2,
                ["step"] = step,
                ["amount"] = amount,
                ["lost"] = lost.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse).ToJsonArray(),
            },
            ["query"] = new JsonObject { ["measure"] = "sum", ["column"] = 1, ["group"] = 1 },
        };
        Assert.True(Verdict("buggy_tables", data.ToJsonString(), $"{sum}").Correct);
        Assert.True(Verdict("buggy_tables", data.ToJsonString(), $"{sum}.00").Correct);
        Assert.False(Verdict("buggy_tables", data.ToJsonString(), $"{sum}.01").Correct);
    }

    [Theory]
    [InlineData("arrow_maze", """{"grid":["1"]}""", "25 cells")]
    [InlineData("buggy_tables", """{"rows":["1 2 3"]}""", "not a row")]
    [InlineData("calcudoko", """{"side":2,"cages":["a1 a2 3+","a1 b1 3+"]}""", "cover each cell once")]
    [InlineData("campsite", """{"grid":"T........","rows":[1,0,1],"columns":[1,1,0]}""", "as many tents as trees")]
    [InlineData("cipher", """{"cipher":"affine","key":"2 1","text":"ABC","decrypt":0}""", "not a key of affine")]
    [InlineData("cryptarithm", """{"equation":"A + B = C"}""", "just one solution")]
    [InlineData("dyck_language_errors", """{"sequence":"( x"}""", "1 to 60 brackets")]
    [InlineData("dyck_language_reasoning_errors", """{"sequence":"()","stacks":["(",""]}""", "No step is wrong")]
    [InlineData("futoshiki", """{"side":3,"grid":"_________","signs":["a1 < c3"]}""", "between neighbours")]
    [InlineData("goods_exchange", """{"owners":["Ada hat","Ben cup"],"events":["swap Ada Ada"]}""", "not well-formed")]
    [InlineData("kukurasu", """{"rows":[1],"columns":[1]}""", "each row and column")]
    [InlineData("math_path", """{"expression":"1+2","value":3}""", "No digit is hidden")]
    [InlineData("minesweeper", """{"side":2,"cells":"8___"}""", "No layout")]
    [InlineData("minesweeper", """{"side":2,"cells":"1___"}""", "No mine follows")]
    [InlineData("norinori", """{"side":2,"regions":"AAAB"}""", "but one cell")]
    public void A_puzzle_that_is_none_is_refused(string task, string data, string reason) =>
        Assert.Contains(reason, Assert.Throws<FormatException>(() => TaskRegistry.Get(task).ReadPuzzle(Data(data))).Message);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Mines_that_follow_are_those_of_all_layouts(int difficulty)
    {
        var task = TaskRegistry.Get("minesweeper");
        for (var seed = 0UL; seed < 40; seed++)
        {
            var instance = task.Generate(difficulty, seed);
            var cells = instance.Puzzle.ToJson()["cells"]!.GetValue<string>();
            var side = (int)Math.Sqrt(cells.Length);
            Assert.True(task.Verify(instance, string.Join(' ', InAllLayouts(cells, side).Select(cell => $"({(cell / side) + 1},{(cell % side) + 1})"))).Correct, cells);
        }
    }

    /// <summary>Tries all layouts of the covered cells.</summary>
    private static IEnumerable<int> InAllLayouts(string cells, int side)
    {
        var covered = Enumerable.Range(0, cells.Length).Where(cell => cells[cell] == '_').ToArray();
        var numbers = Enumerable.Range(0, cells.Length).Where(cell => cells[cell] != '_')
            .Select(cell => (Mask: Mask(other => Math.Abs((other / side) - (cell / side)) <= 1 && Math.Abs((other % side) - (cell % side)) <= 1), Count: cells[cell] - '0')).ToArray();
        var all = (1 << covered.Length) - 1;
        for (var layout = 0; layout < 1 << covered.Length; layout++)
        {
            if (numbers.All(number => int.PopCount(layout & number.Mask) == number.Count))
                all &= layout;
        }
        return covered.Where((_, at) => (all & (1 << at)) != 0);

        int Mask(Func<int, bool> near) => covered.Index().Where(cell => near(cell.Item)).Sum(cell => 1 << cell.Index);
    }

    [Fact]
    public void The_eight_symmetries_of_a_square_are_different_and_keep_its_neighbours()
    {
        var symmetries = Grids.Symmetries(5).ToArray();
        Assert.Equal(8, symmetries.Select(symmetry => string.Join(' ', symmetry)).Distinct().Count());
        Assert.All(symmetries, symmetry => Assert.All(Enumerable.Range(0, 25), cell =>
            Assert.Equal(Grids.Beside(cell, 5, 5).Select(other => symmetry[other]).Order(), Grids.Beside(symmetry[cell], 5, 5).Order())));
    }

    private static JsonObject Data(string json) => (JsonObject)JsonNode.Parse(json)!;

    private static Verdict Verdict(string task, string data, string answer)
    {
        var owner = TaskRegistry.Get(task);
        return owner.Verify(new TaskInstance(task, "", 1, owner.ReadPuzzle(Data(data)), ""), answer);
    }
}
