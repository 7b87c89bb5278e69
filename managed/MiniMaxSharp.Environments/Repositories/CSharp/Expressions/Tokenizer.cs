/// <summary>What a token is.</summary>
public enum Kind
{
    Number,
    Name,
    Symbol,
}

/// <summary>A piece of an expression.</summary>
public readonly record struct Token(Kind Kind, string Text);

/// <summary>Cuts expressions into tokens.</summary>
public static class Tokenizer
{
    private const string Symbols = "+-*/%^(),";

    /// <summary>The tokens of a text; white space separates them.</summary>
    public static List<Token> Split(string text)
    {
        var tokens = new List<Token>();
        var i = 0;
        while (i < text.Length)
        {
            if (char.IsWhiteSpace(text[i]))
            {
                i++;
                continue;
            }
            var start = i;
            if (char.IsAsciiDigit(text[i]))
            {
                while (i < text.Length && char.IsAsciiDigit(text[i]))
                    i++;
                tokens.Add(new Token(Kind.Number, text[start..i]));
            }
            else if (char.IsAsciiLetter(text[i]))
            {
                while (i < text.Length && char.IsAsciiLetterOrDigit(text[i]))
                    i++;
                tokens.Add(new Token(Kind.Name, text[start..i]));
            }
            else if (Symbols.Contains(text[i]))
                tokens.Add(new Token(Kind.Symbol, text[i++].ToString()));
            else
                throw new FormatException($"unexpected '{text[i]}' at {i}");
        }
        return tokens;
    }
}
