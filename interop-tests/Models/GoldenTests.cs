using System.Runtime.InteropServices;
using MiniMaxSharp.Cli;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Models;

/// <summary>The published PyTorch code's numbers, through the tool's own check.</summary>
public sealed class GoldenTests
{
    private static readonly string s_goldens = Repository.Path("interop-tests", "goldens");

    [Theory]
    [Devices]
    public void Every_case_agrees(string on)
    {
        var output = new StringWriter();
        Assert.True(Commands.Run(["check", "--goldens", s_goldens, "--device", on], output) == 0, output.ToString());
        Assert.Contains("lightning:", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("\nA: ", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("FAIL", output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("kernels/lightning.safetensors", "with_state/dk", "lightning with_state/dk")]
    [InlineData("kernels/policy_loss.safetensors", "cispo/dlogits", "policy_loss cispo/dlogits")]
    [InlineData("A/forward.safetensors", "router_logits.2", "A/forward router_logits.2")]
    [InlineData("A/grads.safetensors", "grad.model.norm.weight", "A/grads grad.model.norm.weight")]
    public void A_flipped_value_fails_and_names_the_tensor(string file, string tensor, string named)
    {
        string copy = Directory.CreateTempSubdirectory("goldens").FullName;
        try
        {
            foreach (string source in Directory.GetFiles(s_goldens, "*", SearchOption.AllDirectories))
            {
                string target = Path.Combine(copy, Path.GetRelativePath(s_goldens, source));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(source, target);
            }

            Flip(Path.Combine(copy, file), tensor);
            var output = new StringWriter();
            Assert.Equal(1, Commands.Run(["check", "--goldens", copy], output));
            Assert.Contains($"FAIL {named}:", output.ToString(), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    [Fact]
    public void An_unknown_family_fails()
    {
        string folder = Directory.CreateTempSubdirectory("goldens").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(folder, "kernels"));
            foreach (string end in new[] { ".json", ".safetensors" })
            {
                File.Copy(Path.Combine(s_goldens, "kernels", "rmsnorm" + end), Path.Combine(folder, "kernels", "unheard_of" + end));
            }

            var output = new StringWriter();
            Assert.Equal(1, Commands.Run(["check", "--goldens", folder], output));
            Assert.Contains("FAIL unheard_of plain", output.ToString(), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // The sign of the tensor's largest value.
    private static void Flip(string path, string tensor)
    {
        byte[] bytes = File.ReadAllBytes(path);
        long header = MemoryMarshal.Read<long>(bytes);
        using System.Text.Json.JsonDocument json = System.Text.Json.JsonDocument.Parse(bytes.AsMemory(8, (int)header));
        System.Text.Json.JsonElement entry = json.RootElement.GetProperty(tensor);
        int start = (int)(8 + header + entry.GetProperty("data_offsets")[0].GetInt64()), end = (int)(8 + header + entry.GetProperty("data_offsets")[1].GetInt64());
        int size = entry.GetProperty("dtype").GetString() == "F64" ? 8 : 4;
        int at = Enumerable.Range(0, (end - start) / size).Select(i => start + i * size)
            .MaxBy(i => Math.Abs(size == 8 ? MemoryMarshal.Read<double>(bytes.AsSpan(i)) : MemoryMarshal.Read<float>(bytes.AsSpan(i))));
        bytes[at + size - 1] ^= 0x80;
        File.WriteAllBytes(path, bytes);
    }
}
