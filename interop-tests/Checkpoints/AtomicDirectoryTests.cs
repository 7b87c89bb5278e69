using MiniMaxSharp.Checkpoints;

namespace MiniMaxSharp.Tests.Checkpoints;

public sealed class AtomicDirectoryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AKillAtAnyStepLeavesTheOldOrTheNewContent()
    {
        string path = _folder["checkpoint"];
        AtomicDirectory.Replace(path, Write("first"));
        int steps = AtomicDirectory.Steps(path, Write("first")).Count();
        var seen = new List<string>();
        for (int killed = 1; killed <= steps; killed++)
        {
            AtomicDirectory.Replace(path, Write("old"));
            // Whoever stops enumerating does nothing more, as one who was killed.
            string last = AtomicDirectory.Steps(path, Write("new")).Take(killed).Last();
            AtomicDirectory.Recover(path);
            string content = Content(path);
            Assert.Equal(IsReady(last) ? "new" : "old", content);
            seen.Add(content);
            AtomicDirectory.Replace(path, Write("next"));
            Assert.Equal("next", Content(path));
            Assert.Equal(["checkpoint"], Directory.GetFileSystemEntries(_folder.Root).Select(Path.GetFileName));
        }

        Assert.Contains("old", seen);
        Assert.Contains("new", seen);
    }

    [Fact]
    public void AKillDuringTheFirstWriteLeavesNothing()
    {
        string path = _folder["checkpoint"];
        Directory.CreateDirectory(path + ".minimax-new");
        File.WriteAllText(Path.Combine(path + ".minimax-new", "half"), "");
        AtomicDirectory.Recover(path);
        Assert.False(Directory.Exists(path));
        AtomicDirectory.Replace(path, Write("whole"));
        Assert.Equal("whole", Content(path));
        Assert.False(File.Exists(Path.Combine(path, "half")));
    }

    [Fact]
    public void AKillDuringARecoveryIsRecoveredFrom()
    {
        string path = _folder["checkpoint"];
        AtomicDirectory.Replace(path, Write("old"));
        Assert.Equal("ready", AtomicDirectory.Steps(path, Write("new")).First(step => step == "ready"));
        for (int killed = 1; killed <= 3; killed++)
        {
            // A replacement begins with the recovery, step by step.
            _ = AtomicDirectory.Steps(path, _ => Assert.Fail("not reached")).Take(1).ToArray();
        }

        AtomicDirectory.Recover(path);
        Assert.Equal("new", Content(path));
    }

    [Fact]
    public void AFailedWriteLeavesTheOldContent()
    {
        string path = _folder["checkpoint"];
        AtomicDirectory.Replace(path, Write("old"));
        Assert.Throws<TimeoutException>(() => AtomicDirectory.Replace(path, directory =>
        {
            Write("new")(directory);
            throw new TimeoutException();
        }));
        Assert.Equal("old", Content(path));
        Assert.Equal(["checkpoint"], Directory.GetFileSystemEntries(_folder.Root).Select(Path.GetFileName));
    }

    [Fact]
    public void OpeningACheckpointFinishesASwap()
    {
        string path = _folder["checkpoint"];
        AtomicDirectory.Replace(path, directory => ShardedCheckpoint.Save(directory, [TensorSource.Of<float>("old", new[] { 1f })]));
        _ = AtomicDirectory.Steps(path, directory => ShardedCheckpoint.Save(directory, [TensorSource.Of<float>("new", new[] { 1f })]))
            .First(step => step == "old one moved");
        Assert.False(Directory.Exists(path));
        using ShardedCheckpoint checkpoint = ShardedCheckpoint.Open(path);
        Assert.Equal(["new"], checkpoint.Names);
    }

    private static bool IsReady(string step) => step is not ("an earlier attempt is gone" or "written");

    private static Action<string> Write(string content) => directory =>
    {
        Directory.CreateDirectory(Path.Combine(directory, "sub"));
        File.WriteAllText(Path.Combine(directory, "a"), content);
        File.WriteAllText(Path.Combine(directory, "sub", "b"), content);
    };

    private static string Content(string path)
    {
        string a = File.ReadAllText(Path.Combine(path, "a"));
        Assert.Equal(a, File.ReadAllText(Path.Combine(path, "sub", "b")));
        return a;
    }
}
