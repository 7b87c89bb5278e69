using System.Buffers;
using System.Text;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// Unicode's normalisation form C (UAX #15). <see cref="string.Normalize()"/> does nothing in the invariant mode in which
/// our programs run, and throws on an unpaired surrogate elsewhere; here it stays as it is.
/// </summary>
internal static class CanonicalComposition
{
    private const char LastUnaffected = '\u02FF';

    /// <summary>Hangul syllables (Unicode 3.12) are arithmetic: leads × 21 vowels × (27 trails or none).</summary>
    private const int FirstSyllable = 0xAC00, FirstLead = 0x1100, FirstVowel = 0x1161, BeforeTrails = 0x11A7;
    private const int Leads = 19, Vowels = 21, Trails = 28, Syllables = Leads * Vowels * Trails;

    public static ReadOnlySpan<char> Apply(ReadOnlySpan<char> text)
    {
        if (!text.ContainsAnyExceptInRange('\0', LastUnaffected))
        {
            return text;
        }

        var decomposed = Decompose(text);
        Reorder(decomposed);
        return ToText(Compose(decomposed));
    }

    /// <summary>
    /// For each character of what <see cref="Apply"/> gives, the range of the text that it came from: itself, or the
    /// stretch between two characters that nothing before them can reach; null where nothing changes.
    /// </summary>
    public static (int Start, int End)[]? Origins(ReadOnlySpan<char> text)
    {
        if (Apply(text).SequenceEqual(text))
        {
            return null;
        }

        var origins = new List<(int Start, int End)>(text.Length);
        for (var start = 0; start < text.Length;)
        {
            var end = start;
            do
            {
                Rune.DecodeFromUtf16(text[end..], out _, out var length);
                end += length;
            }
            while (end < text.Length && !BeginsAnew(text[end..]));

            var stretch = text[start..end];
            var composed = Apply(stretch);
            var changed = !composed.SequenceEqual(stretch);
            for (var i = 0; i < composed.Length; i++)
            {
                origins.Add(changed ? (start, end) : (start + i, start + i + 1));
            }

            start = end;
        }

        return [.. origins];
    }

    /// <summary>Whether the first character neither moves past nor composes with one before it.</summary>
    private static bool BeginsAnew(ReadOnlySpan<char> text)
    {
        Rune.DecodeFromUtf16(text, out _, out var length);
        var first = Decompose(text[..length])[0];
        return ClassOf(first) == 0 && !Tables.Seconds.Contains(first)
            && first - FirstVowel is not (>= 0 and < Vowels) && first - BeforeTrails is not (> 0 and < Trails);
    }

    private static List<int> Decompose(ReadOnlySpan<char> text)
    {
        var result = new List<int>(text.Length);
        while (!text.IsEmpty)
        {
            var whole = Rune.DecodeFromUtf16(text, out var rune, out var length) == OperationStatus.Done;
            AppendDecomposed(whole ? rune.Value : text[0], result);
            text = text[length..];
        }

        return result;
    }

    private static void AppendDecomposed(int codePoint, List<int> result)
    {
        var syllable = codePoint - FirstSyllable;
        if (syllable is >= 0 and < Syllables)
        {
            result.Add(FirstLead + (syllable / Trails / Vowels));
            result.Add(FirstVowel + (syllable / Trails % Vowels));
            if (syllable % Trails > 0)
            {
                result.Add(BeforeTrails + (syllable % Trails));
            }
        }
        else if (Tables.Decompositions.TryGetValue(codePoint, out var parts))
        {
            result.AddRange(parts);
        }
        else
        {
            result.Add(codePoint);
        }
    }

    /// <summary>Sorts each run of combining marks by class, those of one class in the order given.</summary>
    private static void Reorder(List<int> text)
    {
        for (var start = 0; start < text.Count; start++)
        {
            var end = start;
            while (end < text.Count && ClassOf(text[end]) > 0)
            {
                end++;
            }

            if (end - start > 1)
            {
                var sorted = text[start..end].OrderBy(ClassOf).ToList();
                for (var i = start; i < end; i++)
                {
                    text[i] = sorted[i - start];
                }
            }

            start = end;
        }
    }

    private static List<int> Compose(List<int> text)
    {
        var result = new List<int>(text.Count);
        var starter = -1;
        var lastClass = 0;
        foreach (var codePoint in text)
        {
            // A mark of the same or a higher class in between blocks a composition.
            var combiningClass = ClassOf(codePoint);
            var reachable = starter >= 0 && (starter == result.Count - 1 || lastClass < combiningClass);
            if (reachable && TryCompose(result[starter], codePoint, out var composed))
            {
                result[starter] = composed;
                continue;
            }

            starter = combiningClass == 0 ? result.Count : starter;
            lastClass = combiningClass;
            result.Add(codePoint);
        }

        return result;
    }

    private static bool TryCompose(int first, int second, out int composed)
    {
        if (first - FirstLead is >= 0 and < Leads && second - FirstVowel is >= 0 and < Vowels)
        {
            composed = FirstSyllable + ((((first - FirstLead) * Vowels) + second - FirstVowel) * Trails);
            return true;
        }

        if (first - FirstSyllable is >= 0 and < Syllables && (first - FirstSyllable) % Trails == 0
            && second - BeforeTrails is > 0 and < Trails)
        {
            composed = first + second - BeforeTrails;
            return true;
        }

        return Tables.Compositions.TryGetValue((first, second), out composed);
    }

    private static int ClassOf(int codePoint) => Tables.Classes.GetValueOrDefault(codePoint);

    private static string ToText(List<int> codePoints)
    {
        var result = new StringBuilder(codePoints.Count);
        Span<char> pair = stackalloc char[2];
        foreach (var codePoint in codePoints)
        {
            if (codePoint <= char.MaxValue)
            {
                result.Append((char)codePoint);
            }
            else
            {
                result.Append(pair[..new Rune(codePoint).EncodeToUtf16(pair)]);
            }
        }

        return result.ToString();
    }

    /// <summary>Look-up tables, built when first needed.</summary>
    private static class Tables
    {
        public static Dictionary<int, int[]> Decompositions { get; } = ReadDecompositions();

        public static Dictionary<(int First, int Second), int> Compositions { get; } = ReadCompositions();

        /// <summary>What may join the character before it.</summary>
        public static HashSet<int> Seconds { get; } = [.. Compositions.Keys.Select(pair => pair.Second)];

        public static Dictionary<int, byte> Classes { get; } = ReadClasses();

        private static Dictionary<int, int[]> ReadDecompositions()
        {
            var result = new Dictionary<int, int[]>();
            for (var data = CanonicalData.Decompositions; !data.IsEmpty; data = data[(2 + data[1])..])
            {
                result.Add(Math.Abs(data[0]), data.Slice(2, data[1]).ToArray());
            }

            return result;
        }

        /// <summary>Shorter decompositions come first, so that the front of a longer one is composed by then.</summary>
        private static Dictionary<(int First, int Second), int> ReadCompositions()
        {
            var result = new Dictionary<(int First, int Second), int>();
            for (var data = CanonicalData.Decompositions; !data.IsEmpty; data = data[(2 + data[1])..])
            {
                if (data[0] > 0)
                {
                    var parts = data.Slice(2, data[1]);
                    var front = parts[0];
                    foreach (var part in parts[1..^1])
                    {
                        front = result[(front, part)];
                    }

                    result.Add((front, parts[^1]), data[0]);
                }
            }

            return result;
        }

        private static Dictionary<int, byte> ReadClasses()
        {
            var result = new Dictionary<int, byte>();
            for (var data = CanonicalData.Classes; !data.IsEmpty; data = data[3..])
            {
                for (var codePoint = data[0]; codePoint <= data[1]; codePoint++)
                {
                    result.Add(codePoint, (byte)data[2]);
                }
            }

            return result;
        }
    }
}
