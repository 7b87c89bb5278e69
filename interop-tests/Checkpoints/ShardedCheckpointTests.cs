using MiniMaxSharp.Checkpoints;

namespace MiniMaxSharp.Tests.Checkpoints;

public sealed class ShardedCheckpointTests : IDisposable
{
    private const string Index = "model.safetensors.index.json";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ShardsHoldNoMoreThanAskedForAndComeBack()
    {
        ShardedCheckpoint.Save(_folder.Root, Tensors(7), maxShardBytes: 50);
        Assert.Equal(
            ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors", Index],
            Names());
        Assert.Contains("\"total_size\": 112", File.ReadAllText(_folder[Index]), StringComparison.Ordinal);
        Check(7);
    }

    [Fact]
    public void WhatFitsIsOneFile()
    {
        ShardedCheckpoint.Save(_folder.Root, Tensors(7), maxShardBytes: 112);
        Assert.Equal(["model.safetensors"], Names());
        using SafetensorsFile file = SafetensorsFile.Open(_folder["model.safetensors"]);
        Assert.Equal("pt", file.Metadata["format"]);
        Check(7);
    }

    [Theory]
    [InlineData(16, 1000)]
    [InlineData(1000, 16)]
    [InlineData(16, 48)]
    public void ASaveReplacesWhateverWasThere(long first, long second)
    {
        ShardedCheckpoint.Save(_folder.Root, Tensors(9), first);
        ShardedCheckpoint.Save(_folder.Root, Tensors(6), second);
        Check(6);
        Assert.Equal(second == 1000 ? 1 : second == 16 ? 7 : 3, Names().Length);
    }

    [Fact]
    public void ATensorLargerThanAShardHasItsOwn()
    {
        ShardedCheckpoint.Save(_folder.Root, Tensors(3), maxShardBytes: 1);
        Assert.Equal(4, Names().Length);
        Check(3);
    }

    [Fact]
    public void AMissingShardIsNamed()
    {
        ShardedCheckpoint.Save(_folder.Root, Tensors(4), 32);
        File.Delete(_folder["model-00002-of-00002.safetensors"]);
        Refused("model-00002-of-00002.safetensors");
    }

    [Fact]
    public void ATruncatedShardIsNamed()
    {
        ShardedCheckpoint.Save(_folder.Root, Tensors(4), 32);
        using (FileStream file = File.OpenWrite(_folder["model-00002-of-00002.safetensors"]))
        {
            file.SetLength(file.Length - 4);
        }

        Refused("model-00002-of-00002.safetensors", "t3");
    }

    [Fact]
    public void ATensorInTwoShardsIsNamed()
    {
        ShardedCheckpoint.Save(_folder.Root, Tensors(4), 32);
        SafetensorsWriter.Write(_folder["model-00002-of-00002.safetensors"], [.. Tensors(4).Skip(1)]);
        Refused("model-00002-of-00002.safetensors", "'t1'", "model-00001-of-00002.safetensors");
    }

    [Fact]
    public void ATensorThatAShardLacksIsNamed()
    {
        ShardedCheckpoint.Save(_folder.Root, Tensors(4), 32);
        SafetensorsWriter.Write(_folder["model-00002-of-00002.safetensors"], [.. Tensors(4).Skip(3)]);
        Refused("model-00002-of-00002.safetensors", "'t2'");
    }

    [Theory]
    [InlineData("../model.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("sub/model.safetensors")]
    [InlineData("..\\\\model.safetensors")]
    [InlineData("C:model.safetensors")]
    public void AnIndexCannotLeaveItsFolder(string shard)
    {
        File.WriteAllText(_folder[Index], """{"metadata":{},"weight_map":{"t0":"?"}}""".Replace("?", shard, StringComparison.Ordinal));
        Refused(Index, "'t0'");
    }

    [Fact]
    public void AnIndexThatNamesATensorTwiceIsRefused()
    {
        ShardedCheckpoint.Save(_folder.Root, Tensors(2), 16);
        string text = File.ReadAllText(_folder[Index]);
        File.WriteAllText(_folder[Index], text.Replace("\"t0\"", "\"t1\"", StringComparison.Ordinal));
        Refused(Index, "t1");
    }

    [Fact]
    public void AnEmptyFolderIsRefused() => Refused("model.safetensors", Index);

    private void Refused(params string[] named)
    {
        string message = Assert.Throws<CheckpointFormatException>(() => ShardedCheckpoint.Open(_folder.Root)).Message;
        Assert.All(named, part => Assert.Contains(part, message, StringComparison.Ordinal));
    }

    private void Check(int count)
    {
        using ShardedCheckpoint checkpoint = ShardedCheckpoint.Open(_folder.Root);
        Assert.Equal(Enumerable.Range(0, count).Select(i => $"t{i}"), checkpoint.Names.Order());
        for (int i = 0; i < count; i++)
        {
            Assert.Equal([i, i + 0.5f, 100 * count, -1], checkpoint.FileOf($"t{i}").ReadAsFloat($"t{i}"));
        }
    }

    private string[] Names() => [.. Directory.GetFiles(_folder.Root).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    private static TensorSource[] Tensors(int count) =>
        [.. Enumerable.Range(0, count).Select(i => TensorSource.Of<float>($"t{i}", new[] { i, i + 0.5f, 100 * count, -1 }, 2, 2))];
}
