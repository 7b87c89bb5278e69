using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

/// <summary>Answers that no rule can pass, made from the right one: four kinds for every task and more of its own.</summary>
internal static partial class WrongAnswers
{
    internal static IReadOnlyList<string> For(TaskInstance instance)
    {
        var right = instance.Solution;
        return ["", "?!", $"{right} {right}", $"{right} \0", .. instance.Task switch
        {
            "arc_agi" => OfPicture(right),
            "arrow_maze" => OfArrows(instance),
            "boolean_expressions" => OfSet(right, ["A", "B", "C"], "Z"),
            "buggy_tables" => OfNumber(right.Replace(" ", "")),
            "calcudoko" => OfLatinSquare(right),
            "campsite" => OfMarks(right, "C", "."),
            "cipher" => OfText(right),
            "cryptarithm" => OfEquation(right),
            "dyck_language" => OfDyck(right),
            "dyck_language_errors" => OfNumber(right),
            "dyck_language_reasoning_errors" => OfSet(right, ["1", "2", "3"], "99"),
            "futoshiki" => OfLatinSquare(right),
            "game_of_24" => Of24(right),
            "goods_exchange" => OfPairs(right),
            "kukurasu" => OfMarks(right, "1", "X"),
            "math_path" => OfExpression(right),
            "minesweeper" => OfCells(instance),
            "norinori" => OfMarks(right, "1", "0"),
            "number_wall" => OfWall(right),
            "numbrix" => OfBoard(right),
            "object_counting" => OfInteger(right),
            "object_properties" => OfInteger(right),
            "operation" => OfInteger(right.Replace(" ", "")),
            "skyscraper_puzzle" => OfBoard(right),
            "space_reasoning" => OfName(right),
            "space_reasoning_tree" => OfSet(right, ["1", "2", "3"], "1000"),
            "star_placement" => OfStars(right),
            "sudoku" => OfSudoku(right),
            "survo" => OfBoard(right),
            "time_sequence" => OfTimes(right),
            "web_of_lies" => OfSet(right, [.. instance.Puzzle.ToJson()["known"]!.GetValue<string>().Split(' ')[..1]], "Zoe"),
            "word_sorting" => OfSorting(right),
            "word_sorting_mistake" => OfStep(right),
            "wordscapes" => OfBoard(right),
            "zebra_puzzle" => OfTable(right),
            _ => throw new ArgumentException($"No wrong answers are known for {instance.Task}."),
        }];
    }

    private static List<string> OfSet(string right, string[] some, string stranger)
    {
        var members = right == "none" ? [] : right.Split(' ');
        return
        [
            stranger, $"{right} {stranger}", $"{right} none", "none none", "all", "true",
            .. some.Select(one => string.Join(' ', members.Contains(one) ? members.Where(member => member != one) : members.Append(one))),
            .. members.Take(1).Select(one => $"{right} {one}"),
        ];
    }

    private static List<string> OfDyck(string right) =>
    [
        right[..^1], right[1..], $"( ) {right}", $"{right} )", $"{right} ( )", $"x {right}", right.Replace(right[0], ")]"[right[0] == ')' ? 1 : 0]),
        $"({right}",
    ];

    private static List<string> Of24(string right) =>
    [
        $"( {right} ) + 1", $"( {right} ) * 1", $"( {right} ) / 0", $"( {right}", $"{right} )", $"- ( {right} )", $"{right} = 24 x", "24", "1 1 1",
        right.Replace(' ', '.'),
    ];

    /// <summary>With the outer rows exchanged rows and columns hold what they should, boxes and givens do not.</summary>
    private static List<string> OfSudoku(string right)
    {
        var rows = right.Split(" | ");
        return
        [
            right[..^1], $"{right} 1", right.Replace('1', '2'), right.Replace('4', $"{rows.Length + 1}"[0]), right.Replace('3', '_'), right.Replace('2', '0'),
            string.Concat(right.Select(c => c is '1' ? '2' : c is '2' ? '1' : c)), string.Join(" | ", rows.Reverse()), string.Join(" | ", rows.Select(_ => rows[0])),
            string.Join(" | ", [rows[^1], .. rows[1..^1], rows[0]]), string.Join(" | ", rows[1..]),
        ];
    }

    private static List<string> OfSorting(string right)
    {
        var words = right.Split(" , ");
        return
        [
            string.Join(" , ", words.Reverse()), string.Join(" , ", words[1..]), string.Join(" , ", words[..^1]), string.Join(" , ", words.Append("q q q q q q q q q")),
            string.Join(" , ", words[1..].Append(words[0])), string.Join(" , ", words.Prepend(words[0])), right.ToUpperInvariant(), $"{right} ,", right.Replace(",", ""),
        ];
    }
}
