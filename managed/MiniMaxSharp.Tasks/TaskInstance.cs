using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks;

/// <summary>What has to be solved, free of any wording. Immutable.</summary>
public abstract class Puzzle
{
    /// <summary>The puzzle as data; <see cref="IReasoningTask.ReadPuzzle"/> reads it back.</summary>
    public abstract JsonObject ToJson();

    /// <summary>A text that is the same for puzzles which differ only in names and order.</summary>
    public abstract string CanonicalForm();
}

/// <summary>One puzzle with its prompt and one right answer.</summary>
public sealed class TaskInstance
{
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly Lazy<ulong> _hash;

    /// <summary>Puts an instance together; the solution is taken on trust (<see cref="TaskRegistry.ReadLine"/> checks it).</summary>
    public TaskInstance(string task, string prompt, int difficulty, Puzzle puzzle, string solution)
    {
        (Task, Prompt, Difficulty, Puzzle, Solution) = (task, prompt, difficulty, puzzle, solution);
        _hash = new(() => Hash(task, puzzle));
    }

    /// <summary>The name of the task.</summary>
    public string Task { get; }

    /// <summary>What the model is asked.</summary>
    public string Prompt { get; }

    /// <summary>1 to 10.</summary>
    public int Difficulty { get; }

    /// <summary>What has to be solved.</summary>
    public Puzzle Puzzle { get; }

    /// <summary>One right answer; there may be others.</summary>
    public string Solution { get; }

    /// <summary>Equal for puzzles which differ only in names and order; prompt and difficulty play no part.</summary>
    public ulong CanonicalHash => _hash.Value;

    /// <summary>The part of the data this puzzle belongs to, with all puzzles of the same canonical form.</summary>
    public Split Split => Splits.Of(CanonicalHash);

    /// <summary>One line of JSON: <c>task, prompt, difficulty, data, solution</c>. <see cref="TaskRegistry.ReadLine"/> reads it back.</summary>
    public string ToJsonLine()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Readable))
        {
            writer.WriteStartObject();
            writer.WriteString("task", Task);
            writer.WriteString("prompt", Prompt);
            writer.WriteNumber("difficulty", Difficulty);
            writer.WritePropertyName("data");
            Puzzle.ToJson().WriteTo(writer);
            writer.WriteString("solution", Solution);
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    private static ulong Hash(string task, Puzzle puzzle)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{task}\n{puzzle.CanonicalForm()}"), digest);
        return BinaryPrimitives.ReadUInt64BigEndian(digest);
    }
}
