using System.Globalization;
using System.Net;
using System.Text;

namespace MiniMaxSharp.Training;

/// <summary>A curve of a report.</summary>
public sealed record Curve(string Name, IReadOnlyList<(double X, double Y)> Points);

/// <summary>A response shown in a report.</summary>
/// <param name="Task">What kind of question.</param>
/// <param name="Prompt">The question.</param>
/// <param name="Response">The model's text.</param>
/// <param name="Correct">Whether it was right.</param>
/// <param name="Reason">What the verifier said.</param>
public sealed record SampleAnswer(string Task, string Prompt, string Response, bool Correct, string Reason);

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

    /// <summary>Adds a chart of curves over the same axis; curves without points are left out.</summary>
    public HtmlReport Chart(string caption, params IReadOnlyList<Curve> curves)
    {
        Curve[] drawn = [.. curves.Where(c => c.Points.Count > 0)];
        if (drawn.Length == 0)
        {
            return this;
        }

        (double x0, double x1) = Range(drawn.SelectMany(c => c.Points.Select(p => p.X)));
        (double y0, double y1) = Range(drawn.SelectMany(c => c.Points.Select(p => p.Y)));
        _body.Append(CultureInfo.InvariantCulture, $"<figure><figcaption>{Escape(caption)}</figcaption>\n<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\">\n");
        for (int i = 0; i <= 4; i++)
        {
            double value = y0 + (y1 - y0) * i / 4, y = Y(value, y0, y1);
            _body.Append(CultureInfo.InvariantCulture, $"<line x1=\"{Left}\" y1=\"{y:F1}\" x2=\"{Width}\" y2=\"{y:F1}\" class=\"grid\"/><text x=\"{Left - 6}\" y=\"{y + 4:F1}\" text-anchor=\"end\">{value:G3}</text>\n");
            double at = x0 + (x1 - x0) * i / 4;
            _body.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(at, x0, x1):F1}\" y=\"{Height - 8}\" text-anchor=\"middle\">{at:G4}</text>\n");
        }

        for (int i = 0; i < drawn.Length; i++)
        {
            string colour = Colours[i % Colours.Length];
            _body.Append(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" points=\"");
            _body.AppendJoin(' ', drawn[i].Points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{X(p.X, x0, x1):F1},{Y(p.Y, y0, y1):F1}")));
            _body.Append(CultureInfo.InvariantCulture, $"\"/><text x=\"{Left + 8 + i * 150}\" y=\"12\" fill=\"{colour}\">{Escape(drawn[i].Name)}</text>\n");
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

    /// <summary>Writes the page.</summary>
    public void Save(string path) => File.WriteAllText(path, $$"""
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>{{Escape(title)}}</title>
        <style>
        body { font: 15px/1.5 system-ui, sans-serif; max-width: 760px; margin: 2rem auto; padding: 0 1rem; color: #1f2328; }
        table { border-collapse: collapse; } th, td { border: 1px solid #d0d7de; padding: .3rem .7rem; text-align: right; }
        th:first-child, td:first-child { text-align: left; }
        svg { width: 100%; font-size: 11px; fill: #57606a; } .grid { stroke: #eaeef2; } figure { margin: 1rem 0; }
        details { margin: .3rem 0; border-left: 4px solid #1a7f37; padding-left: .6rem; } details.wrong { border-color: #d1242f; }
        pre { white-space: pre-wrap; background: #f6f8fa; padding: .6rem; }
        </style></head><body>
        <h1>{{Escape(title)}}</h1>
        {{_body}}
        </body></html>

        """);

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private static (double Low, double High) Range(IEnumerable<double> values)
    {
        double low = values.Min(), high = values.Max();
        return high > low ? (low, high) : (low - 0.5, high + 0.5);
    }

    private static double X(double x, double x0, double x1) => Left + (x - x0) / (x1 - x0) * (Width - Left - 24);

    private static double Y(double y, double y0, double y1) => Height - Bottom - (y - y0) / (y1 - y0) * (Height - Bottom - 24);
}
