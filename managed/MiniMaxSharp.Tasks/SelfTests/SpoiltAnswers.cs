namespace MiniMaxSharp.Tasks;

/// <summary>Makes spoilt answers. Whether one is wrong after all, <see cref="SecondOpinion"/> says.</summary>
internal static class SpoiltAnswers
{
    private const string Signs = "?!~§$&^";
    private const int NearlyTooLong = 4000;

    /// <summary>Null where the solution cannot be spoilt in this way.</summary>
    /// <param name="kind">How.</param>
    /// <param name="solution">A right answer.</param>
    /// <param name="other">The solution of another puzzle.</param>
    /// <param name="rng">Chooses where and by what.</param>
    internal static string? Make(WrongAnswer kind, string solution, string other, Rng rng)
    {
        var symbols = solution.Split(' ');
        var places = Enumerable.Range(0, symbols.Length).Where(at => symbols[at] is not ("|" or "," or ";")).ToArray();
        return kind switch
        {
            WrongAnswer.Empty => "",
            WrongAnswer.Garbage => string.Concat(Enumerable.Range(0, rng.Between(1, 40)).Select(_ => Signs[rng.Below(Signs.Length)])),
            WrongAnswer.AnotherSolution => other == solution ? null : other,
            WrongAnswer.Replaced => Replace(symbols, rng.Pick(places), other, rng),
            WrongAnswer.Removed => Without(symbols, rng.Pick(places)),
            WrongAnswer.Added => With(symbols, rng.Pick(places), symbols[rng.Pick(places)]),
            WrongAnswer.Exchanged => Exchange(symbols, places, rng),
            WrongAnswer.Altered => Alter(solution, rng),
            WrongAnswer.Json => $$"""{"answer":"{{solution}}"}""",
            WrongAnswer.Enormous => string.Join(' ', Enumerable.Repeat(solution, Math.Max(2, NearlyTooLong / (solution.Length + 1)))),
            WrongAnswer.Code => rng.Pick([$"eval(\"{solution}\")", $"__import__('os').popen('echo {solution}').read()", $"$(echo '{solution}')", $"={solution};exit()"]),
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
    }

    /// <summary>By a symbol that occurs in the solution or in the other one, so that it looks like an answer.</summary>
    private static string? Replace(string[] symbols, int at, string other, Rng rng)
    {
        var choices = symbols.Concat(other.Split(' ')).Where(symbol => symbol != symbols[at] && symbol is not ("|" or "," or ";")).Distinct().ToArray();
        return choices.Length == 0 ? null : string.Join(' ', symbols[..at].Append(rng.Pick(choices)).Concat(symbols[(at + 1)..]));
    }

    private static string With(string[] symbols, int at, string more) => string.Join(' ', symbols[..at].Append(more).Concat(symbols[at..]));

    private static string Without(string[] symbols, int at) => string.Join(' ', symbols.Where((_, index) => index != at));

    private static string? Exchange(string[] symbols, int[] places, Rng rng)
    {
        var a = rng.Pick(places);
        var others = places.Where(place => symbols[place] != symbols[a]).ToArray();
        if (others.Length == 0)
            return null;
        var (exchanged, b) = (symbols.ToArray(), rng.Pick(others));
        (exchanged[a], exchanged[b]) = (exchanged[b], exchanged[a]);
        return string.Join(' ', exchanged);
    }

    private static string Alter(string solution, Rng rng)
    {
        var places = Enumerable.Range(0, solution.Length).Where(at => char.IsAsciiLetterOrDigit(solution[at]) || solution[at] is '+' or '-').ToArray();
        if (places.Length == 0)
            return $"-{solution}";
        var place = rng.Pick(places);
        var altered = solution[place] switch
        {
            '+' => '-',
            '-' => '+',
            >= '0' and <= '9' and var digit => Next(digit, '0', 10),
            >= 'a' and <= 'z' and var letter => Next(letter, 'a', 26),
            var letter => Next(letter, 'A', 26),
        };
        return $"{solution[..place]}{altered}{solution[(place + 1)..]}";

        char Next(char c, char first, int count) => (char)(first + ((c - first + rng.Between(1, count - 1)) % count));
    }
}
