using LogicReasoner;
using MiniMaxSharp;
using MiniMaxSharp.Tasks;

namespace CispoVsGrpo;

/// <summary>All runs of one method in one setting.</summary>
/// <param name="Method">Which.</param>
/// <param name="Tried">Mean final pass rate of the sweep's seeds, by learning rate.</param>
/// <param name="Rate">The learning rate taken: the best of those.</param>
/// <param name="Runs">By seed.</param>
internal sealed record MethodResult(Method Method, IReadOnlyDictionary<float, double> Tried, float Rate, IReadOnlyDictionary<int, Outcome> Runs)
{
    public Rate Final => LogicReasoner.Rate.Of([.. Runs.Values.Select(r => r.Final)]);

    /// <summary>Mean pass rate over the seeds at each examination, with its standard deviation.</summary>
    public IReadOnlyList<(int Step, double Mean, double Deviation)> Curve =>
    [
        .. Runs.Values.First().Curve.Select((point, i) =>
        {
            double[] rates = [.. Runs.Values.Select(r => r.Curve[i].PassRate)];
            double mean = rates.Average();
            return (point.Step, mean, Math.Sqrt(rates.Sum(r => (r - mean) * (r - mean)) / rates.Length));
        }),
    ];

    /// <summary>The step at which the mean curve first reaches a pass rate, between examinations in proportion; null if it never does.</summary>
    public double? StepsTo(double passRate)
    {
        IReadOnlyList<(int Step, double Mean, double Deviation)> curve = Curve;
        for (int i = 0; i < curve.Count; i++)
        {
            if (curve[i].Mean >= passRate)
            {
                return i == 0
                    ? 0
                    : curve[i - 1].Step + (curve[i].Step - curve[i - 1].Step) * (passRate - curve[i - 1].Mean) / (curve[i].Mean - curve[i - 1].Mean);
            }
        }

        return null;
    }
}

/// <summary>What came out in one setting.</summary>
internal sealed record SettingResult(Setting Setting, IReadOnlyList<MethodResult> Methods)
{
    public double DapoFinal => Methods.Single(m => m.Method.Name == "dapo").Final.Mean;
}

/// <summary>Runs everything that has not been run: for each method the sweep, then the seeds with the rate that was best there.</summary>
internal sealed class Comparison(Plan plan, Lessons lessons, Device device, string directory)
{
    public SettingResult Run(Setting setting, CancellationToken cancellation)
    {
        string start = new StartingPoints(plan, lessons, device, Path.Combine(directory, "start")).Of(setting, cancellation);
        return new SettingResult(setting, [.. Method.All.Select(method => Run(setting, method, start, cancellation))]);
    }

    private MethodResult Run(Setting setting, Method method, string start, CancellationToken cancellation)
    {
        var tried = plan.Rates.ToDictionary(
            rate => rate,
            rate => plan.SweepSeeds.Average(seed => Outcome(setting, new MethodRun(method, rate, seed), Split.Development, start, cancellation).Final));
        float best = tried.MaxBy(t => t.Value).Key;
        return new MethodResult(
            method, tried, best, plan.Seeds.ToDictionary(seed => seed, seed => Outcome(setting, new MethodRun(method, best, seed), Split.Test, start, cancellation)));
    }

    // Learning rates are chosen on the development split; the test split is for the runs that are reported.
    private Outcome Outcome(Setting setting, MethodRun run, Split split, string start, CancellationToken cancellation) =>
        KeptRun.OfAsync(Path.Combine(directory, setting.Name, run.File), OutcomeJson.Default.Outcome, async () =>
        {
            cancellation.ThrowIfCancellationRequested();
            var examination = new Examination(
                lessons, lessons.HeldOut(split, plan.Recipe.TestInstances, Recipe.TestSeed), plan.Recipe.TestSamples, plan.Recipe with { Seed = (ulong)run.Seed });
            Outcome outcome = await run.TrainAsync(plan, lessons, examination, device, start, cancellation).ConfigureAwait(false);
            Console.WriteLine(
                $"{setting.Name} {run.Method.Name}, rate {run.Rate:G3}, seed {run.Seed}: {outcome.Curve[0].PassRate:F3} -> {outcome.Final:F3}, worked out "
                + $"{outcome.Curve[0].CarefulShare:P0} -> {outcome.Curve[^1].CarefulShare:P0}, {outcome.ZeroGradientTokens} tokens without gradient, {outcome.Seconds:F0} s");
            return outcome;
        }).GetAwaiter().GetResult();
}
