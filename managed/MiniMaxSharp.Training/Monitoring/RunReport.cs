using System.Globalization;
using System.Text.RegularExpressions;

namespace MiniMaxSharp.Training;

/// <summary>What a run left behind for a report.</summary>
/// <param name="Name">Of the run.</param>
/// <param name="Metrics">Its <c>metrics.jsonl</c>.</param>
/// <param name="Examples">Its <c>examples.jsonl</c>; none where there is no such file.</param>
public sealed partial record RunLog(string Name, IReadOnlyList<MetricsLine> Metrics, IReadOnlyList<ExampleLine> Examples)
{
    /// <summary>Name of the file of a <see cref="MetricsLog"/> in a run's folder.</summary>
    public const string MetricsFile = "metrics.jsonl";

    /// <summary>Name of the file of an <see cref="ExampleLog"/> in a run's folder.</summary>
    public const string ExamplesFile = "examples.jsonl";

    /// <summary>
    /// The name up to the seed: runs that share it are one curve with a band. <c>grpo-seed-3</c> and <c>grpo/seed-3</c> belong to
    /// <c>grpo</c>; a name that does not end in <c>seed</c> and a number stands alone.
    /// </summary>
    public string Group => Seed().Match(Name) is { Success: true } match ? match.Groups[1].Value : Name;

    /// <summary>Reads the runs of some folders. A run is named after its folder, one whose folder names nothing but a seed after the folder above as well.</summary>
    /// <exception cref="FileNotFoundException">A folder has no <c>metrics.jsonl</c>.</exception>
    /// <exception cref="InvalidDataException">A line is broken; names the file and the line. Or two runs have the same name.</exception>
    public static IReadOnlyList<RunLog> Load(IReadOnlyList<string> directories)
    {
        ArgumentNullException.ThrowIfNull(directories);
        RunLog[] runs = [.. directories.Select(Load)];
        return runs.GroupBy(r => r.Name).FirstOrDefault(g => g.Count() > 1) is { } same
            ? throw new InvalidDataException($"Two of {string.Join(", ", directories)} are called {same.Key}.")
            : runs;
    }

    private static RunLog Load(string directory)
    {
        string metrics = Path.Combine(directory, MetricsFile), examples = Path.Combine(directory, ExamplesFile);
        if (!File.Exists(metrics))
        {
            throw new FileNotFoundException($"{directory} has no {MetricsFile}.", metrics);
        }

        return new RunLog(NameOf(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory))), MetricsLog.Read(metrics), File.Exists(examples) ? ExampleLog.Read(examples) : []);
    }

    private static string NameOf(string path)
    {
        string folder = Path.GetFileName(path);
        return OnlySeed().IsMatch(folder) ? $"{Path.GetFileName(Path.GetDirectoryName(path))}/{folder}" : folder;
    }

    [GeneratedRegex("^(.+?)[-_./]seed[-_]?[0-9]+$")]
    private static partial Regex Seed();

    [GeneratedRegex("^seed[-_]?[0-9]+$")]
    private static partial Regex OnlySeed();
}

/// <summary>Runs in a report: laid over one another, with a band of one standard deviation where they differ in nothing but the seed.</summary>
public static class RunReport
{
    private static readonly (string Caption, string[] Metrics)[] s_charts =
    [
        ("Reward", [MetricNames.Reward]),
        ("Pass rate", [MetricNames.PassRate]),
        ("Loss", [MetricNames.Loss]),
        ("Loss of the value function", [MetricNames.ValueLoss]),
        ("Length of a response, tokens", [MetricNames.MeanLength, MetricNames.P50Length, MetricNames.P99Length]),
        ("Mean length by sign of the advantage, tokens", [MetricNames.PositiveMeanLength, MetricNames.NegativeMeanLength]),
        ("Share of responses cut off, and stopped for repeating themselves", [MetricNames.TruncatedRatio, MetricNames.RepetitionStopRate]),
        ("Share of tokens whose importance weight was capped", [MetricNames.ClipRatio]),
        ("Entropy of a token, nats", [MetricNames.Entropy]),
        ("Divergence from the reference, nats a token", [MetricNames.Kl]),
        ("Correlation of the probabilities of sampler and trainer", [MetricNames.RolloutTrainerPearson]),
        ("Perplexity of what is generated", [MetricNames.GeneratedPerplexity]),
        ("Correlation of length and reward", [MetricNames.LengthRewardCorrelation]),
        ("Expert load, coefficient of variation", [MetricNames.ExpertLoadCv]),
        ("Load-balancing loss", [MetricNames.AuxiliaryLoss]),
        ("Share of groups with equal rewards", [MetricNames.UniformGroups]),
        ("Gradient norm", [MetricNames.GradientNorm]),
        ("Learning rate", [MetricNames.LearningRate]),
        ("Window stage", [MetricNames.WindowStage]),
        ("Tokens a second", [MetricNames.TokensPerSecond]),
    ];

    /// <summary>Adds a table of last values, a chart for each metric and phase, and the examples by step.</summary>
    public static HtmlReport Runs(this HtmlReport report, IReadOnlyList<RunLog> runs)
    {
        ArgumentNullException.ThrowIfNull(report);
        Group[] groups = [.. runs.GroupBy(r => r.Group).Select(g => new Group(g.Count() == 1 ? g.First().Name : $"{g.Key} ({g.Count()} seeds)", [.. g]))];
        string[] phases = [.. runs.SelectMany(r => r.Metrics.Select(l => l.Phase)).Distinct()];
        report.Table(LastValues(groups, phases));
        foreach ((string caption, string[] metrics) in s_charts.Concat(Parts(runs)))
        {
            foreach (string phase in phases)
            {
                Chart(report, $"{caption} ({phase})", groups, phase, metrics);
            }
        }

        foreach (RunLog run in runs)
        {
            foreach (var step in run.Examples.GroupBy(e => (e.Phase, e.Step)))
            {
                report.Section(string.Create(CultureInfo.InvariantCulture, $"Examples of {run.Name}, {step.Key.Phase} step {step.Key.Step}")).Answers(step.Select(e => e.Answer));
            }
        }

        return report;
    }

    // One group's metrics share a chart; of several groups each metric has its own.
    private static void Chart(HtmlReport report, string caption, Group[] groups, string phase, string[] metrics)
    {
        if (groups is [var only])
        {
            Add(caption, [.. metrics.Select(m => only.Curve(phase, m, metrics.Length > 1 || only.Runs.Count > 1 ? m : only.Name))]);
            return;
        }

        foreach (string metric in metrics)
        {
            Add(metrics.Length > 1 ? $"{caption}: {metric}" : caption, [.. groups.Select(g => g.Curve(phase, metric, g.Name))]);
        }

        // A single point is no curve; the table has it.
        void Add(string title, Curve[] curves)
        {
            if (curves.Any(c => c.Points.Count > 1))
            {
                report.Chart(title, curves);
            }
        }
    }

    // Pass rates: all tasks together, then each by its difficulties; pass@k; and the parts of the reward.
    private static IEnumerable<(string Caption, string[] Metrics)> Parts(IReadOnlyList<RunLog> runs)
    {
        string[] names = [.. runs.SelectMany(r => r.Metrics.SelectMany(l => l.Values.Keys)).Distinct().Order(StringComparer.Ordinal)];
        string[] rates = [.. names.Where(n => n.StartsWith(MetricNames.PassRatePrefix, StringComparison.Ordinal))];
        yield return ("Pass rate by task", [.. rates.Where(r => r.Count(c => c == '/') == 1)]);
        foreach (var task in rates.Where(r => r.Count(c => c == '/') == 2).GroupBy(r => r[..r.LastIndexOf('/')]))
        {
            yield return ($"Pass rate of {task.Key[MetricNames.PassRatePrefix.Length..]} by difficulty", [.. task.OrderBy(r => r.Length)]);
        }

        yield return ("Share of questions that one of k answers is right to", [.. names.Where(n => n.StartsWith(MetricNames.PassAtPrefix, StringComparison.Ordinal))]);
        yield return ("Parts of the reward", [.. names.Where(n => n.StartsWith("rewards/", StringComparison.Ordinal))]);
    }

    private static List<IReadOnlyList<string>> LastValues(Group[] groups, string[] phases)
    {
        var rows = new List<IReadOnlyList<string>> { (string[])["last value", .. groups.Select(g => g.Name)] };
        foreach (string phase in phases)
        {
            string[] names = [.. groups.SelectMany(g => g.Runs.SelectMany(r => r.Metrics.Where(l => l.Phase == phase).SelectMany(l => l.Values.Keys))).Distinct()];
            foreach (string name in names.Where(n => n is MetricNames.Reward or MetricNames.Loss || n.Contains("pass_rate", StringComparison.Ordinal)))
            {
                rows.Add((string[])[$"{phase}: {name}", .. groups.Select(g => g.LastValue(phase, name))]);
            }
        }

        return rows;
    }

    private sealed record Group(string Name, IReadOnlyList<RunLog> Runs)
    {
        /// <summary>The mean at each step over the runs that have it, and one standard deviation to either side.</summary>
        public Curve Curve(string phase, string metric, string name)
        {
            (int Step, double Mean, double Deviation)[] steps =
            [
                .. from run in Runs
                   from line in run.Metrics
                   where line.Phase == phase && line.Values.ContainsKey(metric)
                   group line.Values[metric] by line.Step into values
                   orderby values.Key
                   select (values.Key, values.Average(), Deviation([.. values])),
            ];
            return new Curve(name, [.. steps.Select(s => ((double)s.Step, s.Mean))])
            {
                Band = Runs.Count == 1 ? [] : [.. steps.Select(s => ((double)s.Step, s.Mean - s.Deviation, s.Mean + s.Deviation))],
            };
        }

        public string LastValue(string phase, string metric)
        {
            double[] last = [.. Runs.Select(r => r.Metrics.LastOrDefault(l => l.Phase == phase && l.Values.ContainsKey(metric))).OfType<MetricsLine>().Select(l => l.Values[metric])];
            return last.Length switch
            {
                0 => "",
                1 => last[0].ToString("G4", CultureInfo.InvariantCulture),
                _ => string.Create(CultureInfo.InvariantCulture, $"{last.Average():G4} ± {Deviation(last):G2} ({last.Length})"),
            };
        }

        // Unbiased; of one value it is 0.
        private static double Deviation(double[] values)
        {
            double mean = values.Average();
            return Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / Math.Max(1, values.Length - 1));
        }
    }
}
