using System.Text.Json;
using System.Text.Json.Nodes;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>
/// The output folder of a training: while it goes on <c>settings.json</c>, the logs and <c>progress/</c>, from where an interrupted run goes
/// on; in the end the trained checkpoint, the settings, the logs and <c>report.html</c>.
/// </summary>
internal sealed class RunFolder
{
    private const string Settings = "settings.json", Report = "report.html";
    private readonly string _path;
    private readonly JsonObject _settings;

    /// <summary>The folder of a run of the settings; nothing is written yet.</summary>
    /// <exception cref="InvalidOperationException">It has an unfinished run of other settings.</exception>
    public RunFolder(TrainSettings settings)
    {
        (_path, _settings) = (settings.Output, settings.ToJson());
        AtomicDirectory.Recover(_path);
        IsUnderWay = TrainingCheckpoint.Exists(Progress);
        if (IsUnderWay)
        {
            RequireSame();
        }
    }

    public string Name => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(_path)));

    /// <summary>A <see cref="TrainingCheckpoint"/>, which is there while a run that can go on is unfinished.</summary>
    public string Progress => Path.Combine(_path, "progress");

    public string Metrics => Path.Combine(_path, RunLog.MetricsFile);

    public string Examples => Path.Combine(_path, RunLog.ExamplesFile);

    /// <summary>Whether there is an unfinished run to go on with.</summary>
    public bool IsUnderWay { get; }

    /// <summary>Begins a new run, in place of what an earlier one has left.</summary>
    public void Begin()
    {
        Directory.CreateDirectory(_path);
        foreach (string file in (string[])[Metrics, Examples, Path.Combine(_path, Report)])
        {
            File.Delete(file);
        }

        AtomicFile.Write(Path.Combine(_path, Settings), stream =>
        {
            using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
            _settings.WriteTo(writer);
        });
    }

    /// <summary>Puts the result in the folder, with settings, logs and report, and without what only an unfinished run needs: all at once.</summary>
    /// <param name="model">What was trained.</param>
    /// <param name="tokenizer">Written beside it.</param>
    /// <param name="adapter">What was trained, if it was an adapter: written by itself, in PEFT's layout, and merged into the model.</param>
    public void Finish(MiniMaxForCausalLM model, Tokenizer tokenizer, LoraAdapter? adapter = null)
    {
        LoraWeights? weights = adapter?.Weights();
        adapter?.Merge();
        new HtmlReport(Name).Runs(RunLog.Load([_path])).Save(Path.Combine(_path, Report));
        AtomicDirectory.Replace(_path, target =>
        {
            model.Save(target);
            tokenizer.Save(target);
            weights?.Save(Path.Combine(target, "adapter"), (string?)_settings["model"]);
            foreach (string name in (string[])[Settings, RunLog.MetricsFile, RunLog.ExamplesFile, Report])
            {
                if (File.Exists(Path.Combine(_path, name)))
                {
                    File.Copy(Path.Combine(_path, name), Path.Combine(target, name));
                }
            }
        });
    }

    private void RequireSame()
    {
        string file = Path.Combine(_path, Settings);
        JsonObject begun = JsonNode.Parse(File.ReadAllText(file)) as JsonObject ?? throw new InvalidDataException($"{file} holds no settings.");
        // The folder may have been moved since.
        string? other = begun.Concat(_settings).Select(p => p.Key).FirstOrDefault(name => name != "output" && !JsonNode.DeepEquals(begun[name], _settings[name]));
        if (other is not null)
        {
            throw new InvalidOperationException(
                $"{_path} has an unfinished run whose '{other}' is {Text(begun[other])}, not {Text(_settings[other])}: give it the settings of {file}, or another output, or delete {Progress}.");
        }

        static string Text(JsonNode? value) => value?.ToJsonString() ?? "not set";
    }
}
