using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Models;

namespace MiniMaxSharp.Tests.Support;

/// <summary>Checkpoints whose weights are holes of the file system: headers of any size that take no disk, and read as zeros.</summary>
internal static class Holes
{
    public static void Write(string directory, MiniMaxConfig config, string type, long maxShardBytes = 5L << 30)
    {
        config.Save(directory);
        ShardedCheckpoint.Save(directory, [.. config.Parameters().Select(p => Source(p, Router(p) ? "F32" : type))], maxShardBytes);
    }

    public static TensorSource Source(ParameterSpec parameter, string type)
    {
        TensorSource source = new(parameter.Name, type, [.. parameter.Shape], _ => { });
        return source with
        {
            Write = stream =>
            {
                stream.SetLength(stream.Position + source.ByteLength);
                stream.Seek(0, SeekOrigin.End);
            },
        };
    }

    private static bool Router(ParameterSpec parameter) => parameter.Name.EndsWith("block_sparse_moe.gate.weight", StringComparison.Ordinal);
}
