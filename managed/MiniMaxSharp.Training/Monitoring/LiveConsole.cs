using System.Globalization;

namespace MiniMaxSharp.Training;

/// <summary>
/// What a person sees while a run goes on. On a terminal: a few rows that are kept up to date, one a metric, each with the curve of
/// its last values, and whatever is said above them. Elsewhere, in a pipe or a log: a line now and then, about fifty a phase.
/// </summary>
/// <param name="output">Where to write.</param>
/// <param name="width">Columns of the terminal; null where the output is none.</param>
public sealed class LiveConsole(TextWriter output, int? width)
{
    private const int History = 24;
    private const string Bars = "▁▂▃▄▅▆▇█";

    private static readonly (string Name, string Label, string Format)[] s_shown =
    [
        (MetricNames.Reward, "reward", "F3"),
        (MetricNames.Loss, "loss", "F3"),
        (MetricNames.MeanLength, "length", "F1"),
        (MetricNames.Entropy, "entropy", "F3"),
        (MetricNames.ClipRatio, "clipped", "P2"),
        (MetricNames.RolloutTrainerPearson, "correlation", "F6"),
        (MetricNames.GradientNorm, "gradient norm", "G3"),
        (MetricNames.WindowStage, "window stage", "F0"),
        (MetricNames.TokensPerSecond, "tokens/s", "F0"),
    ];

    private readonly Dictionary<string, List<double>> _history = [];
    private string _phase = "";
    private int _rows;

    /// <summary>For this process's standard output. A terminal that does not know its width is taken for a pipe.</summary>
    /// <param name="plain">Plain lines even on a terminal.</param>
    public static LiveConsole Open(bool plain = false) => new(Console.Out, plain || Console.IsOutputRedirected || Console.WindowWidth == 0 ? null : Console.WindowWidth);

    /// <summary>Writes a line that stays.</summary>
    public void Say(string line)
    {
        Clear();
        output.WriteLine(line);
        output.Flush();
    }

    /// <summary>Shows a step that is done.</summary>
    /// <param name="phase">Part of the run.</param>
    /// <param name="step">Steps of it that are done.</param>
    /// <param name="steps">All its steps, where known.</param>
    /// <param name="metrics">Of the step.</param>
    /// <param name="left">Time to the end of the run, where known.</param>
    public void Show(string phase, int step, int? steps, TrainingMetrics metrics, TimeSpan? left = null)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        (string Name, string Text, double Value)[] shown = [.. Shown(metrics)];
        string progress = string.Create(CultureInfo.InvariantCulture, $"{phase} step {step}{(steps is { } all ? $"/{all}" : "")}");
        string time = left is { } span ? string.Create(CultureInfo.InvariantCulture, $"{(int)Math.Max(0, span.TotalMinutes)}:{Math.Max(0, span.Seconds):D2} left") : "";
        if (width is { } columns)
        {
            Draw([$"{progress}  {time}", .. Rows(phase, shown)], columns);
        }
        else if (step % Math.Max(1, (steps ?? 5000) / 50) == 0)
        {
            output.WriteLine($"{progress}: {string.Join(", ", shown.Select(s => $"{s.Name} {s.Text}").Append(time).Where(s => s.Length > 0))}");
            output.Flush();
        }
    }

    private static IEnumerable<(string Name, string Text, double Value)> Shown(TrainingMetrics metrics)
    {
        foreach ((string name, string label, string format) in s_shown)
        {
            double value = metrics[name];
            if (!double.IsNaN(value))
            {
                yield return (label, value.ToString(format, CultureInfo.InvariantCulture), value);
            }

            if (name == MetricNames.Reward)
            {
                foreach ((string task, double rate) in metrics.Values.Where(v => IsTask(v.Name)))
                {
                    yield return (task[MetricNames.PassRatePrefix.Length..], rate.ToString("F2", CultureInfo.InvariantCulture), rate);
                }
            }
        }
    }

    // A task's pass rate over all its levels.
    private static bool IsTask(string name) =>
        name.StartsWith(MetricNames.PassRatePrefix, StringComparison.Ordinal) && !name.AsSpan(MetricNames.PassRatePrefix.Length).Contains('/');

    private IEnumerable<string> Rows(string phase, (string Name, string Text, double Value)[] shown)
    {
        if (phase != _phase)
        {
            _history.Clear();
            _phase = phase;
        }

        int names = shown.Max(s => s.Name.Length), texts = shown.Max(s => s.Text.Length);
        foreach ((string name, string text, double value) in shown)
        {
            if (!_history.TryGetValue(name, out List<double>? values))
            {
                _history.Add(name, values = []);
            }

            values.Add(value);
            if (values.Count > History)
            {
                values.RemoveAt(0);
            }

            yield return $"  {name.PadRight(names)}  {text.PadLeft(texts)}  {Curve(values)}";
        }
    }

    private static string Curve(List<double> values)
    {
        double low = values.Min(), high = values.Max();
        return string.Concat(values.Select(v => Bars[high > low ? (int)((v - low) / (high - low) * (Bars.Length - 1)) : 0]));
    }

    // Rows that would not fit in a line would wrap, and the next drawing would begin too low.
    private void Draw(IEnumerable<string> rows, int columns)
    {
        Clear();
        foreach (string row in rows)
        {
            output.WriteLine(row.Length < columns ? row : row[..Math.Max(0, columns - 1)]);
            _rows++;
        }

        output.Flush();
    }

    // Up to the first row that was drawn, and everything from there erased.
    private void Clear()
    {
        if (_rows > 0)
        {
            output.Write(string.Create(CultureInfo.InvariantCulture, $"\u001b[{_rows}A\u001b[J"));
            _rows = 0;
        }
    }
}
