using System.Text.RegularExpressions;

namespace MiniMaxSharp.Training.Mathematics;

// What is made of several values: comparisons and the intervals they mean, unions, tuples, intervals and sets in brackets.
internal sealed partial class MathParser
{
    private MathValue Comparison()
    {
        int start = _at;
        var sides = new List<(MathValue Value, string Text)>();
        var signs = new List<char>();
        while (true)
        {
            MathValue side = Union();
            sides.Add((side, _text[start.._at].Trim()));
            if (Next is not ('=' or '<' or '>' or '≤' or '≥' or '≠'))
            {
                break;
            }

            signs.Add(_text[_at++]);
            start = _at;
        }

        return signs.Count switch
        {
            0 => sides[0].Value,
            _ when Interval(sides, signs) is { } interval => interval,
            1 => new Relation(signs[0], false, sides[0].Value, sides[1].Value),
            _ => throw new FormatException("more than one sign of comparison"),
        };
    }

    // x > 3, 1 ≤ x < 2: what an unknown lies between is an interval.
    private static Bracketed? Interval(List<(MathValue Value, string Text)> sides, List<char> signs)
    {
        if (signs.TrueForAll(s => s is '>' or '≥'))
        {
            sides.Reverse();
            signs = [.. signs.AsEnumerable().Reverse().Select(s => s == '>' ? '<' : '≤')];
        }

        int unknown = sides.FindIndex(s => UnknownHere().IsMatch(s.Text));
        if (sides.Count > 3 || unknown < 0 || (sides.Count == 3 && unknown != 1) || !signs.TrueForAll(s => s is '<' or '≤'))
        {
            return null;
        }

        Expression infinity = Expression.Symbol("∞");
        (MathValue low, char open) = unknown == 0 ? (new Number(infinity.Negated()), '(') : (sides[0].Value, signs[0] == '<' ? '(' : '[');
        (MathValue high, char close) = unknown == sides.Count - 1 ? (new Number(infinity), ')') : (sides[^1].Value, signs[^1] == '<' ? ')' : ']');
        return new Bracketed(open, close, [low, high]);
    }

    private MathValue Union()
    {
        MathValue first = Sum();
        if (Next != '∪')
        {
            return first;
        }

        var parts = new List<MathValue>(Parts(first));
        while (Take('∪'))
        {
            parts.AddRange(Parts(Sum()));
        }

        return Collection.Of(parts, _effort);

        static IEnumerable<MathValue> Parts(MathValue value) => value is Collection set ? set.Items : [value];
    }

    private MathValue Brackets()
    {
        char open = _text[_at++];
        List<MathValue> items = Inside(() => Next is ')' or ']' or '[');
        char close = Next;
        _at++;
        return items.Count > 1
            ? new Bracketed(open == ']' ? '(' : open, close == '[' ? ')' : close, [.. items])
            : items.Count == 1 && (open, close) is ('(', ')') or ('[', ']') ? items[0] : throw Unexpected();
    }

    private MathValue Braces(string open, string close, bool alone)
    {
        _at += open.Length;
        List<MathValue> items = Inside(() => _text.AsSpan(_at).StartsWith(close));
        _at += close.Length;
        return items.Count == 1 && !alone ? items[0] : new Collection([.. items]);
    }

    private List<MathValue> Inside(Func<bool> closed)
    {
        _brackets++;
        SkipSpace();
        var items = new List<MathValue>();
        while (!closed())
        {
            items.Add(Item());
            if (!closed() && !Take(',') && !Take(';'))
            {
                throw Unexpected();
            }
        }

        _brackets--;
        return items;
    }

    [GeneratedRegex(@"^\p{L}(?:_(?:\w|\{\w{1,20}\}))?$")]
    private static partial Regex UnknownHere();
}
