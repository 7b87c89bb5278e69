using System.Text;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Models;

namespace MiniMaxSharp.Tests.Checkpoints;

/// <summary>Thousands of damaged files: each opens and can be read, or is refused with a clear exception and little memory.</summary>
public sealed class DamagedFileTests : IDisposable
{
    private const long AllocationLimit = 1 << 20;
    private static readonly string[] Tokens =
    [
        "{", "}", "[", "]", ",", ":", "\"", "null", "true", "-1", "0", "1e9", "9223372036854775807", "9223372036854775808", "\"dtype\"",
        "\"shape\"", "\"data_offsets\"", "\"__metadata__\"", "\"F32\"", "\"F64\"", "\"\\ud800\"", "\\", "[[[[[[[[", "\0", "é",
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SafetensorsOpenOrAreRefused()
    {
        SafetensorsWriter.Write(_folder["whole"],
        [
            TensorSource.Of<float>("model.embed_tokens.weight", new float[12], 3, 4),
            TensorSource.Of<long>("ids", new long[5], 5),
            TensorSource.Of<Half>("half", new Half[2], 1, 2, 1),
            TensorSource.Of<byte>("none", Array.Empty<byte>(), 0, 7),
        ], new Dictionary<string, string> { ["format"] = "pt" });
        byte[] whole = File.ReadAllBytes(_folder["whole"]);
        (int opened, int refused) = Try(whole, 6000, path =>
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            foreach (string name in file.Tensors.Keys)
            {
                Assert.Equal(file.Info(name).Count, file.ReadAsDouble(name).Length);
            }
        });
        Assert.True(opened > 100 && refused > 3000, $"{opened} opened, {refused} refused");
    }

    [Fact]
    public void ConfigurationsLoadOrAreRefused()
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(Goldens, "A", "config.json"));
        (int loaded, int refused) = Try(whole, 4000, path => MiniMaxConfig.Load(path).Validate());
        Assert.True(loaded > 100 && refused > 1500, $"{loaded} loaded, {refused} refused");
    }

    [Fact]
    public void IndicesOpenOrAreRefused()
    {
        TensorSource[] tensors = [.. Enumerable.Range(0, 4).Select(i => TensorSource.Of<float>($"t{i}", new float[4], 4))];
        ShardedCheckpoint.Save(_folder["sharded"], tensors, 32);
        string index = Path.Combine(_folder["sharded"], "model.safetensors.index.json");
        (int opened, int refused) = Try(File.ReadAllBytes(index), 2000, path =>
        {
            File.Copy(path, index, overwrite: true);
            ShardedCheckpoint.Open(_folder["sharded"]).Dispose();
        });
        Assert.True(opened > 20 && refused > 1000, $"{opened} opened, {refused} refused");
    }

    internal static string Goldens => Path.Combine(AppContext.BaseDirectory, "goldens");

    private (int Good, int Refused) Try(byte[] whole, int count, Action<string> read)
    {
        var random = new SplitMix64(2024);
        int good = 0, refused = 0;
        for (int i = 0; i < count; i++)
        {
            string path = _folder["damaged"];
            File.WriteAllBytes(path, Damage(whole, random));
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                read(path);
                good++;
            }
            catch (CheckpointFormatException error)
            {
                Assert.NotEmpty(error.Message);
                refused++;
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, AllocationLimit);
        }

        return (good, refused);
    }

    private static byte[] Damage(byte[] whole, SplitMix64 random)
    {
        List<byte> bytes = [.. whole];
        int edits = 1 + random.Below(3);
        for (int i = 0; i < edits; i++)
        {
            int at = random.Below(bytes.Count);
            switch (random.Below(5))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Below(8));
                    break;
                case 1:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 2:
                    bytes.RemoveRange(at, Math.Min(1 + random.Below(8), bytes.Count - at));
                    break;
                case 3:
                    byte[] token = Encoding.UTF8.GetBytes(Tokens[random.Below(Tokens.Length)]);
                    Overwrite(bytes, at, token);
                    break;
                default:
                    int from = random.Below(bytes.Count);
                    bytes.InsertRange(at, bytes.GetRange(from, Math.Min(random.Below(64), bytes.Count - from)));
                    break;
            }

            if (bytes.Count == 0)
            {
                break;
            }
        }

        return [.. bytes];
    }

    // In place, so that lengths stay right and what is deeper gets its share.
    private static void Overwrite(List<byte> bytes, int at, byte[] token)
    {
        for (int i = 0; i < token.Length && at + i < bytes.Count; i++)
        {
            bytes[at + i] = token[i];
        }
    }
}
