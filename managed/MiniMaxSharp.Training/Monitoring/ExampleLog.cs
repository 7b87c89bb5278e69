using System.Globalization;
using System.Text.Json;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Training;

/// <summary>A response shown in a report.</summary>
/// <param name="Task">What kind of question.</param>
/// <param name="Prompt">The question.</param>
/// <param name="Response">The model's text.</param>
/// <param name="Correct">Whether it was right.</param>
/// <param name="Reason">What the verifier said.</param>
public sealed record SampleAnswer(string Task, string Prompt, string Response, bool Correct, string Reason)
{
    /// <summary>A few rollouts of a step: of each task the first right one and the first wrong one.</summary>
    /// <param name="rollouts">In the order in which they were made.</param>
    /// <param name="decode">From prompt tokens to text, for prompts that carry no <see cref="TaskInstance"/>.</param>
    public static IReadOnlyList<SampleAnswer> Of(IEnumerable<Rollout> rollouts, Func<int[], string> decode)
    {
        ArgumentNullException.ThrowIfNull(rollouts);
        return [.. rollouts.Select(r => Of(r, decode)).DistinctBy(a => (a.Task, a.Correct)).OrderBy(a => a.Task, StringComparer.Ordinal).ThenByDescending(a => a.Correct)];
    }

    private static SampleAnswer Of(Rollout rollout, Func<int[], string> decode)
    {
        var instance = rollout.Response.Prompt.Data as TaskInstance;
        string parts = string.Concat((rollout.Reward.Parts ?? new Dictionary<string, double>())
            .OrderBy(p => p.Key, StringComparer.Ordinal)
            .Select(p => string.Create(CultureInfo.InvariantCulture, $", {p.Key} {p.Value:G3}")));
        return new(
            instance?.Task ?? "",
            instance?.Prompt ?? decode(rollout.Response.Prompt.Tokens),
            rollout.Response.Text,
            TaskOutcome.Passes(rollout.Reward),
            string.Create(CultureInfo.InvariantCulture, $"reward {rollout.Reward.Score:G3}{parts}"));
    }
}

/// <summary>A file of JSON lines, one a response: <c>phase</c>, <c>step</c>, <c>task</c>, <c>prompt</c>, <c>response</c>, <c>correct</c>, <c>reason</c>.</summary>
public sealed class ExampleLog : IDisposable
{
    private readonly JsonLinesFile _file;

    /// <summary>Opens the file and cuts it to <paramref name="length"/> bytes: what a checkpoint says had been written.</summary>
    /// <exception cref="InvalidDataException">The file is shorter than that.</exception>
    public ExampleLog(string path, long length = 0) => _file = new JsonLinesFile(path, length);

    /// <summary>Bytes written so far, for a checkpoint.</summary>
    public long Length => _file.Length;

    /// <summary>Adds a line for each response.</summary>
    public void Write(string phase, int step, IEnumerable<SampleAnswer> answers)
    {
        ArgumentNullException.ThrowIfNull(answers);
        foreach (SampleAnswer answer in answers)
        {
            _file.Write(phase, step, json =>
            {
                json.WriteString("task", answer.Task);
                json.WriteString("prompt", answer.Prompt);
                json.WriteString("response", answer.Response);
                json.WriteBoolean("correct", answer.Correct);
                json.WriteString("reason", answer.Reason);
            });
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    /// <summary>Reads a log back.</summary>
    /// <exception cref="InvalidDataException">A line is not one of a log; names the file and the line.</exception>
    public static IReadOnlyList<ExampleLine> Read(string path) => JsonLinesFile.Read(path, (phase, step, json) => new ExampleLine(
        phase, step, new SampleAnswer(Text(json, "task"), Text(json, "prompt"), Text(json, "response"), json.GetProperty("correct").GetBoolean(), Text(json, "reason"))));

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString() ?? throw new FormatException($"'{name}' is null.");
}

/// <summary>A line of an <see cref="ExampleLog"/>.</summary>
public sealed record ExampleLine(string Phase, int Step, SampleAnswer Answer);
