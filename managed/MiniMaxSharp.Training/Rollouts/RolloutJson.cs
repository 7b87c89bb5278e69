using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using MiniMaxSharp.Generation;

namespace MiniMaxSharp.Training;

/// <summary>
/// Rollouts as JSON and back to the bit: arrays of numbers as the base64 of their little-endian bytes. The time they took is left
/// out, so that a repeated run writes the same bytes.
/// </summary>
internal sealed class RolloutJson(IPromptDataFormat data)
{
    public JsonObject Write(RolloutBatch batch) => new()
    {
        ["groups"] = List(batch.Groups, WriteGroup),
        ["informative"] = Bytes<int>([.. batch.Informative.Select(g => g[0].Group)]),
    };

    /// <exception cref="FormatException">The node is not what <see cref="Write(RolloutBatch)"/> gives.</exception>
    public RolloutBatch Read(JsonNode? node)
    {
        try
        {
            Rollout[][] groups = [.. Items(node!["groups"]).Select(ReadGroup)];
            return new RolloutBatch(groups, [.. Values<int>(node["informative"]).Select(number => groups[number])], Seconds: 0);
        }
        catch (Exception error) when (error is NullReferenceException or InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            throw new FormatException($"Saved rollouts are damaged: {error.Message}", error);
        }
    }

    private JsonNode WriteGroup(Rollout[] group) => new JsonObject
    {
        ["prompt"] = Bytes<int>(group[0].Response.Prompt.Tokens),
        ["data"] = data.Write(group[0].Response.Prompt.Data),
        ["responses"] = List(group, Write),
    };

    private Rollout[] ReadGroup(JsonNode? node, int number)
    {
        // One instance for the group, as it was: rewards tell groups by it.
        var prompt = new RolloutPrompt(Values<int>(node!["prompt"]), data.Read(node["data"]));
        return [.. Items(node["responses"]).Select(response => Read(response!, number, prompt))];
    }

    private static JsonNode Write(Rollout rollout)
    {
        Completion completion = rollout.Response.Completion;
        return new JsonObject
        {
            ["tokens"] = Bytes<int>(completion.Tokens),
            ["logp"] = Bytes<float>(completion.LogProbabilities),
            ["injected"] = Bytes<int>([.. completion.Injected]),
            ["experts"] = completion.Experts is { } experts ? Bytes<ushort>(experts) : null,
            ["reason"] = completion.Reason.ToString(),
            ["completion"] = completion.Text,
            ["text"] = rollout.Response.Text,
            ["score"] = rollout.Reward.Score is { } score ? Number(score) : null,
            ["parts"] = rollout.Reward.Parts is { } parts
                ? new JsonObject(parts.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, (JsonNode?)Number(p.Value))))
                : null,
            ["advantage"] = Number(rollout.Advantage),
        };
    }

    private static Rollout Read(JsonNode node, int group, RolloutPrompt prompt)
    {
        var completion = new Completion(Values<int>(node["tokens"]), Values<float>(node["logp"]), Enum.Parse<FinishReason>((string)node["reason"]!))
        {
            Text = (string)node["completion"]!,
            Injected = Values<int>(node["injected"]),
            Experts = node["experts"] is { } experts ? Values<ushort>(experts) : null,
        };
        Dictionary<string, double>? parts = node["parts"]?.AsObject().ToDictionary(p => p.Key, p => Number(p.Value!));
        var reward = new RewardResult(node["score"] is { } score ? Number(score) : null, parts);
        return new Rollout(group, new Response(prompt, (string)node["text"]!, completion), reward, Number(node["advantage"]!));
    }

    private static JsonArray List<T>(IEnumerable<T> items, Func<T, JsonNode> write) => [.. items.Select(write)];

    private static JsonArray Items(JsonNode? node) => node!.AsArray();

    private static string Bytes<T>(T[] values) where T : unmanaged => Convert.ToBase64String(MemoryMarshal.AsBytes<T>(values));

    private static T[] Values<T>(JsonNode? node) where T : unmanaged => MemoryMarshal.Cast<byte, T>(Convert.FromBase64String((string)node!)).ToArray();

    // The shortest text that reads back as the same number; as a string, for JSON knows no NaN.
    private static JsonNode Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static double Number(JsonNode node) => double.Parse((string)node!, CultureInfo.InvariantCulture);
}
