namespace MiniMaxSharp.Tasks;

/// <summary>Text as words, for verifiers that are strict about content and easy about separators.</summary>
internal static class Words
{
    /// <summary>How an empty set is written.</summary>
    internal const string None = "none";

    private static readonly char[] Separators = [' ', '\t', '\r', '\n', ',', ';', '，', '、', '；'];

    internal static string[] Split(string text) => text.Split(Separators, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The set as words, or <see cref="None"/>.</summary>
    internal static string OfSet(IReadOnlyCollection<string> members) => members.Count == 0 ? None : string.Join(' ', members);

    /// <summary>Compares an answer that lists members, in any order, with the set that is right.</summary>
    internal static Verdict CheckSet(string answer, IReadOnlyCollection<string> right, IReadOnlyCollection<string> possible)
    {
        var words = Split(answer);
        if (words.Length == 0)
            return Verdict.Wrong("empty");
        if (words is [var only] && only.Equals(None, StringComparison.OrdinalIgnoreCase))
            return right.Count == 0 ? Verdict.Right : Verdict.Wrong("there are some");
        if (words.FirstOrDefault(word => !possible.Contains(word)) is { } stranger)
            return Verdict.Wrong($"'{stranger}' is not among the choices");
        if (words.Distinct().Count() != words.Length)
            return Verdict.Wrong("something is listed twice");
        return words.Length == right.Count && words.All(right.Contains) ? Verdict.Right : Verdict.Wrong("another set is right");
    }
}
