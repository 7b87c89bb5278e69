/// <summary>Works expressions of whole numbers out: + - * / % ^, brackets, variables, min and max.</summary>
public sealed class Calculator
{
    private readonly List<Token> _tokens;
    private readonly IReadOnlyDictionary<string, long> _variables;
    private int _position;

    private Calculator(List<Token> tokens, IReadOnlyDictionary<string, long> variables)
    {
        _tokens = tokens;
        _variables = variables;
    }

    /// <summary>The value of an expression.</summary>
    public static long Evaluate(string text, IReadOnlyDictionary<string, long>? variables = null)
    {
        var calculator = new Calculator(Tokenizer.Split(text), variables ?? new Dictionary<string, long>());
        var value = calculator.Sum();
        if (calculator._position < calculator._tokens.Count)
            throw new FormatException($"unexpected {calculator._tokens[calculator._position].Text}");
        return value;
    }

    private bool Accept(string symbol)
    {
        if (_position >= _tokens.Count || _tokens[_position] != new Token(Kind.Symbol, symbol))
            return false;
        _position++;
        return true;
    }

    private long Sum()
    {
        var value = Product();
        while (true)
        {
            if (Accept("+"))
                value += Product();
            else if (Accept("-"))
                value -= Product();
            else
                return value;
        }
    }

    private long Product()
    {
        var value = Sign();
        while (true)
        {
            if (Accept("*"))
                value *= Sign();
            else if (Accept("/"))
                value /= Sign();
            else if (Accept("%"))
                value %= Sign();
            else
                return value;
        }
    }

    private long Sign() => Accept("-") ? -Sign() : Power();

    /// <summary>Powers bind to the right: 2^3^2 is 2^9.</summary>
    private long Power()
    {
        var value = Atom();
        if (!Accept("^"))
            return value;
        var exponent = Sign();
        if (exponent < 0)
            throw new FormatException("negative exponent");
        var result = 1L;
        for (var i = 0; i < exponent; i++)
            result *= value;
        return result;
    }

    private long Atom()
    {
        if (Accept("("))
        {
            var inner = Sum();
            if (!Accept(")"))
                throw new FormatException("missing )");
            return inner;
        }
        if (_position >= _tokens.Count)
            throw new FormatException("unexpected end");
        var token = _tokens[_position++];
        if (token.Kind == Kind.Number)
            return long.Parse(token.Text);
        if (token.Kind == Kind.Symbol)
            throw new FormatException($"unexpected {token.Text}");
        return Accept("(") ? Call(token.Text) : Variable(token.Text);
    }

    private long Variable(string name) =>
        _variables.TryGetValue(name, out var value) ? value : throw new FormatException($"unknown variable {name}");

    private long Call(string name)
    {
        var arguments = new List<long> { Sum() };
        while (Accept(","))
            arguments.Add(Sum());
        if (!Accept(")"))
            throw new FormatException("missing )");
        return name switch
        {
            "min" => arguments.Min(),
            "max" => arguments.Max(),
            _ => throw new FormatException($"unknown function {name}"),
        };
    }
}
