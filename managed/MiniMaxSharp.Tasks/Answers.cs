using System.Globalization;

namespace MiniMaxSharp.Tasks;

/// <summary>Answers that are one number.</summary>
internal static class Answers
{
    /// <summary>One whole number and nothing else; otherwise null.</summary>
    internal static int? Number(string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>Compares an answer with the number that is right.</summary>
    internal static Verdict CheckNumber(string answer, int right) => Number(answer) switch
    {
        null => Verdict.Wrong("not a whole number"),
        var number when number == right => Verdict.Right,
        _ => Verdict.Wrong("another number is right"),
    };
}
