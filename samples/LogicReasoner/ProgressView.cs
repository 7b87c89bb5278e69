using MiniMaxSharp.Training;
using Spectre.Console;

namespace LogicReasoner;

/// <summary>What a person sees while the run goes on.</summary>
internal interface IProgressView
{
    void Say(string line);

    void Supervised(RunState state, SupervisedStep step, double tokensPerSecond, double secondsLeft);

    void Reinforced(RunState state, PolicyStep step, double tokensPerSecond, double secondsLeft);

    void Examined(string name, Marks marks);
}

/// <summary>A line now and then, for logs and pipes.</summary>
internal class PlainView : IProgressView
{
    private const int Every = 200;

    public virtual void Say(string line) => Console.WriteLine(line);

    public virtual void Supervised(RunState state, SupervisedStep step, double tokensPerSecond, double secondsLeft)
    {
        if (state.Step % Every == 0)
        {
            Console.WriteLine($"{Name(state)} step {state.Step}: loss {step.Loss:F3}, {tokensPerSecond:F0} tokens/s, {Left(secondsLeft)}");
        }
    }

    public virtual void Reinforced(RunState state, PolicyStep step, double tokensPerSecond, double secondsLeft) =>
        Console.WriteLine(
            $"cispo step {state.Step}: reward {step.Reward:F3}, pass rate {PassRates(state)}, length {MeanLength(step):F1}, entropy {step.Entropy:F3}, "
            + $"{step.Updates} updates, {tokensPerSecond:F0} tokens/s, {Left(secondsLeft)}");

    public void Examined(string name, Marks marks) => Say(
        $"{name}: pass rate {marks.All.PassRate:F3} ± {marks.All.StandardError:F3} ("
        + string.Join(", ", marks.ByTask.Select(t => $"{t.Key} {t.Value.PassRate:F3}"))
        + $"); worked out step by step {marks.All.CarefulShare:P0}, of those right {marks.All.CarefulAccuracy:P0} ("
        + string.Join(", ", marks.ByTask.Select(t => $"{t.Value.CarefulAccuracy:P0}")) + ")");

    protected static string Name(RunState state) => state.Phase.ToString().ToLowerInvariant();

    protected static string Left(double seconds) => $"{TimeSpan.FromSeconds(Math.Max(0, seconds)):m\\:ss} left";

    protected static string PassRates(RunState state) => string.Join("/", state.PassRates.Select(p => $"{p:F2}"));

    protected static double MeanLength(PolicyStep step) => (double)step.GeneratedTokens / step.Rollouts.Count;
}

/// <summary>One line that is kept up to date, results above it.</summary>
internal sealed class TerminalView(StatusContext status) : PlainView
{
    public override void Say(string line) => AnsiConsole.MarkupLineInterpolated($"[bold]{line}[/]");

    public override void Supervised(RunState state, SupervisedStep step, double tokensPerSecond, double secondsLeft)
    {
        if (state.Step % 10 == 0)
        {
            status.Status($"{Name(state)} [bold]{state.Step}[/]  loss {step.Loss:F3}  {tokensPerSecond:F0} tokens/s  {Left(secondsLeft)}");
        }
    }

    public override void Reinforced(RunState state, PolicyStep step, double tokensPerSecond, double secondsLeft) => status.Status(
        $"cispo [bold]{state.Step}[/]  reward {step.Reward:F3}  pass rate {PassRates(state)}  "
        + $"length {MeanLength(step):F1}  {tokensPerSecond:F0} tokens/s  {Left(secondsLeft)}");
}
