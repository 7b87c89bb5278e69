using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace MiniMaxSharp.Training;

/// <summary>
/// What a person sees while a run goes on. On a terminal: a few rows that are kept up to date, one a metric, each with the curve of
/// its last values, and whatever is said above them. Elsewhere, in a pipe or a log: a line now and then, about fifty a phase.
/// </summary>
public sealed class LiveConsole
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
    private readonly IAnsiConsole _console;
    private readonly LiveDisplayContext? _display;

    private LiveConsole(IAnsiConsole console, LiveDisplayContext? display)
    {
        _console = console;
        _display = display;
    }

    /// <summary>Runs something that is watched.</summary>
    /// <param name="run">Says and shows.</param>
    /// <param name="plain">Plain lines even on a terminal.</param>
    /// <param name="console">Where to write; this process's standard output by default.</param>
    public static Task<T> RunAsync<T>(Func<LiveConsole, Task<T>> run, bool plain = false, IAnsiConsole? console = null)
    {
        ArgumentNullException.ThrowIfNull(run);
        console ??= AnsiConsole.Console;
        return plain || !console.Profile.Out.IsTerminal
            ? run(new LiveConsole(console, null))
            : console.Live(Text.Empty).StartAsync(display => run(new LiveConsole(console, display)));
    }

    /// <summary>Writes a line that stays.</summary>
    public void Say(string line)
    {
        if (_display is null)
        {
            WriteLine(line);
        }
        else
        {
            _console.WriteLine(line);
        }
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
        if (_display is not null)
        {
            _display.UpdateTarget(new Rows(new Text($"{progress}  {time}"), Table(phase, shown)));
            _display.Refresh();
        }
        else if (step % Math.Max(1, (steps ?? 5000) / 50) == 0)
        {
            WriteLine($"{progress}: {string.Join(", ", shown.Select(s => $"{s.Name} {s.Text}").Append(time).Where(s => s.Length > 0))}");
        }
    }

    // As it is: a line of a log is not broken at a width.
    private void WriteLine(string line)
    {
        _console.Profile.Out.Writer.WriteLine(line);
        _console.Profile.Out.Writer.Flush();
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

    private Grid Table(string phase, (string Name, string Text, double Value)[] shown)
    {
        if (phase != _phase)
        {
            _history.Clear();
            _phase = phase;
        }

        Grid grid = new Grid().AddColumn(new GridColumn().NoWrap()).AddColumn(new GridColumn().NoWrap().RightAligned()).AddColumn(new GridColumn().NoWrap());
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

            grid.AddRow(new IRenderable[] { new Text(name), new Text(text), new Text(Curve(values)) });
        }

        return grid;
    }

    private static string Curve(List<double> values)
    {
        double low = values.Min(), high = values.Max();
        return string.Concat(values.Select(v => Bars[high > low ? (int)((v - low) / (high - low) * (Bars.Length - 1)) : 0]));
    }
}
