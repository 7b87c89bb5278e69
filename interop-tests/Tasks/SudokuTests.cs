using System.Text.Json.Nodes;
using FsCheck.Xunit;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

public sealed class SudokuTests
{
    private static readonly IReasoningTask Task = TaskRegistry.Get("sudoku");

    private static string Grid(TaskInstance instance) => instance.Puzzle.ToJson()["grid"]!.GetValue<string>();

    private static ulong Hash(string grid) =>
        new TaskInstance(Task.Name, "", 1, Task.ReadPuzzle(new JsonObject { ["grid"] = grid }), "").CanonicalHash;

    [Property(MaxTest = 200)]
    public bool Brute_force_finds_one_solution_and_it_is_the_instances(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed);
        return Solutions(Grid(instance)).ToArray() is [var only] && only == instance.Solution.Replace(" ", "").Replace("|", "");
    }

    [Property(MaxTest = 200)]
    public bool Blanks_are_as_many_as_the_level_says(byte difficulty, ulong seed)
    {
        var level = (difficulty % 10) + 1;
        var blanks = Grid(Task.Generate(level, seed)).Count(c => c == '_');
        return level <= 3 ? blanks is >= 6 and <= 9 : blanks is >= 9 and <= 12;
    }

    [Property(MaxTest = 200)]
    public bool Renaming_reordering_and_reflection_do_not_change_the_hash(byte difficulty, ulong seed)
    {
        var instance = Task.Generate((difficulty % 10) + 1, seed);
        var rng = new Rng(seed);
        var digits = string.Concat(rng.Sample("1234", 4));
        var (rows, columns, reflect) = (Lines(rng), Lines(rng), rng.OneIn(2));
        var grid = Grid(instance);
        var moved = string.Concat(Enumerable.Range(0, 16)
            .Select(cell => (Row: rows[cell / 4], Column: columns[cell % 4]))
            .Select(at => grid[reflect ? (at.Column * 4) + at.Row : (at.Row * 4) + at.Column])
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

    [Fact]
    public void Blanks_in_other_places_have_another_hash() =>
        Assert.Equal(4, new[] { "_234341221434321", "__34341221434321", "_23434122143432_", "_2343_1221434321" }.Select(Hash).Distinct().Count());

    private static int[] Lines(Rng rng)
    {
        var (first, second) = (rng.Sample([0, 1], 2), rng.Sample([2, 3], 2));
        return rng.OneIn(2) ? [.. first, .. second] : [.. second, .. first];
    }

    private static IEnumerable<string> Solutions(string grid)
    {
        var blank = grid.IndexOf('_');
        if (blank < 0)
            return Enumerable.Range(0, 16).All(cell => Allowed(grid, cell, grid[cell])) ? [grid] : [];
        return "1234".Where(digit => Allowed(grid, blank, digit)).SelectMany(digit => Solutions($"{grid[..blank]}{digit}{grid[(blank + 1)..]}"));
    }

    private static bool Allowed(string grid, int cell, char digit) => Enumerable.Range(0, 16).All(other =>
        other == cell || grid[other] != digit
        || (other / 4 != cell / 4 && other % 4 != cell % 4 && (other / 8 != cell / 8 || other % 4 / 2 != cell % 4 / 2)));
}
