using LogicReasoner;
using MiniMaxSharp;

namespace LaserD;

/// <summary>Makes every run that has not been made.</summary>
internal sealed class Experiment(Plan plan, Lessons lessons, string model, Device device, string directory)
{
    public async Task<ArmResult[]> RunAsync(CancellationToken cancellation)
    {
        string start = await new TwoWays(plan, lessons, device).TeachAsync(model, Path.Combine(directory, "start"), cancellation).ConfigureAwait(false);
        var results = new List<ArmResult>();
        foreach (Arm arm in Arm.All)
        {
            var runs = new Dictionary<int, Outcome>();
            foreach (int seed in plan.Seeds)
            {
                runs[seed] = await RunAsync(arm, seed, arm.Trained ? start : model, cancellation).ConfigureAwait(false);
            }

            results.Add(new ArmResult(arm, runs));
        }

        return [.. results];
    }

    private Task<Outcome> RunAsync(Arm arm, int seed, string start, CancellationToken cancellation) => KeptRun.OfAsync(
        Path.Combine(directory, $"{arm.Name}-{seed}.json"),
        OutcomeJson.Default.Outcome,
        async () =>
        {
            cancellation.ThrowIfCancellationRequested();
            Outcome outcome = await new ArmRun(plan, lessons, arm, seed).TrainAsync(start, device, cancellation).ConfigureAwait(false);
            Point first = outcome.Curve[0], last = outcome.Curve[^1];
            Console.WriteLine($"{arm.Title}, seed {seed}: pass rate {first.PassRate:F3} -> {last.PassRate:F3}, tokens {first.Tokens:F1} -> {last.Tokens:F1}, {outcome.Seconds:F0} s");
            return outcome;
        });
}
