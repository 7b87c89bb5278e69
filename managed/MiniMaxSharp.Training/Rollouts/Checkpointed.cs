using System.Text.Json.Nodes;

namespace MiniMaxSharp.Training;

/// <summary>
/// A value that the caller replaces between the steps of a run: a <see cref="DifficultyState"/>, a <see cref="WindowState"/>, a count.
/// </summary>
/// <typeparam name="T">Immutable.</typeparam>
/// <param name="name">Its name in the checkpoint.</param>
/// <param name="start">The value at the start of a run.</param>
/// <param name="write">To JSON, such as <see cref="DifficultyState.ToJson"/>.</param>
/// <param name="read">From it, such as <see cref="DifficultyState.FromJson"/>; throws an <see cref="InvalidDataException"/> on what it cannot read.</param>
public sealed class Checkpointed<T>(string name, T start, Func<T, string> write, Func<string, T> read) : ICheckpointedState
{
    /// <inheritdoc/>
    public string Name => name;

    /// <summary>The value at present.</summary>
    public T Value { get; set; } = start;

    /// <inheritdoc/>
    public JsonNode Save() => JsonNode.Parse(write(Value))!;

    /// <inheritdoc/>
    public void Load(JsonNode state)
    {
        ArgumentNullException.ThrowIfNull(state);
        Value = read(state.ToJsonString());
    }
}
