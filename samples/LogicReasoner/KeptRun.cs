using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace LogicReasoner;

/// <summary>Runs that are made once: what one came to is kept in a file.</summary>
internal static class KeptRun
{
    /// <summary>Reads what the run came to if it was made before, else makes it.</summary>
    public static async Task<T> OfAsync<T>(string path, JsonTypeInfo<T> type, Func<Task<T>> make)
    {
        if (File.Exists(path))
        {
            return JsonSerializer.Deserialize(await File.ReadAllTextAsync(path).ConfigureAwait(false), type) ?? throw new InvalidDataException($"{path} is empty.");
        }

        T outcome = await make().ConfigureAwait(false);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllTextAsync(path + ".tmp", JsonSerializer.Serialize(outcome, type)).ConfigureAwait(false);
        File.Move(path + ".tmp", path, overwrite: true);
        return outcome;
    }
}
