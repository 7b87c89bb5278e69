using System.Text.Json.Nodes;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>
/// What is said of a run while it goes on: <c>metrics.jsonl</c>, <c>examples.jsonl</c>, the console and the meter. Its state is the length of
/// the files, to which a resumed run cuts them.
/// </summary>
internal sealed class RunRecord(RunFolder folder, LiveConsole console) : ICheckpointedState, IDisposable
{
    private readonly TrainingMeter _meter = new(folder.Name);
    private MetricsLog? _metrics;
    private ExampleLog? _examples;

    public string Name => "record";

    private MetricsLog Metrics => _metrics ??= new MetricsLog(folder.Metrics);

    private ExampleLog Examples => _examples ??= new ExampleLog(folder.Examples);

    /// <summary>A step that is done, its number from 0.</summary>
    public void Step(string phase, int step, int steps, TrainingMetrics metrics)
    {
        Note(phase, step, metrics);
        console.Show(phase, step + 1, steps, metrics);
    }

    /// <summary>What was measured after so many steps.</summary>
    public void Measured(string phase, int steps, string line, params (string Name, double Value)[] values)
    {
        Note(phase, steps, new TrainingMetrics([.. values]));
        console.Say(line);
    }

    public void Responses(string phase, int step, IEnumerable<SampleAnswer> answers) => Examples.Write(phase, step, answers);

    public JsonNode Save() => new JsonObject { ["metrics"] = Metrics.Length, ["examples"] = _examples?.Length ?? 0 };

    public void Load(JsonNode state)
    {
        _metrics = new MetricsLog(folder.Metrics, Length("metrics"));
        _examples = Length("examples") is > 0 and long length ? new ExampleLog(folder.Examples, length) : null;
        if (_examples is null)
        {
            File.Delete(folder.Examples);
        }

        long Length(string name) => state[name] is JsonValue value && value.TryGetValue(out long length)
            ? length
            : throw new InvalidDataException($"the length of {name}.jsonl is missing");
    }

    public void Dispose()
    {
        _meter.Dispose();
        _metrics?.Dispose();
        _examples?.Dispose();
    }

    private void Note(string phase, int step, TrainingMetrics metrics)
    {
        Metrics.Write(phase, step, metrics);
        _meter.Record(phase, step, metrics);
    }
}
