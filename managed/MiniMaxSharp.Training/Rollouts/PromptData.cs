using System.Text.Json.Nodes;
using MiniMaxSharp.Tasks;

namespace MiniMaxSharp.Training;

/// <summary>How <see cref="RolloutPrompt.Data"/> goes into a checkpoint, where rollouts wait to be trained on.</summary>
public interface IPromptDataFormat
{
    /// <summary>All that the reward and the run need of it.</summary>
    JsonNode? Write(object? data);

    /// <summary>What <see cref="Write"/> was given.</summary>
    object? Read(JsonNode? json);
}

/// <summary>Prompts that carry a <see cref="TaskInstance"/>, or nothing.</summary>
public sealed class TaskInstanceData : IPromptDataFormat
{
    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">It is something else.</exception>
    public JsonNode? Write(object? data) => data switch
    {
        null => null,
        TaskInstance instance => JsonNode.Parse(instance.ToJsonLine()),
        _ => throw new NotSupportedException(
            $"A prompt carries {data.GetType()}, which a checkpoint cannot hold; give the run a {nameof(IPromptDataFormat)} of your own."),
    };

    /// <inheritdoc/>
    /// <exception cref="FormatException">It is no task instance.</exception>
    public object? Read(JsonNode? json) => json is null ? null : TaskRegistry.ReadLine(json.ToJsonString());
}
