using System.Text.Json.Serialization;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Training;

namespace LaserD;

/// <summary>An examination within a run. Tokens are the mean of a response.</summary>
internal sealed record Point(int Step, double PassRate, double Tokens, IReadOnlyDictionary<string, TaskPoint> ByTask)
{
    public static Point Of(int step, IReadOnlyDictionary<string, LaserTargets> targets, EvaluationResult result)
    {
        ScoredResponse[] all = [.. result.Responses.SelectMany(r => r)];
        ILookup<string, ScoredResponse> byTask = all.ToLookup(r => ((TaskInstance)r.Response.Prompt.Data!).Task);
        return new Point(
            step, result.All.Average, Length(all), result.ByTask.ToDictionary(t => t.Task, t => new TaskPoint(t.Marks.Average, Length([.. byTask[t.Task]]), targets[t.Task])));
    }

    private static double Length(ScoredResponse[] responses) => responses.Average(r => r.Response.Completion.Tokens.Length);
}

/// <summary>A task's part of an examination.</summary>
internal sealed record TaskPoint(double PassRate, double Tokens, LaserTargets Targets);

/// <summary>What a run came to; the setters are for source-generated reading.</summary>
internal sealed record Outcome
{
    public required Point[] Curve { get; set; }

    public double Seconds { get; set; }
}

[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(Outcome))]
[JsonSerializable(typeof(Dictionary<string, Outcome>))]
internal sealed partial class OutcomeJson : JsonSerializerContext;
