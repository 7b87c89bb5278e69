using System.Globalization;
using System.Net;
using System.Text;
using MiniMaxSharp.Checkpoints;

namespace MiniMaxSharp.Training;

/// <summary>A curve of a report.</summary>
public sealed record Curve(string Name, IReadOnlyList<(double X, double Y)> Points)
{
    /// <summary>What is shaded around it, if anything.</summary>
    public IReadOnlyList<(double X, double Low, double High)> Band { get; init; } = [];
}

/// <summary>One self-contained page: headings, tables, curves as inline SVG and sample answers. Everything is escaped.</summary>
public sealed class HtmlReport(string title)
{
    private const int Width = 640, Height = 240, Left = 48, Bottom = 28;
    private static readonly string[] Colours = ["#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#57606a"];
    private readonly StringBuilder _body = new();

    /// <summary>Adds a heading and a paragraph.</summary>
    public HtmlReport Section(string heading, string text = "")
    {
        _body.Append(CultureInfo.InvariantCulture, $"<h2>{Escape(heading)}</h2>\n");
        if (text.Length > 0)
        {
            _body.Append(CultureInfo.InvariantCulture, $"<p>{Escape(text)}</p>\n");
        }

        return this;
    }

    /// <summary>Adds a table; the first row is its head.</summary>
    public HtmlReport Table(IReadOnlyList<IReadOnlyList<string>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        _body.Append("<table>\n");
        for (int i = 0; i < rows.Count; i++)
        {
            string tag = i == 0 ? "th" : "td";
            _body.Append("<tr>").AppendJoin("", rows[i].Select(cell => $"<{tag}>{Escape(cell)}</{tag}>")).Append("</tr>\n");
        }

        _body.Append("</table>\n");
        return this;
    }

    /// <summary>
    /// Adds a chart of curves over the same axis, with a legend; curves without points are left out. A curve's colour goes by its
    /// place, so that one which is missing in a chart does not change the others'.
    /// </summary>
    public HtmlReport Chart(string caption, params IReadOnlyList<Curve> curves)
    {
        (Curve Curve, int Place)[] drawn = [.. curves.Select((c, i) => (c, i)).Where(c => c.c.Points.Count > 0)];
        if (drawn.Length == 0)
        {
            return this;
        }

        (double X0, double X1) x = Range(drawn.SelectMany(c => c.Curve.Points.Select(p => p.X)));
        (double Y0, double Y1) y = Range(drawn.SelectMany(c => c.Curve.Points.Select(p => p.Y).Concat(c.Curve.Band.SelectMany(b => new[] { b.Low, b.High }))));
        _body.Append(CultureInfo.InvariantCulture, $"<figure><figcaption>{Escape(caption)}");
        foreach ((Curve curve, int place) in drawn)
        {
            _body.Append(CultureInfo.InvariantCulture, $" <span style=\"color:{Colour(place)}\">{(place < Colours.Length ? "━" : "┅")} {Escape(curve.Name)}</span>");
        }

        _body.Append(CultureInfo.InvariantCulture, $"</figcaption>\n<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\">\n");
        Axes(x, y);
        foreach ((Curve curve, int place) in drawn)
        {
            Draw(curve, place, x, y);
        }

        _body.Append("</svg></figure>\n");
        return this;
    }

    /// <summary>Adds responses, each folded under its prompt.</summary>
    public HtmlReport Answers(IEnumerable<SampleAnswer> answers)
    {
        ArgumentNullException.ThrowIfNull(answers);
        foreach (SampleAnswer a in answers)
        {
            _body.Append(CultureInfo.InvariantCulture, $"<details class=\"{(a.Correct ? "right" : "wrong")}\"><summary>{(a.Correct ? "right" : "wrong")} · {Escape(a.Task)} · {Escape(a.Prompt)}</summary><pre>{Escape(a.Response)}</pre><p>{Escape(a.Reason)}</p></details>\n");
        }

        return this;
    }

    /// <summary>Writes the page, whole or not at all.</summary>
    public void Save(string path) => AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(Page())));

    private string Page() => $$"""
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>{{Escape(title)}}</title>
        <style>
        body { font: 15px/1.5 system-ui, sans-serif; max-width: 760px; margin: 2rem auto; padding: 0 1rem; color: #1f2328; }
        table { border-collapse: collapse; } th, td { border: 1px solid #d0d7de; padding: .3rem .7rem; text-align: right; }
        th:first-child, td:first-child { text-align: left; }
        svg { width: 100%; font-size: 11px; fill: #57606a; } .grid { stroke: #eaeef2; } figure { margin: 1rem 0; } figcaption span { white-space: nowrap; }
        details { margin: .3rem 0; border-left: 4px solid #1a7f37; padding-left: .6rem; } details.wrong { border-color: #d1242f; }
        pre { white-space: pre-wrap; background: #f6f8fa; padding: .6rem; }
        </style></head><body>
        <h1>{{Escape(title)}}</h1>
        {{_body}}
        </body></html>

        """;

    private void Axes((double Low, double High) x, (double Low, double High) y)
    {
        for (int i = 0; i <= 4; i++)
        {
            double value = y.Low + (y.High - y.Low) * i / 4, height = Y(value, y);
            _body.Append(CultureInfo.InvariantCulture, $"<line x1=\"{Left}\" y1=\"{height:F1}\" x2=\"{Width}\" y2=\"{height:F1}\" class=\"grid\"/><text x=\"{Left - 6}\" y=\"{height + 4:F1}\" text-anchor=\"end\">{value:G3}</text>\n");
            double at = x.Low + (x.High - x.Low) * i / 4;
            _body.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(at, x):F1}\" y=\"{Height - 8}\" text-anchor=\"middle\">{at:G4}</text>\n");
        }
    }

    private void Draw(Curve curve, int place, (double, double) x, (double, double) y)
    {
        if (curve.Band.Count > 0)
        {
            _body.Append(CultureInfo.InvariantCulture, $"<polygon fill=\"{Colour(place)}\" opacity=\"0.15\" points=\"");
            _body.AppendJoin(' ', curve.Band.Select(b => Point(b.X, b.High)).Concat(curve.Band.Reverse().Select(b => Point(b.X, b.Low)))).Append("\"/>\n");
        }

        string dashes = place < Colours.Length ? "" : " stroke-dasharray=\"5 3\"";
        _body.Append(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"{Colour(place)}\" stroke-width=\"1.6\"{dashes} points=\"");
        _body.AppendJoin(' ', curve.Points.Select(p => Point(p.X, p.Y))).Append("\"/>\n");

        string Point(double px, double py) => string.Create(CultureInfo.InvariantCulture, $"{X(px, x):F1},{Y(py, y):F1}");
    }

    private static string Colour(int place) => Colours[place % Colours.Length];

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private static (double Low, double High) Range(IEnumerable<double> values)
    {
        double low = values.Min(), high = values.Max();
        return high > low ? (low, high) : (low - 0.5, high + 0.5);
    }

    private static double X(double x, (double Low, double High) range) => Left + (x - range.Low) / (range.High - range.Low) * (Width - Left - 24);

    private static double Y(double y, (double Low, double High) range) => Height - Bottom - (y - range.Low) / (range.High - range.Low) * (Height - Bottom - 24);
}
