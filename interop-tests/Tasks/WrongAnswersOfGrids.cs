using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Tests.Tasks;

/// <summary>Wrong answers to puzzles on grids, and to those whose answer is a number, a text, pairs or an equation.</summary>
internal static partial class WrongAnswers
{
    /// <summary>Wrong for any grid: too few or too many symbols, or ones that never occur.</summary>
    private static List<string> OfGrid(string right)
    {
        var symbols = right.Replace(" |", "").Split(' ');
        return
        [
            string.Join(' ', symbols[1..]), string.Join(' ', symbols[..^1]), $"{right} {symbols[0]}", $"{right} | {right}", "[]", "[[]]",
            string.Join(' ', symbols.Select((symbol, at) => at == 0 ? "#" : symbol)), string.Join(' ', symbols.Select(_ => "77")), right.Split(" | ")[0],
        ];
    }

    /// <summary>With two symbols of a row exchanged both columns are wrong, whatever the row's other constraints.</summary>
    private static List<string> OfLatinSquare(string right)
    {
        var rows = right.Split(" | ");
        var first = rows[0].Split(' ');
        (first[0], first[1]) = (first[1], first[0]);
        return
        [
            .. OfGrid(right), string.Join(" | ", rows[1..].Prepend(string.Join(' ', first))), string.Join(" | ", rows.Select(_ => rows[0])),
            right.Replace('1', '2'), right.Replace('4', '0'), right.Replace('3', '9'),
        ];
    }

    /// <summary>Where counts or sums are told, no single mark can be set or taken away.</summary>
    private static List<string> OfMarks(string right, string mark, string empty)
    {
        var symbols = right.Split(' ');
        var (marked, free) = (Array.IndexOf(symbols, mark), Array.IndexOf(symbols, empty));
        return
        [
            .. OfGrid(right), With((marked, empty)), With((free, mark)), right.Replace(mark, empty), right.Replace(empty, mark), With((Array.LastIndexOf(symbols, mark), "?")),
        ];

        string With((int At, string Symbol) change) => string.Join(' ', symbols.Select((symbol, at) => at == change.At ? change.Symbol : symbol));
    }

    /// <summary>An arrow that is turned is missing from the ray of its number, which no other cell can make up for.</summary>
    private static List<string> OfArrows(TaskInstance instance)
    {
        const string Arrows = "↑↗→↘↓↙←↖";
        var right = instance.Solution;
        var at = Enumerable.Range(0, right.Length).First(i => Arrows.Contains(right[i]));
        var number = right.Split(' ').First(symbol => char.IsAsciiDigit(symbol[0]));
        return
        [
            .. OfGrid(right), .. Arrows.Where(arrow => arrow != right[at]).Select(arrow => $"{right[..at]}{arrow}{right[(at + 1)..]}"),
            string.Join(' ', right.Split(' ').Select(symbol => symbol == number ? "24" : symbol)), right.Replace(right[at], '_'), instance.Puzzle.ToString()!,
        ];
    }

    private static List<string> OfNumber(string right)
    {
        var number = decimal.Parse(right, System.Globalization.CultureInfo.InvariantCulture);
        return
        [
            $"{number + 1}", $"{number - 1}", $"{number + 0.02m}", $"{number - 0.02m}", $"{number + 0.001m}", $"{number + 100}", $"{-number - 1}", $"{right}/1", $"{right}%", $"{right} {right}",
            "none", "1e3", "0x10",
        ];
    }

    private static List<string> OfText(string right) =>
    [
        right[1..], right[..^1], $"{right[0]}{right}", $"{right}X", $"{(right[0] is 'Q' or '5' ? '1' : right[0] == '1' ? '5' : 'Q')}{right[1..]}", $"\"{right}\"",
        new string(right[0], right.Replace(" ", "").Length) + ".", right.Replace(right[0], '#'), $"{right}0", "A",
    ];

    private static List<string> OfEquation(string right)
    {
        var digit = right.First(char.IsAsciiDigit);
        return
        [
            right.Replace(digit, 'A'), right.Replace('=', '+'), right.Replace("=", "= 1 +"), right.Split('=')[0], right.Split('=')[1], $"{right} = {right.Split('=')[1]}", $"0 {right}",
            $"{right} 0", $"{right} + 0", $"{right[..^1]}{(right[^1] == '9' ? '8' : (char)(right[^1] + 1))}", right.Replace(digit, '#'),
            string.Concat(right.Select(c => char.IsAsciiDigit(c) ? '1' : c)), string.Concat(right.Select(c => char.IsAsciiDigit(c) ? '0' : c)),
        ];
    }

    private static List<string> OfPairs(string right)
    {
        var pairs = right.Split(" ; ");
        var (first, second) = (pairs[0].Split(' '), pairs[1].Split(' '));
        return
        [
            string.Join(" ; ", pairs[1..]), string.Join(" ; ", pairs.Append(pairs[0])), string.Join(" ; ", pairs[1..].Append(pairs[1])),
            string.Join(" ; ", pairs[2..].Append($"{first[0]} {second[1]}").Append($"{second[0]} {first[1]}")), string.Join(" ; ", pairs[1..].Append($"{first[0]} {second[1]}")),
            string.Join(" ; ", pairs[1..].Append($"Nobody {first[1]}")), string.Join(" ; ", pairs[1..].Append($"{first[1]} {first[0]}")), right.ToUpperInvariant(), pairs[0],
            string.Join(" ; ", pairs[1..].Append(first[0])), string.Join(" ; ", pairs[1..].Append($"{first[0]} nothing")),
        ];
    }

    private static List<string> OfExpression(string right)
    {
        var (left, value) = (right.Split('=')[0].TrimEnd(), right.Split('=')[1].Replace(" ", ""));
        return
        [
            $"{left} = {value}1", $"{left} + 0", $"0 + {left}", $"( {left} )", left[2..], left[..^2], value, $"{left} =", $"{right} = {value}", left.Replace(left[0], '?'),
            string.Concat(left.Select(c => c is '+' or '-' or '*' or '/' or '%' ? '^' : c)), $"-{left}", $"1{left}",
        ];
    }

    private static List<string> OfCells(TaskInstance instance)
    {
        var (right, board) = (instance.Solution, instance.Puzzle.ToString()!.Replace(" ", "").Replace("\n", ""));
        var side = (int)Math.Sqrt(board.Length);
        var cells = right.Split(" ( ").Select(cell => cell.Trim('(', ')', ' ')).ToArray();
        var open = Enumerable.Range(0, board.Length).First(cell => board[cell] != '_');
        return
        [
            $"{right} ({(open / side) + 1},{(open % side) + 1})", $"{right} ({cells[0]})", string.Join(' ', cells[1..].Select(cell => $"({cell})")), $"{right} 1", $"{right} (0,1)", $"{right} (1,{side + 1})",
            $"{right} (x,1)", "()", "none", $"({(open / side) + 1},{(open % side) + 1})", $"{right} (-1,1)", $"{right} (1,1.5)",
        ];
    }
}
