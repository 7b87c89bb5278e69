using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Tokenization;

/// <summary>Data made by Goldens/goldens.mjs with Hugging Face's JavaScript editions as the oracle.</summary>
internal static class Goldens
{
    public static string Directory { get; } = Path.Combine(AppContext.BaseDirectory, "Tokenization", "Goldens");

    public static string TokenizerJson { get; } = File.ReadAllText(Path.Combine(Directory, "tokenizer.json"));

    public static string[] Paragraphs => File.ReadAllLines(Path.Combine(Directory, "paragraphs.txt"));

    public static JsonElement Read(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Directory, file)));
        return document.RootElement.Clone();
    }

    /// <summary>Four hexadecimal digits a UTF-16 unit, because the texts may hold unpaired surrogates.</summary>
    public static string Text(JsonElement units) =>
        new([.. units.GetString()!.Chunk(4).Select(digits => (char)int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture))]);

    /// <summary>Loads the golden tokenizer with a change to its tokenizer.json.</summary>
    public static Tokenizer Changed(Action<JsonObject> change)
    {
        var root = JsonNode.Parse(TokenizerJson)!.AsObject();
        change(root);
        return Load(("tokenizer.json", root.ToJsonString()));
    }

    /// <summary>Loads a tokenizer from a folder that holds just these files.</summary>
    public static Tokenizer Load(params (string Name, string Content)[] files)
    {
        using var folder = new TemporaryFolder();
        foreach (var (name, content) in files)
        {
            File.WriteAllText(Path.Combine(folder.Path, name), content);
        }

        return Tokenizer.Load(folder.Path);
    }
}

/// <summary>An empty folder that goes away with its contents.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = System.IO.Directory.CreateTempSubdirectory("minimax-tokenizer-").FullName;

    public void Dispose() => System.IO.Directory.Delete(Path, recursive: true);
}
