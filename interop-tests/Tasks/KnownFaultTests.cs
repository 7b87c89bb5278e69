using System.Text.Json.Nodes;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

/// <summary>The faults that published generators of SynLogic's tasks are known for are not repeated here; one test for each.</summary>
public sealed class KnownFaultTests
{
    private const int Seeds = 20;

    /// <summary>Instances at all difficulties, with their data and the symbols of their solution.</summary>
    private static IEnumerable<(TaskInstance Instance, JsonObject Data, string[] Solution)> Instances(string name) =>
        from difficulty in Enumerable.Range(1, 10)
        from seed in Enumerable.Range(0, Seeds)
        let instance = TaskRegistry.Get(name).Generate(difficulty, (ulong)seed)
        select (instance, instance.Puzzle.ToJson(), instance.Solution.Replace("| ", "").Split(' '));

    private static string[] Texts(JsonObject data, string field) => [.. data[field]!.AsArray().Select(item => item!.GetValue<string>())];

    /// <summary>Row a, b, … and column 1, 2, ….</summary>
    private static int Cell(string name, int side) => ((name[0] - 'a') * side) + name[1] - '1';

    [Fact]
    public void Signs_of_futoshiki_are_those_of_the_solution()
    {
        foreach (var (instance, data, solution) in Instances("futoshiki"))
        {
            var (side, grid) = (data["side"]!.GetValue<int>(), data["grid"]!.GetValue<string>());
            Assert.All(Texts(data, "signs"), sign => Assert.True(
                int.Parse(solution[Cell(sign[..2], side)]) < int.Parse(solution[Cell(sign[^2..], side)]), $"{sign} in {instance.Solution}"));
            Assert.All(grid.Zip(solution).Where(cell => cell.First != '_'), cell => Assert.Equal($"{cell.First}", cell.Second));
        }
    }

    [Fact]
    public void Game_of_24_refuses_a_right_value_that_is_not_made_of_the_numbers()
    {
        var task = TaskRegistry.Get("game_of_24");
        foreach (var (instance, data, _) in Instances("game_of_24"))
        {
            var (target, numbers) = (data["target"]!.GetValue<int>(), data["numbers"]!.AsArray().Select(number => number!.GetValue<int>()).ToArray());
            string[] wrong =
            [
                $"{target}", $"{target} + 0", $"{instance.Solution} + 0", $"( {instance.Solution} ) * 1", $"{instance.Solution} + {numbers[0]} - {numbers[0]}",
                string.Join(" + ", numbers.Select(_ => "1")) + $" + {target - numbers.Length}", $"{target} = {target}", "", "True",
            ];
            Assert.All(wrong, answer => Assert.False(task.Verify(instance, answer).Correct, $"'{answer}' for {instance.ToJsonLine()}"));
            Assert.True(task.Verify(instance, $"( {instance.Solution} )").Correct);
        }
    }

    [Theory]
    [InlineData(1, 10)]
    [InlineData(3, 60)]
    [InlineData(6, 120)]
    [InlineData(8, 190)]
    [InlineData(9, 100)]
    [InlineData(10, 195)]
    public void Layouts_of_stars_vary(int difficulty, int least)
    {
        var instances = Enumerable.Range(0, 200).Select(seed => TaskRegistry.Get("star_placement").Generate(difficulty, (ulong)seed)).ToArray();
        Assert.InRange(instances.Select(instance => instance.Solution).Distinct().Count(), least, 200);
        Assert.InRange(instances.Select(instance => instance.CanonicalHash).Distinct().Count(), 150, 200);
    }

    /// <summary>No number alone settles a cell; only a difference of two does: a + b + c = 2 and b + c = 1.</summary>
    [Fact]
    public void Minesweeper_asks_for_mines_that_follow_from_several_numbers_together()
    {
        var task = TaskRegistry.Get("minesweeper");
        var puzzle = task.ReadPuzzle(new JsonObject { ["side"] = 3, ["cells"] = "121______" });
        var instance = new TaskInstance(task.Name, "", 1, puzzle, "");
        Assert.True(task.Verify(instance, "(2,1) (2,3)").Correct);
        Assert.Equal("more mines are certain", task.Verify(instance, "(2,1)").Reason);
        Assert.Equal("a cell may be free of mines", task.Verify(instance, "(2,1) (2,3) (3,2)").Reason);
    }

    [Fact]
    public void Regions_of_norinori_can_be_covered()
    {
        foreach (var (instance, data, solution) in Instances("norinori"))
        {
            var (side, regions) = (data["side"]!.GetValue<int>(), data["regions"]!.GetValue<string>());
            var shaded = Enumerable.Range(0, solution.Length).Where(cell => solution[cell] == "1").ToHashSet();
            Assert.All(regions.Distinct(), region => Assert.Equal(2, shaded.Count(cell => regions[cell] == region)));
            Assert.All(shaded, cell => Assert.Single(Grids.Beside(cell, side, side), shaded.Contains));
            Assert.True(TaskRegistry.Get("norinori").Verify(instance, instance.Solution).Correct);
        }
    }

    [Fact]
    public void Cages_of_calcudoko_hang_together_and_tell_what_the_solution_makes()
    {
        foreach (var (_, data, solution) in Instances("calcudoko"))
        {
            var side = data["side"]!.GetValue<int>();
            var cages = Texts(data, "cages").Select(text => text.Split(' ')).ToArray();
            Assert.Equal(Enumerable.Range(0, side * side), cages.SelectMany(cage => cage[..^1]).Select(name => Cell(name, side)).Order());
            Assert.All(cages, cage =>
            {
                var cells = cage[..^1].Select(name => Cell(name, side)).ToArray();
                var numbers = cells.Select(cell => int.Parse(solution[cell])).OrderDescending().ToArray();
                Assert.All(cells, cell => Assert.True(cells.Length == 1 || Grids.Beside(cell, side, side).Any(cells.Contains)));
                var value = (cage[^1][^1], numbers.Length) switch
                {
                    ('=', 1) => numbers[0],
                    ('+', > 1) => numbers.Sum(),
                    ('*', > 1) => numbers.Aggregate((a, b) => a * b),
                    ('-', 2) => numbers[0] - numbers[1],
                    ('/', 2) when numbers[0] % numbers[1] == 0 => numbers[0] / numbers[1],
                    _ => -1,
                };
                Assert.Equal(cage[^1][..^1], $"{value}");
            });
        }
    }
}
