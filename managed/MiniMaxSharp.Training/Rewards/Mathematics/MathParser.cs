using System.Text;
using System.Text.RegularExpressions;

namespace MiniMaxSharp.Training.Mathematics;

/// <summary>
/// Reads an answer by recursive descent over the characters of <see cref="MathNotation.Unify"/>:
/// <code>
/// list     = item { (, | ; | and | or) item }
/// item     = words | name = sides | union { sign union }
/// union    = sum { ∪ sum }
/// sum      = [+ | - | ±] product { (+ | - | ±) product }
/// product  = power { (* | / | nothing) power | unit }
/// power    = primary [^ power] [% | °]
/// primary  = number | letter | √ | \frac | function | |sum| | brackets | set
/// </code>
/// Every level goes through <see cref="Deeper{T}"/>, so that no text exhausts the stack. Lists, items and the cursor are here; the rest is in
/// <c>MathParser.Sets.cs</c>, <c>.Terms.cs</c>, <c>.Names.cs</c> and <c>.Numbers.cs</c>.
/// </summary>
internal sealed partial class MathParser
{
    private const int MaxDepth = 100;
    private const char End = '\0';

    private static readonly HashSet<string> s_functions =
        ["sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "ln", "log", "exp", "lg"];

    private static readonly HashSet<string> s_constants = ["pi", "sqrt", "inf", "infinity", "infty"];

    private readonly string _text;
    private readonly Effort _effort;
    private readonly int _plusMinus;
    private int _at;
    private int _depth;
    private int _brackets;

    private MathParser(string text, Effort effort, int plusMinus)
    {
        _text = text;
        _effort = effort;
        _plusMinus = plusMinus;
    }

    private char Next => _at < _text.Length ? _text[_at] : End;

    /// <summary>Reads the whole text. With ± in it, both readings are members of the answer, all signs turned at once.</summary>
    /// <exception cref="FormatException">It is nothing that is known here, or too complex.</exception>
    public static MathValue Parse(string text, Effort effort)
    {
        IReadOnlyList<MathValue> upper = new MathParser(text, effort, 1).Whole();
        if (text.AsSpan().IndexOfAny('±', '∓') < 0)
        {
            return Collection.Of(upper, effort);
        }

        IReadOnlyList<MathValue> lower = new MathParser(text, effort, -1).Whole();
        return Collection.Of([.. upper.SelectMany(Members), .. lower.SelectMany(Members)], effort);
    }

    private static IEnumerable<MathValue> Members(MathValue value) => value switch
    {
        Collection set => set.Items,
        Relation { IsAssignment: true } assignment => Members(assignment.Right),
        _ => [value],
    };

    private List<MathValue> Whole()
    {
        var items = new List<MathValue> { Item() };
        while (Separator())
        {
            items.Add(Item());
        }

        return Next == End ? items : throw Unexpected();
    }

    private bool Separator()
    {
        bool comma = Take(',') || Take(';');
        return Conjunction() || comma;
    }

    private bool Conjunction()
    {
        SkipSpace();
        Match word = ConjunctionHere().Match(_text, _at);
        _at += word.Length;
        return word.Success;
    }

    private MathValue Item() => Deeper(() =>
    {
        SkipSpace();
        if (NameHere().Match(_text, _at) is { Success: true } name)
        {
            _at += name.Length;
            string bare = Space().Replace(name.Groups["name"].Value, "");
            SkipSpace();
            MathValue right = TryWords() ?? Union();
            while (Take('='))
            {
                right = Union();
            }

            return new Relation('=', true, new Number(Expression.Symbol(bare)), right);
        }

        return TryWords() ?? Comparison();
    });

    // Letters, and \text with whatever it holds, up to where an item ends.
    private Words? TryWords()
    {
        string run = LettersHere().Match(_text, _at).Value;
        if (!WordsHere().IsMatch(_text, _at) || s_functions.Contains(run) || s_constants.Contains(run))
        {
            return null;
        }

        var words = new StringBuilder();
        int at = _at;
        while (at < _text.Length && _text[at] is var c && c is not (',' or ';' or ')' or ']' or '}') && !_text.AsSpan(at).StartsWith(@"\}"))
        {
            if (TextHere().Match(_text, at) is { Success: true } dressed)
            {
                words.Append(dressed.Groups["inside"].ValueSpan);
                at += dressed.Length;
            }
            else if (char.IsLetterOrDigit(c) || c is ' ' or '-' or '\'' or '’' or '.' or ':')
            {
                words.Append(c);
                at++;
            }
            else
            {
                return null;
            }
        }

        _at = at;
        return new Words(Space().Replace(words.ToString(), " ").Trim(' ', '.', '(', ')').ToLowerInvariant());
    }

    private static Expression Scalar(MathValue value) =>
        value is Number number ? number.Value : throw new FormatException("a tuple, a set, a relation or a word where a number is needed");

    private T Deeper<T>(Func<T> read)
    {
        if (++_depth > MaxDepth)
        {
            throw Effort.TooComplex();
        }

        T value = read();
        _depth--;
        return value;
    }

    private bool Take(char sign)
    {
        SkipSpace();
        if (Next != sign || sign == End)
        {
            return false;
        }

        _at++;
        return true;
    }

    private void Require(char sign)
    {
        if (!Take(sign))
        {
            throw Unexpected();
        }
    }

    private void SkipSpace()
    {
        while (char.IsWhiteSpace(Next))
        {
            _at++;
        }
    }

    private FormatException Unexpected() =>
        new(_at >= _text.Length ? "the answer ends too soon" : $"'{_text[_at]}' at character {_at + 1} of '{_text}' is not expected");

    [GeneratedRegex(@"\G(?:(?:and|or)(?![A-Za-z])|\\text\s*\{\s*(?:and|or)\s*\})", RegexOptions.IgnoreCase)]
    private static partial Regex ConjunctionHere();

    // A name with an argument or none, or a tuple of names, and the sign that says what it is.
    [GeneratedRegex(@"\G(?<name>\(\s*\p{L}(?:\s*,\s*\p{L}){1,5}\s*\)|(?:\p{L}|\p{L}{3,20})(?:_(?:\w|\{\w{1,20}\}))?\s*(?:\(\s*\p{L}(?:\s*,\s*\p{L}){0,5}\s*\))?)\s*[=∈]")]
    private static partial Regex NameHere();

    [GeneratedRegex(@"\G(?:\\text\b|\p{L}{3}|no\b)", RegexOptions.IgnoreCase)]
    private static partial Regex WordsHere();

    [GeneratedRegex(@"\G\\text\s*\{(?<inside>[^{}]*)\}")]
    private static partial Regex TextHere();

    [GeneratedRegex(@"\G[A-Za-z]+")]
    private static partial Regex LettersHere();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
