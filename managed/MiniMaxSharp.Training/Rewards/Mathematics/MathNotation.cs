using System.Text;
using System.Text.RegularExpressions;

namespace MiniMaxSharp.Training.Mathematics;

/// <summary>Brings the many ways to write the same sign to one: LaTeX's commands, Unicode's characters and plain text.</summary>
internal static partial class MathNotation
{
    // What stands for a sign, and the commands and characters it stands for.
    private static readonly Dictionary<string, string> s_commands = Table(
        ("±", "pm"),
        ("∓", "mp"),
        ("*", "cdot times ast"),
        ("/", "div"),
        ("∪", "cup"),
        ("∈", "in"),
        ("≤", "le leq leqslant"),
        ("≥", "ge geq geqslant"),
        ("≠", "ne neq"),
        ("<", "lt"),
        (">", "gt"),
        ("|", "lvert rvert"),
        ("∞", "infty"),
        ("∅", "emptyset varnothing"),
        ("°", "circ degree"),
        ("%", "%"),
        (@"\{", "{ lbrace"),
        (@"\}", "} rbrace"),
        (@"\frac", "frac dfrac tfrac cfrac"),
        (@"\text", "text textbf textrm textit mathrm mbox operatorname"),
        ("", "$ # ! left right big Big bigg Bigg bigl bigr displaystyle textstyle boxed mathbf mathbb mathcal bm"),
        (" ", "( ) [ ] , ; : quad qquad"),
        ("α", "alpha"),
        ("β", "beta"),
        ("γ", "gamma"),
        ("δ", "delta"),
        ("ε", "epsilon varepsilon"),
        ("θ", "theta"),
        ("λ", "lambda"),
        ("μ", "mu"),
        ("π", "pi"),
        ("ρ", "rho"),
        ("σ", "sigma"),
        ("τ", "tau"),
        ("φ", "phi varphi"),
        ("ω", "omega"));

    private static readonly Dictionary<string, string> s_characters = Table(
        ("-", "− –"),
        ("*", "× · ⋅"),
        ("/", "÷ ∕ ⁄"),
        ("^2", "²"),
        ("^3", "³"),
        (" 1/2", "½"),
        ("≤", "⩽"),
        ("≥", "⩾"),
        ("°", "º"),
        (",", "， 、"),
        (";", "；"),
        ("=", "＝"),
        ("(", "（"),
        (")", "）"),
        ("", "$ 。"),
        (" ", "~ ～ \u00a0 \u2009 \u202f"));

    /// <summary>The text in the signs that <see cref="MathParser"/> reads. Commands it does not know are left for it to refuse.</summary>
    public static string Unify(string text)
    {
        string grouped = Thousands().Replace(text, "");
        string commands = Command().Replace(grouped, c => c.Value == @"\ " ? " " : s_commands.GetValueOrDefault(c.Value[1..], c.Value));
        var unified = new StringBuilder(commands.Length);
        foreach (char c in commands)
        {
            unified.Append(s_characters.GetValueOrDefault(c.ToString(), c.ToString()));
        }

        return unified.Replace("**", "^").Replace("+/-", "±").Replace("<=", "≤").Replace(">=", "≥").Replace("!=", "≠").ToString().Trim().TrimEnd('.').TrimEnd();
    }

    /// <summary>The text without dress, for what is compared as words: no markup, spaces, case or parentheses around it.</summary>
    public static string Bare(string text)
    {
        string bare = Dress().Replace(Unify(text), "").ToLowerInvariant();
        while (bare is ['(', .., ')'])
        {
            bare = bare[1..^1];
        }

        return bare;
    }

    private static Dictionary<string, string> Table(params (string Sign, string Names)[] rows) => new(
        rows.SelectMany(row => row.Names.Split(' ').Select(name => KeyValuePair.Create(name, row.Sign))), StringComparer.Ordinal);

    // 1{,}000 and 1\,000; a bare comma may separate two numbers, which only the parser can tell.
    [GeneratedRegex(@"(?<=\d)(?:\{,\}(?:\\!)?|\\,|\\ |,\\!)(?=\d{3}(?!\d))")]
    private static partial Regex Thousands();

    [GeneratedRegex(@"\\(?:[A-Za-z]+|[^A-Za-z])")]
    private static partial Regex Command();

    [GeneratedRegex(@"\\text|[\s{}.]")]
    private static partial Regex Dress();
}
