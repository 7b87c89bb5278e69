using System.Globalization;
using System.Text.Json;

namespace MiniMaxSharp.Checkpoints;

/// <summary>
/// The weights of a model in Hugging Face's layout: <c>model.safetensors</c>, or shards named by
/// <c>model.safetensors.index.json</c>. All files are mapped; nothing is read until it is asked for.
/// </summary>
public sealed class ShardedCheckpoint : IDisposable
{
    private const string SingleFile = "model.safetensors";
    private const string IndexFile = "model.safetensors.index.json";
    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };
    private readonly Dictionary<string, SafetensorsFile> _owners = new(StringComparer.Ordinal);
    private readonly List<SafetensorsFile> _files = [];

    private ShardedCheckpoint(string directory) => Directory = directory;

    /// <summary>The folder.</summary>
    public string Directory { get; }

    /// <summary>The files, in the order of the index.</summary>
    public IReadOnlyList<SafetensorsFile> Files => _files;

    /// <summary>Names of all tensors.</summary>
    public IReadOnlyCollection<string> Names => _owners.Keys;

    /// <summary>Whether there are weights in the folder, or an index of them.</summary>
    public static bool Exists(string directory) =>
        File.Exists(Path.Combine(directory, SingleFile)) || File.Exists(Path.Combine(directory, IndexFile));

    /// <summary>Opens all files and checks that they hold what the index says, no more and no less.</summary>
    /// <exception cref="CheckpointFormatException">A file is missing, damaged or does not fit the index.</exception>
    public static ShardedCheckpoint Open(string directory)
    {
        AtomicDirectory.Recover(directory);
        var checkpoint = new ShardedCheckpoint(directory);
        try
        {
            checkpoint.OpenFiles();
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Writes <c>model.safetensors</c> if that stays within the size, else shards and their index. Each file is written
    /// atomically, and a kill never leaves a mixture that could be opened; for the whole folder at once use
    /// <see cref="AtomicDirectory"/>.
    /// </summary>
    /// <param name="directory">A folder, created if need be; an earlier checkpoint in it is replaced.</param>
    /// <param name="tensors">What to write.</param>
    /// <param name="maxShardBytes">Most bytes of tensors in a file; a larger tensor has a file of its own.</param>
    public static void Save(string directory, IReadOnlyList<TensorSource> tensors, long maxShardBytes = 5L << 30)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxShardBytes);
        RequireDistinct(tensors);
        System.IO.Directory.CreateDirectory(directory);
        List<List<TensorSource>> shards = Divide(tensors, maxShardBytes);
        string[] names = shards.Count == 1
            ? [SingleFile]
            : [.. shards.Select((_, i) => string.Create(CultureInfo.InvariantCulture, $"model-{i + 1:D5}-of-{shards.Count:D5}.safetensors"))];

        string[] temporary = [.. shards.Select((shard, i) => AtomicFile.Prepare(
            Path.Combine(directory, names[i]), stream => SafetensorsWriter.Write(stream, shard, Metadata)))];

        // From here an index of old shards would name new ones, so it goes first; a single file replaces in one move.
        if (shards.Count > 1)
        {
            File.Delete(Path.Combine(directory, IndexFile));
        }

        for (int i = 0; i < shards.Count; i++)
        {
            File.Move(temporary[i], Path.Combine(directory, names[i]), overwrite: true);
        }

        if (shards.Count > 1)
        {
            WriteIndex(Path.Combine(directory, IndexFile), shards, names);
        }

        DeleteStale(directory, names);
    }

    /// <summary>The entry of a tensor.</summary>
    /// <exception cref="CheckpointFormatException">There is no such tensor.</exception>
    public TensorInfo Info(string name) => FileOf(name).Info(name);

    /// <summary>The file that holds a tensor.</summary>
    /// <exception cref="CheckpointFormatException">There is no such tensor.</exception>
    public SafetensorsFile FileOf(string name) =>
        _owners.TryGetValue(name, out SafetensorsFile? file) ? file : throw new CheckpointFormatException($"{Directory}: tensor '{name}' is missing.");

    /// <inheritdoc/>
    public void Dispose() => _files.ForEach(file => file.Dispose());

    private void OpenFiles()
    {
        // Both exist for a moment while one replaces the other: the single file is then the whole one, see Save.
        string single = Path.Combine(Directory, SingleFile), index = Path.Combine(Directory, IndexFile);
        if (File.Exists(single))
        {
            SafetensorsFile file = Add(single);
            foreach (string name in file.Tensors.Keys)
            {
                _owners.Add(name, file);
            }
        }
        else if (File.Exists(index))
        {
            OpenShards(index);
        }
        else
        {
            throw new CheckpointFormatException($"{Directory}: there is neither {SingleFile} nor {IndexFile}.");
        }
    }

    private void OpenShards(string index)
    {
        Dictionary<string, string> map = ReadIndex(index);
        foreach (string shard in map.Values.Distinct(StringComparer.Ordinal))
        {
            string path = Path.Combine(Directory, shard);
            if (!File.Exists(path))
            {
                throw new CheckpointFormatException($"{index}: the shard '{shard}' is missing.");
            }

            SafetensorsFile file = Add(path);
            foreach (string name in file.Tensors.Keys)
            {
                if (!map.TryGetValue(name, out string? owner) || owner != shard)
                {
                    throw new CheckpointFormatException($"{path}: tensor '{name}' is not to be here; the index puts it {(owner is null ? "nowhere" : $"into '{owner}'")}.");
                }

                _owners.Add(name, file);
            }
        }

        foreach ((string name, string shard) in map)
        {
            if (!_owners.ContainsKey(name))
            {
                throw new CheckpointFormatException($"{Path.Combine(Directory, shard)}: tensor '{name}' is missing, which the index puts here.");
            }
        }
    }

    private static Dictionary<string, string> ReadIndex(string index)
    {
        JsonElement root = JsonFile.ReadObject(index);
        if (!root.TryGetProperty("weight_map", out JsonElement entries) || entries.ValueKind != JsonValueKind.Object)
        {
            throw new CheckpointFormatException($"{index}: 'weight_map' should be an object.");
        }

        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (JsonProperty entry in entries.EnumerateObject())
        {
            string? shard = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString() : null;
            map.Add(entry.Name, IsFileName(shard)
                ? shard!
                : throw new CheckpointFormatException($"{index}: '{entry.Name}' should name a file of this folder, not {entry.Value.GetRawText()}."));
        }

        return map;
    }

    private static bool IsFileName(string? name) => name is not (null or "" or "." or "..") && name.AsSpan().IndexOfAny("/\\:\0") < 0;

    private SafetensorsFile Add(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        _files.Add(file);
        return file;
    }

    private static List<List<TensorSource>> Divide(IReadOnlyList<TensorSource> tensors, long maxBytes)
    {
        List<List<TensorSource>> shards = [[]];
        long bytes = 0;
        foreach (TensorSource tensor in tensors)
        {
            if (shards[^1].Count > 0 && tensor.ByteLength > maxBytes - bytes)
            {
                shards.Add([]);
                bytes = 0;
            }

            shards[^1].Add(tensor);
            bytes += tensor.ByteLength;
        }

        return shards;
    }

    private static void WriteIndex(string path, List<List<TensorSource>> shards, string[] names) => JsonFile.WriteObject(path, writer =>
    {
        writer.WriteStartObject("metadata");
        writer.WriteNumber("total_size", shards.Sum(shard => shard.Sum(t => t.ByteLength)));
        writer.WriteEndObject();
        writer.WriteStartObject("weight_map");
        foreach ((List<TensorSource> shard, string name) in shards.Zip(names))
        {
            shard.ForEach(tensor => writer.WriteString(tensor.Name, name));
        }

        writer.WriteEndObject();
    });

    private static void DeleteStale(string directory, string[] names)
    {
        string[] keep = names.Length == 1 ? names : [.. names, IndexFile];
        string[] present = [SingleFile, IndexFile, .. System.IO.Directory.EnumerateFiles(directory, "model-*-of-*.safetensors").Select(f => Path.GetFileName(f)!)];
        foreach (string name in present.Except(keep, StringComparer.Ordinal))
        {
            File.Delete(Path.Combine(directory, name));
        }
    }

    private static void RequireDistinct(IReadOnlyList<TensorSource> tensors)
    {
        if (tensors.GroupBy(t => t.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new ArgumentException($"Two tensors are named '{twice.Key}'.", nameof(tensors));
        }
    }
}
