using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace MiniMaxSharp.Tests.Support;

/// <summary>
/// Compares a text with the file Class.Method_name.verified.txt beside the test, as Verify names it; a difference leaves
/// a .received.txt there. To accept one, rename it.
/// </summary>
internal static class Snapshot
{
    public static void Verify(string text, string name, [CallerFilePath] string file = "", [CallerMemberName] string method = "")
    {
        string stem = Path.Combine(Path.GetDirectoryName(file)!, $"{Path.GetFileNameWithoutExtension(file)}.{method}_{name}");
        string verified = stem + ".verified.txt", received = stem + ".received.txt";
        string expected = File.Exists(verified) ? File.ReadAllText(verified).ReplaceLineEndings("\n") : "";
        if (expected == text)
        {
            File.Delete(received);
            return;
        }

        File.WriteAllText(received, text);
        Assert.Fail(File.Exists(verified) ? $"{received} differs from what is verified" : $"{verified} does not exist yet; see {received}");
    }

    /// <summary>
    /// Four significant digits. A value within a thousandth of a unit of a rounding tie would round differently on another
    /// instruction set, so it is refused: choose other inputs.
    /// </summary>
    public static string Format(string name, ReadOnlySpan<float> values)
    {
        var text = new StringBuilder($"{name}:");
        foreach (float value in values)
        {
            text.Append(' ').Append(Rounded(value));
        }

        return text.Append('\n').ToString();
    }

    private static string Rounded(float value)
    {
        if (Math.Abs(value) < 1e-6)
        {
            return "0";
        }

        double unit = Math.Pow(10, Math.Floor(Math.Log10(Math.Abs((double)value))) - 3), scaled = value / unit;
        double tie = Math.Abs(Math.Abs(scaled - Math.Truncate(scaled)) - 0.5);
        Assert.True(tie >= 1e-3, $"{value} rounds differently by instruction set: choose other inputs");
        return (Math.Round(scaled) * unit).ToString("G4", CultureInfo.InvariantCulture);
    }
}
