using System.Diagnostics.CodeAnalysis;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// GPT-2's one-to-one map between the 256 bytes and 256 visible characters: a printable Latin-1 character stands
/// for its own byte; the other 68 bytes take the characters from U+0100 on, in byte order.
/// </summary>
internal static class ByteSymbols
{
    private const int FirstShifted = 0x100;

    private static readonly char[] s_symbols = BuildSymbols();
    private static readonly short[] s_bytes = BuildBytes();

    /// <summary>All bytes in the order in which GPT-2 numbers them: those with a printable character first.</summary>
    public static IEnumerable<byte> InIdOrder =>
        AllBytes().Where(IsPrintable).Concat(AllBytes().Where(value => !IsPrintable(value)));

    public static char SymbolOf(byte value) => s_symbols[value];

    public static string ToSymbols(ReadOnlySpan<byte> bytes) =>
        string.Create(bytes.Length, bytes, static (target, source) => WriteSymbols(source, target));

    public static void WriteSymbols(ReadOnlySpan<byte> bytes, Span<char> target)
    {
        for (var i = 0; i < bytes.Length; i++)
        {
            target[i] = s_symbols[bytes[i]];
        }
    }

    /// <summary>The bytes that the symbols stand for; false where a character is not a byte's symbol.</summary>
    public static bool TryToBytes(ReadOnlySpan<char> symbols, [NotNullWhen(true)] out byte[]? bytes)
    {
        var result = new byte[symbols.Length];
        for (var i = 0; i < symbols.Length; i++)
        {
            var value = symbols[i] < s_bytes.Length ? s_bytes[symbols[i]] : (short)-1;
            if (value < 0)
            {
                bytes = null;
                return false;
            }

            result[i] = (byte)value;
        }

        bytes = result;
        return true;
    }

    private static IEnumerable<byte> AllBytes() => Enumerable.Range(0, 256).Select(value => (byte)value);

    private static bool IsPrintable(byte value) => value is (>= 0x21 and <= 0x7E) or (>= 0xA1 and not 0xAD);

    private static char[] BuildSymbols()
    {
        var symbols = new char[256];
        var next = FirstShifted;
        foreach (var value in AllBytes())
        {
            symbols[value] = (char)(IsPrintable(value) ? value : next++);
        }

        return symbols;
    }

    private static short[] BuildBytes()
    {
        var bytes = new short[FirstShifted + 68];
        Array.Fill(bytes, (short)-1);
        foreach (var value in AllBytes())
        {
            bytes[s_symbols[value]] = value;
        }

        return bytes;
    }
}
