using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// Strings of JSON that may escape unpaired surrogates, which <see cref="JsonElement.GetString"/> refuses: they stay what
/// they are, as in JavaScript.
/// </summary>
internal static class JsonText
{
    /// <summary>The value of an element that is a string.</summary>
    public static string Of(JsonElement element) => Unescape(JsonMarshal.GetRawUtf8Value(element)[1..^1]);

    public static string NameOf(JsonProperty property) => Unescape(JsonMarshal.GetRawUtf8PropertyName(property));

    /// <summary>A string as JSON: nothing but controls, quotes, backslashes and unpaired surrogates escaped.</summary>
    public static string Quote(string text)
    {
        var result = new StringBuilder(text.Length + 2).Append('"');
        for (var i = 0; i < text.Length; i++)
        {
            var character = text[i];
            if (i + 1 < text.Length && char.IsSurrogatePair(character, text[i + 1]))
            {
                result.Append(character).Append(text[++i]);
                continue;
            }

            _ = character switch
            {
                '"' => result.Append("\\\""),
                '\\' => result.Append("\\\\"),
                '\b' => result.Append("\\b"),
                '\t' => result.Append("\\t"),
                '\n' => result.Append("\\n"),
                '\f' => result.Append("\\f"),
                '\r' => result.Append("\\r"),
                < ' ' => result.Append($"\\u{(int)character:x4}"),
                _ when char.IsSurrogate(character) => result.Append($"\\u{(int)character:x4}"),
                _ => result.Append(character),
            };
        }

        return result.Append('"').ToString();
    }

    /// <summary>The parser has checked the escapes.</summary>
    private static string Unescape(ReadOnlySpan<byte> utf8)
    {
        var escaped = Encoding.UTF8.GetString(utf8);
        var at = escaped.IndexOf('\\');
        if (at < 0)
        {
            return escaped;
        }

        var result = new StringBuilder(escaped.Length).Append(escaped, 0, at);
        for (; at < escaped.Length; at++)
        {
            var character = escaped[at];
            if (character == '\\')
            {
                character = escaped[++at] switch
                {
                    'b' => '\b',
                    't' => '\t',
                    'n' => '\n',
                    'f' => '\f',
                    'r' => '\r',
                    'u' => (char)ushort.Parse(escaped.AsSpan((at += 4) - 3, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                    var itself => itself,
                };
            }

            result.Append(character);
        }

        return result.ToString();
    }
}
