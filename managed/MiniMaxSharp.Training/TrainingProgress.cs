using System.Text.Json;
using System.Text.Json.Nodes;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Models;

namespace MiniMaxSharp.Training;

/// <summary>
/// A folder in which a run keeps what it needs to go on as if it had never stopped, beside a model that lies elsewhere: what is trained, the
/// optimiser, and states. Written atomically, as a <see cref="TrainingCheckpoint"/>, which has the whole model besides.
/// </summary>
/// <param name="directory">A folder that is created, or replaced as a whole.</param>
/// <param name="parameters">What is trained; others among them are passed over.</param>
/// <param name="optimizer">Of these.</param>
/// <param name="states">What else decides how the run goes on.</param>
public sealed class TrainingProgress(string directory, IEnumerable<Parameter> parameters, AdamW optimizer, params IReadOnlyList<ICheckpointedState> states)
{
    private const string ParametersFile = "parameters.safetensors";
    private readonly Parameter[] _parameters = [.. parameters.Where(p => p.IsTrainable)];

    /// <summary>Whether there is something to go on from.</summary>
    public bool Exists => TrainingCheckpoint.Exists(directory);

    /// <summary>Writes all of it in place of what was there.</summary>
    /// <param name="position">Where the run is.</param>
    /// <param name="more">Tensors of the run's own.</param>
    public void Save(JsonObject position, IEnumerable<(string Name, Tensor Tensor)> more)
    {
        ArgumentNullException.ThrowIfNull(position);
        position["states"] = new JsonObject(states.Select(s => KeyValuePair.Create(s.Name, (JsonNode?)s.Save().DeepClone())));
        AtomicDirectory.Replace(directory, target =>
        {
            SafetensorsWriter.Write(Path.Combine(target, ParametersFile), Tensors(more));
            TrainingCheckpoint.Write(target, _parameters[0].Value.Device, optimizer, position.ToJsonString());
        });
    }

    /// <summary>Takes up what <see cref="Save"/> wrote.</summary>
    /// <typeparam name="T">The run's own part of it.</typeparam>
    /// <param name="read">Where the run is.</param>
    /// <param name="more">Tensors of the run's own, which are written to.</param>
    /// <exception cref="InvalidDataException">It is damaged; the message says what.</exception>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public T Load<T>(Func<JsonObject, T> read, IEnumerable<(string Name, Tensor Tensor)> more)
    {
        ArgumentNullException.ThrowIfNull(read);
        T position;
        try
        {
            JsonObject state = JsonNode.Parse(TrainingCheckpoint.ReadState(directory))!.AsObject();
            position = read(state);
            foreach (ICheckpointedState own in states)
            {
                own.Load(state["states"]![own.Name] ?? throw new InvalidDataException($"'{own.Name}' is missing"));
            }
        }
        catch (Exception error) when (error is JsonException or FormatException or NullReferenceException or InvalidOperationException or InvalidDataException)
        {
            throw new InvalidDataException($"The state of {directory} is damaged: {error.Message}", error);
        }

        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(directory, ParametersFile));
        foreach ((string name, Tensor tensor) in Tensors(more))
        {
            file.CopyTo(name, tensor);
        }

        TrainingCheckpoint.LoadOptimizer(directory, optimizer);
        return position;
    }

    private IEnumerable<(string Name, Tensor Tensor)> Tensors(IEnumerable<(string Name, Tensor Tensor)> more) =>
        [.. _parameters.Select(p => (p.Name, p.Value)), .. more];
}
