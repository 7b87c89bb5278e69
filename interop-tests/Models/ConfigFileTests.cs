using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Checkpoints;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Models;

/// <summary>config.json of any content: what is valid comes back whole, and what is not is refused as such.</summary>
public sealed class ConfigFileTests : IDisposable
{
    private static readonly string s_golden = File.ReadAllText(Repository.Path("interop-tests", "goldens", "A", "config.json"));

    private static readonly string[] s_keys = [.. Parse(s_golden).Select(p => p.Key), "head_dim", "sliding_window", "bos_token_id", "torch_dtype", "extra", ""];

    // Values of every kind, among them the ends of ranges and what other programs write.
    private static readonly string[] s_values =
    [
        "null", "true", "false", "0", "1", "-1", "2", "3", "4", "8", "16", "64", "2147483647", "2147483648", "-2147483649", "9223372036854775808",
        "0.5", "-0.0", "1e-5", "1e38", "1e39", "1e400", "1.0", "1e1", "\"\"", "\"silu\"", "\"MiniMaxM1\"", "\"\\ud83d\\ude00\"", "[]", "[0,1]", "[0,1,0,1]",
        "[1,[2],{\"a\":null}]", "[\"0\"]", "{}", "{\"a\":{\"a\":[1e400,\"\\u0000\"]}}", "123456789012345678901234567890",
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Property(MaxTest = 1000)]
    public Property Any_values_of_keys_are_refused_or_come_back() => Prop.ForAll(
        (from changes in Gen.Choose(1, 3)
         from keys in Gen.ArrayOf(Gen.Elements(s_keys), changes)
         from values in Gen.ArrayOf(Gen.Elements(s_values), changes)
         select keys.Zip(values).ToArray()).ToArbitrary(),
        changes =>
        {
            JsonObject json = Parse(s_golden);
            foreach ((string key, string value) in changes)
            {
                json[key] = JsonNode.Parse(value);
            }

            return RefusedOrWhole(json.ToJsonString(), json);
        });

    [Property(MaxTest = 300)]
    public Property Any_missing_keys_are_refused_or_take_their_default() => Prop.ForAll(
        Gen.SubListOf(s_keys).Select(keys => keys.ToArray()).ToArbitrary(),
        keys =>
        {
            JsonObject json = Parse(s_golden);
            Array.ForEach(keys, key => json.Remove(key));
            return RefusedOrWhole(json.ToJsonString(), json);
        });

    [Property(MaxTest = 2000)]
    public Property Any_changed_bytes_are_refused_or_make_a_valid_file() => Prop.ForAll(
        (from count in Gen.Choose(1, 4)
         from places in Gen.ArrayOf(Gen.Choose(0, s_golden.Length - 1), count)
         from bytes in Gen.ArrayOf(Gen.OneOf(Gen.Choose(0, 255), Gen.Elements("{}[]\":,0-.e\\ut ".Select(c => (int)c))), count)
         from end in Gen.Frequency((4, Gen.Constant(s_golden.Length)), (1, Gen.Choose(0, s_golden.Length)))
         select (places.Zip(bytes).ToArray(), end)).ToArbitrary(),
        change =>
        {
            byte[] file = Encoding.ASCII.GetBytes(s_golden);
            foreach ((int place, int value) in change.Item1)
            {
                file[place] = (byte)value;
            }

            return RefusedOrWhole(file[..change.end], null);
        });

    private bool RefusedOrWhole(string text, JsonObject json) => RefusedOrWhole(Encoding.UTF8.GetBytes(text), json);

    // Any exception of another type fails the property.
    private bool RefusedOrWhole(byte[] file, JsonObject? json)
    {
        string path = _folder["config.json"];
        File.WriteAllBytes(path, file);
        MiniMaxConfig config;
        try
        {
            config = MiniMaxConfig.Load(path);
        }
        catch (CheckpointFormatException error)
        {
            return error.Message.StartsWith(path, StringComparison.Ordinal);
        }

        byte[] written = Written(config);
        File.WriteAllBytes(path, written);
        JsonObject back = Parse(Encoding.UTF8.GetString(written));
        return Written(MiniMaxConfig.Load(path)).SequenceEqual(written)
            && (json ?? Parse(Encoding.UTF8.GetString(file))).All(p => Kept(p.Key, p.Value, back));
    }

    // As Save does, but thousands of times: it waits for the disk.
    private static byte[] Written(MiniMaxConfig config)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            ConfigJson.Write(writer, config);
            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    // null stands for the default; a list of one or no token may be written as a number or null.
    private static bool Kept(string key, JsonNode? value, JsonObject written) =>
        (value is null && (key == "torch_dtype" || written.ContainsKey(key)))
        || (written.TryGetPropertyValue(key, out JsonNode? now) && (Same(value, now) || (value is JsonArray { Count: < 2 } list && key == "eos_token_id" && Same(list.FirstOrDefault(), now))));

    private static bool Same(JsonNode? a, JsonNode? b) =>
        a?.GetValueKind() == JsonValueKind.Number && b?.GetValueKind() == JsonValueKind.Number
            ? a.GetValue<JsonElement>().GetDouble() == b.GetValue<JsonElement>().GetDouble()
            : JsonNode.DeepEquals(a, b) || a?.ToJsonString() == b?.ToJsonString();

    private static JsonObject Parse(string text) => JsonNode.Parse(text)!.AsObject();
}
