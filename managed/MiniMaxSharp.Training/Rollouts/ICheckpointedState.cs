using System.Text.Json.Nodes;

namespace MiniMaxSharp.Training;

/// <summary>Something that changes while a run goes on and decides how it goes on: a difficulty, a stage, target lengths.</summary>
public interface ICheckpointedState
{
    /// <summary>Its name in the checkpoint, its own among the states of a run.</summary>
    string Name { get; }

    /// <summary>All of it, to the bit; the caller may keep the node.</summary>
    JsonNode Save();

    /// <summary>Takes up what <see cref="Save"/> gave.</summary>
    /// <exception cref="InvalidDataException">It is not that.</exception>
    void Load(JsonNode state);
}
