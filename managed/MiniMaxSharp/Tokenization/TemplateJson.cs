using System.Globalization;
using System.Text;
using System.Text.Json;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// JSON as the filter <c>tojson</c> of Hugging Face's Jinja for JavaScript writes it: a space after each comma and
/// colon, nothing but controls, quotes and backslashes escaped, numbers as ECMAScript prints them.
/// </summary>
internal static class TemplateJson
{
    private const long MaxExactInteger = 1L << 53;

    /// <exception cref="ArgumentException">A string is not valid Unicode.</exception>
    public static string Write(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "{" + string.Join(", ", element.EnumerateObject().Select(WriteProperty)) + "}",
        JsonValueKind.Array => "[" + string.Join(", ", element.EnumerateArray().Select(Write)) + "]",
        JsonValueKind.String => WriteString(() => element.GetString()!),
        JsonValueKind.Number => WriteNumber(element),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => "null",
    };

    private static string WriteProperty(JsonProperty property) =>
        $"{WriteString(() => property.Name)}: {Write(property.Value)}";

    private static string WriteString(Func<string> read)
    {
        string text;
        try
        {
            text = read();
        }
        catch (InvalidOperationException error)
        {
            throw new ArgumentException("A string of the tools is not valid Unicode.", error);
        }

        return Quote(text);
    }

    public static string Quote(string text)
    {
        var result = new StringBuilder("\"");
        foreach (var character in text)
        {
            result.Append(character switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\b' => "\\b",
                '\t' => "\\t",
                '\n' => "\\n",
                '\f' => "\\f",
                '\r' => "\\r",
                < ' ' => $"\\u{(int)character:x4}",
                _ => character.ToString(),
            });
        }

        return result.Append('"').ToString();
    }

    private static string WriteNumber(JsonElement number)
    {
        if (number.TryGetInt64(out var integer) && Math.Abs(integer) <= MaxExactInteger)
        {
            return integer.ToString(CultureInfo.InvariantCulture);
        }

        var value = number.GetDouble();
        return !double.IsFinite(value) ? "null" : value == 0 ? "0" : (value < 0 ? "-" : "") + WritePositive(Math.Abs(value));
    }

    /// <summary>ECMAScript's Number::toString: the shortest digits that round-trip, an exponent from 1e21 and below 1e-6.</summary>
    private static string WritePositive(double value)
    {
        // The shortest digits d and the exponent with value = 0.d × 10^point.
        var parts = "";
        for (var precision = 0; precision <= 16; precision++)
        {
            parts = value.ToString($"E{precision}", CultureInfo.InvariantCulture);
            if (double.Parse(parts, CultureInfo.InvariantCulture) == value)
            {
                break;
            }
        }

        var digits = parts[..parts.IndexOf('E')].Replace(".", "");
        var point = int.Parse(parts[(parts.IndexOf('E') + 1)..], CultureInfo.InvariantCulture) + 1;
        if (point is > 21 or <= -6)
        {
            var fraction = digits.Length > 1 ? $".{digits[1..]}" : "";
            return $"{digits[0]}{fraction}e{(point > 0 ? "+" : "-")}{Math.Abs(point - 1)}";
        }

        return point <= 0 ? $"0.{new string('0', -point)}{digits}"
            : point >= digits.Length ? digits.PadRight(point, '0')
            : $"{digits[..point]}.{digits[point..]}";
    }
}
