using System.Text;

namespace MiniMaxSharp.Training;

/// <summary>
/// Texts as words, for comparing them: runs of letters and digits in lower case. Choice: an ideograph or kana is a word of its own, as such
/// texts have no spaces.
/// </summary>
internal static class WordRuns
{
    public static List<string> Words(string text)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (IsWordOfItsOwn(rune))
            {
                End();
                words.Add(rune.ToString());
            }
            else if (Rune.IsLetterOrDigit(rune))
            {
                word.Append(Rune.ToLowerInvariant(rune).ToString());
            }
            else
            {
                End();
            }
        }

        End();
        return words;

        void End()
        {
            if (word.Length > 0)
            {
                words.Add(word.ToString());
                word.Clear();
            }
        }
    }

    /// <summary>All runs of so many words, each as one text.</summary>
    public static IEnumerable<string> Of(List<string> words, int length) =>
        Enumerable.Range(0, Math.Max(0, words.Count - length + 1)).Select(i => string.Join(' ', words.GetRange(i, length)));

    // Kana, then the planes of ideographs.
    private static bool IsWordOfItsOwn(Rune rune) => rune.Value is (>= 0x3040 and <= 0x30FF) or (>= 0x3400 and <= 0x9FFF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x20000 and <= 0x3FFFF);
}
