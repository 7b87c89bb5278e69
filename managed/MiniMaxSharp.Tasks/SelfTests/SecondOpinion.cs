using System.Globalization;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks;

/// <summary>
/// Whether an answer is right, decided without the verifiers: from nothing but the puzzle's data as JSON and one right answer.
/// Where a puzzle may have several right answers its rules are worked out once more, in another way (<see cref="GridRules"/>,
/// <see cref="Arithmetic"/>); where there is just one, the two answers are compared as what they are: sets, pairs, numbers or symbols.
/// </summary>
internal static class SecondOpinion
{
    private static readonly char[] Separators = [' ', '\t', '\r', '\n', ',', ';', '|', '[', ']', '"', '\'', '，', '、'];

    internal static bool Accepts(TaskInstance instance, string answer)
    {
        var (data, symbols, solution) = (instance.Puzzle.ToJson(), Symbols(answer), instance.Solution);
        return instance.Task switch
        {
            "arc_agi" => Rows(answer).SequenceEqual(Rows(solution)),
            "arrow_maze" => GridRules.ArrowMaze(data, symbols),
            "boolean_expressions" or "dyck_language_reasoning_errors" or "space_reasoning_tree" or "web_of_lies" => SameInAnyOrder(symbols, Symbols(solution)),
            // Of a tie both roundings are right, a hundredth apart; whether it is one cannot be seen from the solution.
            "buggy_tables" => Number(answer) is { } number && Math.Abs(number - Number(solution)!.Value) <= 0.01m,
            "calcudoko" => GridRules.Calcudoko(data, symbols),
            "campsite" => GridRules.Campsite(data, symbols),
            "dyck_language" => Unspaced(answer) == Unspaced(solution),
            "dyck_language_errors" or "object_counting" or "object_properties" or "operation" => Number(answer) == Number(solution),
            "futoshiki" => GridRules.Futoshiki(data, symbols),
            "game_of_24" => Arithmetic.MakesTarget(data, answer),
            "goods_exchange" or "minesweeper" => SameInAnyOrder(Pairs(answer), Pairs(solution)),
            "kukurasu" => GridRules.Kukurasu(data, symbols),
            "math_path" => Arithmetic.FillsTemplate(data, answer),
            "norinori" => GridRules.Norinori(data, symbols),
            "number_wall" => GridRules.NumberWall(data, symbols),
            "numbrix" => GridRules.Numbrix(data, symbols),
            "star_placement" => GridRules.StarPlacement(data, symbols),
            "survo" => GridRules.Survo(data, symbols),
            "word_sorting" => Letters(answer).SequenceEqual(Letters(solution)),
            "wordscapes" => GridRules.Wordscapes(data, symbols),
            _ => symbols.SequenceEqual(Symbols(solution)),
        };
    }

    private static string[] Symbols(string text) => text.Split(Separators, StringSplitOptions.RemoveEmptyEntries);

    private static IEnumerable<string> Rows(string text) => text.Split('|', '\n').Select(row => string.Concat(Symbols(row)));

    private static IEnumerable<string> Letters(string text) => text.Split(',').Select(word => string.Concat(Symbols(word)));

    private static IEnumerable<string> Pairs(string text) =>
        Symbols(text.Replace('(', ' ').Replace(')', ' ')).Chunk(2).Select(pair => string.Join(' ', pair));

    private static bool SameInAnyOrder(IEnumerable<string> one, IEnumerable<string> other) =>
        one.Order(StringComparer.Ordinal).SequenceEqual(other.Order(StringComparer.Ordinal));

    private static decimal? Number(string text) =>
        decimal.TryParse(Unspaced(text), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string Unspaced(string text) => string.Concat(text.Where(c => !char.IsWhiteSpace(c)));
}
