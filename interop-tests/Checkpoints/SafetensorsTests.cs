using System.Buffers.Binary;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using MiniMaxSharp.Checkpoints;

namespace MiniMaxSharp.Tests.Checkpoints;

public sealed class SafetensorsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Property(MaxTest = 200)]
    public Property EveryTensorComesBackToTheBit()
    {
        return Prop.ForAll(Contents().ToArbitrary(), contents =>
        {
            using var folder = new TemporaryFolder();
            string path = folder["x.safetensors"];
            SafetensorsWriter.Write(path, [.. contents.Select(Source)]);
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return file.Tensors.Count == contents.Length && contents.All(c =>
                file.Info(c.Name).DType == c.Type
                && file.Info(c.Name).Shape.SequenceEqual(c.Shape)
                && file.Bytes(c.Name).SequenceEqual(c.Data));
        });
    }

    [Fact]
    public void TheSameTensorsGiveTheSameBytesUnderAPaddedHeader()
    {
        TensorSource[] tensors =
        [
            TensorSource.Of<byte>("half", new byte[3], 3),
            TensorSource.Of<long>("ids \"é\"", new long[] { 1, -2 }, 2),
            TensorSource.Of<float>("number", new[] { 1f }),
        ];
        var metadata = new Dictionary<string, string> { ["z"] = "1", ["a"] = "ü\n" };
        SafetensorsWriter.Write(_folder["a"], tensors, metadata);
        SafetensorsWriter.Write(_folder["b"], tensors, metadata);
        byte[] bytes = File.ReadAllBytes(_folder["a"]);
        Assert.Equal(bytes, File.ReadAllBytes(_folder["b"]));
        long header = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        Assert.Equal(0, header % 8);
        Assert.Equal(8 + header + 16 + 4 + 3, bytes.Length);
        using SafetensorsFile file = SafetensorsFile.Open(_folder["a"]);
        Assert.Equal(metadata.OrderBy(p => p.Key), file.Metadata.OrderBy(p => p.Key));
        Assert.Equal([1, -2], file.ReadAsInt64("ids \"é\""));
        Assert.Equal(0, file.Info("ids \"é\"").Offset);
        Assert.Empty(file.Info("number").Shape);
    }

    [Fact]
    public void NumbersAreConvertedFromEveryType()
    {
        SafetensorsWriter.Write(_folder["x"],
        [
            TensorSource.Of<double>("F64", new[] { 0.1, -2 }, 2),
            TensorSource.Of<float>("F32", new[] { 0.1f, -2 }, 2),
            TensorSource.Of<Half>("F16", new[] { (Half)0.1, (Half)(-2) }, 2),
            new("BF16", "BF16", [2], s => s.Write([0xCD, 0x3D, 0x00, 0xC0])),
            TensorSource.Of<int>("I32", new[] { 7, -2 }, 2),
            TensorSource.Of<byte>("U8", new byte[] { 7, 255 }, 2),
            TensorSource.Of<bool>("BOOL", new[] { false, true }, 2),
        ]);
        using SafetensorsFile file = SafetensorsFile.Open(_folder["x"]);
        Assert.Equal([0.1, -2], file.ReadAsDouble("F64"));
        Assert.Equal([0.1f, -2], file.ReadAsFloat("F64"));
        Assert.Equal([0.1f, -2], file.ReadAsDouble("F32"));
        Assert.Equal([(float)(Half)0.1, -2], file.ReadAsFloat("F16"));
        Assert.Equal([0.10009765625f, -2], file.ReadAsFloat("BF16"));
        Assert.Equal([7, -2], file.ReadAsInt64("I32"));
        Assert.Equal([7, 255], file.ReadAsFloat("U8"));
        Assert.Equal([0, 1], file.ReadAsInt64("BOOL"));
        string message = Assert.Throws<CheckpointFormatException>(() => file.ReadAsInt64("F32")).Message;
        Assert.Contains("F32", message, StringComparison.Ordinal);
        Assert.Contains(_folder["x"], message, StringComparison.Ordinal);
        Assert.Throws<CheckpointFormatException>(() => file.ReadAsFloat("nothing"));
    }

    [Theory]
    [InlineData(0x3F800000u, 0x3F80)] // 1
    [InlineData(0x3F808000u, 0x3F80)] // halfway between 3F80 and 3F81: to the even one
    [InlineData(0x3F808001u, 0x3F81)]
    [InlineData(0x3F818000u, 0x3F82)] // halfway, the even one is above
    [InlineData(0x7F7FFFFFu, 0x7F80)] // the largest single overflows to infinity
    [InlineData(0xFF800000u, 0xFF80)]
    [InlineData(0x00008000u, 0x0000)] // a subnormal tie
    [InlineData(0x00018000u, 0x0002)]
    [InlineData(0x7F800001u, 0x7FC0)] // NaN must not become infinity
    public void BFloat16RoundsToNearestEven(uint single, int expected)
    {
        ushort bits = BFloat16.FromSingle(BitConverter.UInt32BitsToSingle(single));
        Assert.Equal(expected, bits);
        float back = BFloat16.ToSingle(bits);
        Assert.Equal(bits, float.IsNaN(back) ? bits : BFloat16.FromSingle(back));
    }

    [Theory]
    [InlineData("""[]""", "an object")]
    [InlineData("""{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""", "JSON")]
    [InlineData("""{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} x""", "JSON")]
    [InlineData("""{"t":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}""", "F8_E4M3")]
    [InlineData("""{"t":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", "'t'")]
    [InlineData("""{"t":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "'t'")]
    [InlineData("""{"t":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", "'t'")]
    [InlineData("""{"t":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}}""", "'t'")]
    [InlineData("""{"t":{"dtype":"F32","shape":[2147483648,2147483649],"data_offsets":[0,8]}}""", "'t'")]
    [InlineData("""{"t":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", "'t'")]
    [InlineData("""{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}}""", "'t'")]
    [InlineData("""{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}""", "'t'")]
    [InlineData("""{"t":{"dtype":"F32","shape":[2],"data_offsets":[9223372036854775800,9223372036854775807]}}""", "'t'")]
    [InlineData("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "end at 4")]
    [InlineData("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "'t'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "'t'")]
    [InlineData("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "'t' appears twice")]
    [InlineData("""{"t":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "'dtype'")]
    [InlineData("""{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":1}}""", "'extra'")]
    [InlineData("""{"t":{"dtype":"F32","shape":[2]}}""", "'t'")]
    [InlineData("""{"t":{"dtype":5,"shape":[2],"data_offsets":[0,8]}}""", "'t'")]
    [InlineData("""{"t":{"dtype":"F32","shape":null,"data_offsets":[0,8]}}""", "'t'")]
    [InlineData("""{"__metadata__":{"k":1},"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "'k'")]
    [InlineData("""{"__metadata__":{},"__metadata__":{},"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "__metadata__")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "JSON")]
    public void ABadHeaderIsRefusedByName(string header, string named)
    {
        File.WriteAllBytes(_folder["x"], Raw(Encoding.UTF8.GetBytes(header), 8));
        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.Open(_folder["x"]));
        Assert.Contains(_folder["x"], error.Message, StringComparison.Ordinal);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ALengthBeyondTheFileOrTheLimitIsRefused()
    {
        foreach (ulong length in new ulong[] { 3, 1UL << 40, ulong.MaxValue })
        {
            byte[] bytes = new byte[10];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
            File.WriteAllBytes(_folder["x"], bytes);
            Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.Open(_folder["x"]));
        }

        File.WriteAllBytes(_folder["x"], Raw([0xFF, 0xFE], 0));
        Assert.Contains("UTF-8", Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.Open(_folder["x"])).Message, StringComparison.Ordinal);
        using (FileStream sparse = File.Create(_folder["y"]))
        {
            sparse.Write(BitConverter.GetBytes(100_000_001L));
            sparse.SetLength(100_000_100);
        }

        Assert.Contains("100000001", Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.Open(_folder["y"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AWriterThatFailsLeavesTheOldFile()
    {
        SafetensorsWriter.Write(_folder["x"], [TensorSource.Of<float>("t", new[] { 5f }, 1)]);
        TensorSource liar = new("t", "F32", [2], s => s.Write(new byte[4]));
        Assert.Throws<InvalidOperationException>(() => SafetensorsWriter.Write(_folder["x"], [liar]));
        TensorSource twice = TensorSource.Of<float>("t", new[] { 6f }, 1);
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(_folder["x"], [twice, twice]));
        Assert.Equal([_folder["x"]], Directory.GetFiles(_folder.Root));
        using SafetensorsFile file = SafetensorsFile.Open(_folder["x"]);
        Assert.Equal([5f], file.ReadAsFloat("t"));
    }

    [Fact]
    public void AnOpenFileOutlivesItsReplacement()
    {
        SafetensorsWriter.Write(_folder["x"], [TensorSource.Of<float>("t", new[] { 5f }, 1)]);
        SafetensorsFile file = SafetensorsFile.Open(_folder["x"]);
        SafetensorsWriter.Write(_folder["x"], [TensorSource.Of<float>("t", new float[5000], 5000)]);
        Assert.Equal([5f], file.ReadAsFloat("t"));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.ReadAsFloat("t"));
    }

    [Fact]
    public unsafe void ATensorBeyondTwoGigabytesIsReached()
    {
        const long Length = 3L << 30;
        byte[] header = Encoding.UTF8.GetBytes($$"""{"a":{"dtype":"U8","shape":[{{Length}}],"data_offsets":[0,{{Length}}]} }""");
        using (FileStream sparse = File.Create(_folder["x"]))
        {
            sparse.Write(Raw(header, 0));
            sparse.SetLength(sparse.Position + Length);
            sparse.Position = sparse.Length - 1;
            sparse.WriteByte(42);
        }

        using SafetensorsFile file = SafetensorsFile.Open(_folder["x"]);
        Assert.Equal(42, file.Pointer("a")[Length - 1]);
        Assert.Contains("'b'", Assert.Throws<CheckpointFormatException>(() => file.Bytes("b")).Message, StringComparison.Ordinal);
        Assert.Contains("a: U8[3221225472]", Assert.Throws<CheckpointFormatException>(() => file.ReadAsDouble("a")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CopyingIntoATensorConvertsAndChecks()
    {
        SafetensorsWriter.Write(_folder["x"],
        [
            TensorSource.Of<double>("d", new[] { 0.1, double.MaxValue }, 2),
            TensorSource.Of<float>("f", new[] { 0.1f, float.NaN }, 2),
            TensorSource.Of<long>("i", new long[] { 3, 4 }, 2),
        ]);
        using SafetensorsFile file = SafetensorsFile.Open(_folder["x"]);
        using Device device = Device.Cpu();
        using Tensor single = Tensor.Empty(device, ElementType.Float32, 2);
        file.CopyTo("d", single);
        Assert.Equal([0.1f, float.PositiveInfinity], single.ToArray<float>());
        using Tensor half = Tensor.Empty(device, ElementType.BFloat16, 2);
        file.CopyTo("f", half);
        Assert.Equal([0x3DCD, 0xFFC0], half.ToArray<ushort>().Select(x => (int)x));
        using Tensor integers = Tensor.Empty(device, ElementType.Int64, 2);
        file.CopyTo("i", integers);
        Assert.Equal([3, 4], integers.ToArray<long>());
        using Tensor row = Tensor.Empty(device, ElementType.Int64, 1, 2);
        Assert.Contains("[1, 2]", Assert.Throws<CheckpointFormatException>(() => file.CopyTo("i", row)).Message, StringComparison.Ordinal);
        Assert.Contains("i: I64[2]", Assert.Throws<CheckpointFormatException>(() => file.CopyTo("i", single)).Message, StringComparison.Ordinal);
        Assert.Throws<CheckpointFormatException>(() => file.CopyTo("d", half));
    }

    internal static byte[] Raw(byte[] header, int dataBytes)
    {
        byte[] bytes = new byte[8 + header.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        header.CopyTo(bytes, 8);
        return bytes;
    }

    private static TensorSource Source(Content content) => new(content.Name, content.Type, content.Shape, s => s.Write(content.Data));

    private static Gen<Content[]> Contents() =>
        from count in Gen.Choose(0, 6)
        from names in ArbMap.Default.GeneratorFor<NonNull<string>>().ArrayOf(count)
        from tensors in Tensors().ArrayOf(count)
        select tensors.Select((t, i) => t with { Name = Valid(names[i].Get) }).DistinctBy(t => t.Name).ToArray();

    private static string Valid(string name) =>
        "t" + Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(name));

    private static Gen<Content> Tensors() =>
        from type in Gen.Elements("F64", "F32", "BF16", "F16", "I64", "I32", "U8", "BOOL")
        from shape in Gen.Choose(0, 4).Select(n => (long)n).ListOf().Resize(4)
        let bytes = shape.Aggregate(1L, (a, b) => a * b) * StoredTypes.Size(type)
        from data in Gen.Choose(0, 255).Select(b => (byte)b).ArrayOf((int)bytes)
        select new Content("", type, [.. shape], data);

    private sealed record Content(string Name, string Type, long[] Shape, byte[] Data);
}
