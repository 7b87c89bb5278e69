namespace MiniMaxSharp.Training.Mathematics;

/// <summary>What an answer is.</summary>
internal abstract record MathValue
{
    /// <summary>Whether two answers say the same.</summary>
    /// <exception cref="FormatException">To find out is too much work.</exception>
    public static bool Same(MathValue a, MathValue b, Effort effort) => (a, b) switch
    {
        (Number x, Number y) => x.Value.IsEqualTo(y.Value, effort),
        (Words x, Words y) => x.Text == y.Text,
        (Bracketed x, Bracketed y) => x.Open == y.Open && x.Close == y.Close && x.Items.Length == y.Items.Length
            && x.Items.Zip(y.Items).All(pair => Same(pair.First, pair.Second, effort)),
        (Collection x, Collection y) => x.Covers(y, effort) && y.Covers(x, effort),
        (Relation x, Relation y) => x.SaysTheSameAs(y, effort),
        (Relation { IsAssignment: true } x, _) => Same(x.Right, b, effort),
        (_, Relation { IsAssignment: true } y) => Same(a, y.Right, effort),
        _ => false,
    };
}

/// <summary>A number or an expression with letters.</summary>
internal sealed record Number(Expression Value) : MathValue;

/// <summary>Text that is none of the others, in small letters with single spaces.</summary>
internal sealed record Words(string Text) : MathValue;

/// <summary>A tuple or an interval, which look alike: ( or [, two items or more, ) or ].</summary>
internal sealed record Bracketed(char Open, char Close, MathValue[] Items) : MathValue;

/// <summary>
/// A set, a list without brackets or a union: its members in any order and any number of times. Comparing each with each is cheap
/// enough, as the text bounds their number.
/// </summary>
internal sealed record Collection(MathValue[] Items) : MathValue
{
    /// <summary>What stands in a list; itself where all members are the same.</summary>
    public static MathValue Of(IEnumerable<MathValue> members, Effort effort)
    {
        var different = new List<MathValue>();
        foreach (MathValue member in members)
        {
            if (!different.Exists(d => Same(d, member, effort)))
            {
                different.Add(member);
            }
        }

        return different.Count == 1 ? different[0] : new Collection([.. different]);
    }

    public bool Covers(Collection other, Effort effort) => other.Items.All(item => Items.Any(mine => Same(mine, item, effort)));
}

/// <summary>Two sides with a sign between them; <paramref name="Named"/> where the left one is a name and no more.</summary>
internal sealed record Relation(char Sign, bool Named, MathValue Left, MathValue Right) : MathValue
{
    /// <summary>x = 3: the name may be left out of an answer.</summary>
    public bool IsAssignment => Named && Sign == '=';

    /// <summary>The same sides, or equations that are multiples of one another.</summary>
    public bool SaysTheSameAs(Relation other, Effort effort)
    {
        if (Sign != other.Sign)
        {
            return false;
        }

        if (Same(Left, other.Left, effort) && Same(Right, other.Right, effort))
        {
            return true;
        }

        return Sign is '=' or '≠' && Difference(effort) is { } mine && other.Difference(effort) is { } theirs
            && Ratio(mine, theirs, effort) is { } ratio && mine.IsEqualTo(theirs.Times(ratio, effort), effort);
    }

    private Expression? Difference(Effort effort) =>
        Left is Number left && Right is Number right ? left.Value.Plus(right.Value.Negated(), effort) : null;

    private static Expression? Ratio(Expression mine, Expression theirs, Effort effort)
    {
        if (mine.Numerator.IsZero || theirs.Numerator.IsZero)
        {
            return null;
        }

        Rational first = mine.Numerator.Terms.First().Coefficient, second = theirs.Numerator.Terms.First().Coefficient;
        return Expression.Of(first).Over(Expression.Of(second), effort);
    }
}
