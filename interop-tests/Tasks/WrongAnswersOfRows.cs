namespace MiniMaxSharp.Tests.Tasks;

/// <summary>Wrong answers to puzzles whose answer is rows of symbols, a whole number, a step, a name or a pair.</summary>
internal static partial class WrongAnswers
{
    /// <summary>Wrong for any board: too few or too many symbols, or ones that never occur.</summary>
    private static List<string> OfBoard(string right)
    {
        var symbols = right.Replace(" |", "").Split(' ');
        return
        [
            string.Join(' ', symbols[1..]), string.Join(' ', symbols[..^1]), string.Join(' ', symbols.Append(symbols[0])), "[]", "[[]]",
            string.Join(' ', symbols[1..].Prepend("@")), string.Join(' ', symbols[..^1].Append("@@")), string.Join(' ', symbols[1..].Prepend("-1")),
            string.Join(' ', symbols.Select(_ => "777")), right.Split(" | ")[0][1..],
        ];
    }

    /// <summary>Open cells are as many as the numbers add up to.</summary>
    private static List<string> OfWall(string right)
    {
        var wall = right.IndexOf('#');
        return [.. OfBoard(right), right.Replace('#', '.'), $"{right[..wall]}.{right[(wall + 1)..]}"];
    }

    /// <summary>Stars are as many as rows, or twice as many.</summary>
    private static List<string> OfStars(string right)
    {
        var (star, gap) = (right.IndexOf('*'), right.IndexOf('.'));
        return [.. OfBoard(right), $"{right[..star]}.{right[(star + 1)..]}", $"{right[..gap]}*{right[(gap + 1)..]}", right.Replace('.', '*'), right.Replace('*', '.')];
    }

    private static List<string> OfPicture(string right)
    {
        var other = right[0] == '5' ? '6' : '5';
        return [.. OfBoard(right), $"{other}{right[1..]}", $"{right[..^1]}{(right[^1] == '5' ? '6' : '5')}", $"{right} | {right}", right.Replace(right[0], other)];
    }

    /// <summary>Just one table fits, so with two owners exchanged a clue fails.</summary>
    private static List<string> OfTable(string right)
    {
        var rows = right.Split(" | ").Select(row => row.Split(' ')).ToArray();
        var once = string.Join(" | ", rows.Select(row => string.Join(' ', rows[0].Take(1).Concat(row[1..]))));
        (rows[0][0], rows[1][0]) = (rows[1][0], rows[0][0]);
        return [.. OfBoard(right), once, string.Join(" | ", rows.Select(row => string.Join(' ', row)))];
    }

    private static List<string> OfInteger(string right)
    {
        var number = int.Parse(right, System.Globalization.CultureInfo.InvariantCulture);
        return
        [
            $"{number + 1}", $"{number - 1}", $"{-number - 1}", $"1{right}", $"{right}.5", $"{right}-", $"about {right}", $"{right} {number + 1}", "x", "many", "1e3", $"0x{right}",
        ];
    }

    private static List<string> OfStep(string right) =>
        [right == "none" ? "1" : "none", right == "2" ? "1" : "2", "0", "-1", "999", "1.5", "step", $"{right}s", "none none", "nothing", "yes", $"{right}/1"];

    private static List<string> OfName(string right) =>
    [
        right == "lamp" ? "drum" : "lamp", right == "kite" ? "bell" : "kite", "the", $"the the {right}", $"{right}s", $"not {right}", "nothing", right[1..], $"{right},", "north", "1",
    ];

    private static List<string> OfTimes(string right)
    {
        var (length, count) = (int.Parse(right.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture), right.Split(' ')[1]);
        return
        [
            $"{length}", count, $"{length + 5} {count}", $"{length - 5} {count}", $"{-length} {count}", $"{length} {count}1", $"{length} -{count}", $"{length}:{count}",
            $"{length} minutes {count}", $"{length} {count} {count}", $"{length}.0 {count}", "none",
        ];
    }
}
