using System.CommandLine;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli;

/// <summary>minimax report: runs laid over one another on one page.</summary>
internal static class ReportCommand
{
    public static Command Create(TextWriter output)
    {
        var runs = new Argument<string[]>("dir") { Description = "Folders of runs, each with metrics.jsonl and, as the case may be, examples.jsonl", Arity = ArgumentArity.OneOrMore };
        var file = new Option<string>("--output") { DefaultValueFactory = _ => "report.html", Description = "Receives the page, which needs no other file" };
        var command = new Command(
            "report",
            """
            Lay the curves of several training runs over one another.

            Runs whose names differ only in the seed (grpo-seed-0, grpo-seed-1, or grpo/seed-0, grpo/seed-1) are one curve, their mean,
            with a band of one standard deviation.
            Example: minimax report runs/seed-0 runs/seed-1 --output report.html
            """) { runs, file };
        command.SetAction(result => Commands.Guarded(result, () => Run(result.GetValue(runs)!, result.GetValue(file)!, output)));
        return command;
    }

    private static int Run(string[] directories, string file, TextWriter output)
    {
        IReadOnlyList<RunLog> runs = RunLog.Load(directories);
        new HtmlReport(runs.Count == 1 ? runs[0].Name : $"{runs.Count} runs").Runs(runs).Save(file);
        output.WriteLine($"{file}: {runs.Count} run{(runs.Count == 1 ? "" : "s")}, {runs.Sum(r => r.Metrics.Count)} steps");
        return 0;
    }
}
