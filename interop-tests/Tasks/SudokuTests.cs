using System.Text.Json.Nodes;
using FsCheck.Xunit;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

public sealed class SudokuTests
{
    /// <summary>A published puzzle that is known to need trial, and its solution.</summary>
    private const string Hard = "8__________36______7__9_2___5___7_______457_____1___3___1____68__85___1__9____4__";
    private const string HardSolved = "812753649943682175675491283154237896369845721287169534521974368438526917796318452";

    private static readonly IReasoningTask Task = TaskRegistry.Get("sudoku");

    private static string Grid(TaskInstance instance) => instance.Puzzle.ToJson()["grid"]!.GetValue<string>();

    private static string Solution(TaskInstance instance) => instance.Solution.Replace(" ", "").Replace("|", "");

    private static TaskInstance Instance(string grid, string solution = "") =>
        new(Task.Name, "", 1, Task.ReadPuzzle(new JsonObject { ["grid"] = grid }), solution);

    private static ulong Hash(string grid) => Instance(grid).CanonicalHash;

    [Property(MaxTest = 60)]
    public bool Brute_force_finds_one_solution_and_it_is_the_instances(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed);
        return Solutions(Grid(instance)).Take(2).ToArray() is [var only] && only == Solution(instance);
    }

    [Theory]
    [InlineData(1, 16, 6, 7)]
    [InlineData(3, 16, 10, 11)]
    [InlineData(4, 36, 12, 14)]
    [InlineData(6, 36, 20, 22)]
    [InlineData(7, 81, 28, 32)]
    [InlineData(10, 81, 50, 53)]
    public void Size_and_blanks_are_the_levels(int difficulty, int cells, int fewest, int most)
    {
        for (var seed = 0UL; seed < 50; seed++)
        {
            var grid = Grid(Task.Generate(difficulty, seed));
            Assert.Equal(cells, grid.Length);
            Assert.InRange(grid.Count(c => c == '_'), fewest, most);
        }
    }

    [Property(MaxTest = 200)]
    public bool Renaming_reordering_and_reflection_do_not_change_the_hash(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed);
        var (grid, rng) = (Grid(instance), new Rng(seed));
        var (side, boxRows, boxColumns) = Shape(grid);
        var digits = string.Concat(rng.Sample("123456789"[..side], side));
        var (rows, columns, reflect) = (Lines(side, boxRows, rng), Lines(side, boxColumns, rng), boxRows == boxColumns && rng.OneIn(2));
        var moved = string.Concat(Enumerable.Range(0, grid.Length)
            .Select(cell => (Row: rows[cell / side], Column: columns[cell % side]))
            .Select(at => grid[reflect ? (at.Column * side) + at.Row : (at.Row * side) + at.Column])
            .Select(c => c == '_' ? c : digits[c - '1']));
        return Hash(moved) == instance.CanonicalHash;
    }

    [Fact]
    public void Of_the_288_full_grids_two_are_essentially_different()
    {
        var grids = Solutions(new string('_', 16)).ToArray();
        Assert.Equal(288, grids.Length);
        Assert.Equal(2, grids.Select(Hash).Distinct().Count());
    }

    /// <summary>Of the full grids of 6×6 there are 49 kinds; a hash that misses a symmetry finds more in this sample.</summary>
    [Fact]
    public void Full_grids_of_6_by_6_are_of_at_most_49_kinds() =>
        Assert.InRange(Enumerable.Range(0, 2000).Select(seed => Hash(Solution(Task.Generate(4, (ulong)seed)))).Distinct().Count(), 35, 49);

    [Fact]
    public void Blanks_in_other_places_have_another_hash() =>
        Assert.Equal(4, new[] { "_234341221434321", "__34341221434321", "_23434122143432_", "_2343_1221434321" }.Select(Hash).Distinct().Count());

    [Fact]
    public void Rows_and_columns_of_a_6_by_6_cannot_be_exchanged()
    {
        const string Grid = "123456456123231564564231312645645312";
        var reflected = string.Concat(Enumerable.Range(0, 36).Select(cell => Grid[(cell % 6 * 6) + (cell / 6)]));
        Assert.NotEqual(0UL, Hash(Grid));
        Assert.Throws<FormatException>(() => Hash(reflected));
    }

    [Theory]
    [InlineData(1, "2 rows and 2 columns", "2 行 2 列")]
    [InlineData(5, "2 rows and 3 columns", "2 行 3 列")]
    [InlineData(9, "3 rows and 3 columns", "3 行 3 列")]
    public void Every_prompt_says_what_a_box_is(int difficulty, string english, string chinese) =>
        Assert.All(Enumerable.Range(0, 50).Select(seed => Task.Generate(difficulty, (ulong)seed).Prompt), prompt =>
            Assert.Contains(prompt.Any(c => c > 0x4E00) ? chinese : english, prompt));

    [Fact]
    public void Grids_that_keep_givens_rows_and_columns_but_break_a_box_are_refused()
    {
        var broken = 0;
        for (var seed = 0UL; seed < 10; seed++)
        {
            var instance = Task.Generate(3, seed);
            foreach (var grid in Solutions(Grid(instance), boxes: false).Where(grid => grid != Solution(instance)))
            {
                Assert.Equal("a row, column or box repeats a digit", Task.Verify(instance, grid).Reason);
                broken++;
            }
        }
        Assert.True(broken > 0);
    }

    [Fact]
    public void A_puzzle_from_elsewhere_may_need_more_than_forced_steps()
    {
        var instance = Instance(Hard, HardSolved);
        Assert.Equal([HardSolved], Solutions(Hard));
        Assert.True(Task.Verify(instance, HardSolved).Correct);
        Assert.Equal("a given digit was changed", Task.Verify(instance, HardSolved.Replace('8', '0').Replace('1', '8').Replace('0', '1')).Reason);
        Assert.Equal(Task.Demonstrate(instance, DemonstrationStyle.Quick), Task.Demonstrate(instance));
    }

    [Theory]
    [InlineData("8__________36______7__9_2___5___7_______457_____1___3___1____68__85___1__9_______", "more than one solution")]
    [InlineData("8__________36______7__9_2___5___7_______457_____1___3___1____68__85___1__9____42_", "no solution")]
    [InlineData("88_________36______7__9_2___5___7_______457_____1___3___1____68__85___1__9____4__", "repeats a digit")]
    [InlineData("_____5_8____6_1_43__________1_5________1_6___3_______553_____61________4_________", "still open")]
    [InlineData("8__________36______7__9_2___5___7_______457_____1___3___1____68__85___1__9____4", "16, 36 or 81")]
    [InlineData("1234567________________________5____", "16, 36 or 81")]
    public void A_grid_that_is_no_puzzle_is_refused(string grid, string reason) =>
        Assert.Contains(reason, Assert.Throws<FormatException>(() => Instance(grid)).Message);

    private static (int Side, int BoxRows, int BoxColumns) Shape(string grid) => grid.Length switch { 16 => (4, 2, 2), 36 => (6, 2, 3), _ => (9, 3, 3) };

    private static int[] Lines(int side, int lines, Rng rng) =>
        [.. rng.Sample(Enumerable.Range(0, side / lines), side / lines).SelectMany(band => rng.Sample(Enumerable.Range(0, lines), lines).Select(line => (band * lines) + line))];

    /// <summary>Tries all digits of that blank which has the fewest.</summary>
    private static IEnumerable<string> Solutions(string grid, bool boxes = true)
    {
        var (side, fewest) = (Shape(grid).Side, default(string));
        var narrowest = -1;
        for (var cell = 0; cell < grid.Length; cell++)
        {
            if (grid[cell] != '_')
                continue;
            var left = string.Concat("123456789"[..side].Where(digit => Allowed(grid, cell, digit, boxes)));
            if (fewest is null || left.Length < fewest.Length)
                (narrowest, fewest) = (cell, left);
        }
        return fewest is null ? [grid] : fewest.SelectMany(digit => Solutions($"{grid[..narrowest]}{digit}{grid[(narrowest + 1)..]}", boxes));
    }

    private static bool Allowed(string grid, int cell, char digit, bool boxes)
    {
        var (side, boxRows, boxColumns) = Shape(grid);
        for (var other = 0; other < grid.Length; other++)
        {
            var (sameRow, sameColumn) = (other / side == cell / side, other % side == cell % side);
            var sameBox = boxes && other / side / boxRows == cell / side / boxRows && other % side / boxColumns == cell % side / boxColumns;
            if (other != cell && grid[other] == digit && (sameRow || sameColumn || sameBox))
                return false;
        }
        return true;
    }
}
