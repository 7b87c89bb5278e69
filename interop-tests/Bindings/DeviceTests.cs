using MiniMaxSharp.Native;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Bindings;

/// <summary>Devices by name, what is said where there is no GPU, and tensors that are not in the host's memory.</summary>
public sealed class DeviceTests
{
    [Fact]
    public void A_missing_backend_names_every_path_and_the_package()
    {
        string[] paths = [.. MiniMaxNative.CudaCandidates().Select(p => "/nowhere/" + Path.GetFileName(p)).Append("/nowhere/else.so").Distinct()];
        NativeLibraryException error = Assert.Throws<NativeLibraryException>(() => MiniMaxNative.LoadCudaFrom(paths));
        Assert.Equal(paths, error.Attempts.Select(a => a.Path));
        Assert.All(error.Attempts, a => Assert.NotEmpty(a.Error));
        Assert.Contains("MiniMaxSharp.Runtime.Cuda12", error.Message, StringComparison.Ordinal);
        Assert.Contains("/nowhere/else.so", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Auto_takes_a_gpu_or_says_why_not()
    {
        int gpus = Device.CudaDevices(out string reason);
        var warnings = new List<string>();
        using Device device = Device.Open("auto", warnings.Add);
        Assert.Equal(gpus == 0, device.IsCpu);
        Assert.Equal(gpus == 0, reason.Length > 0);
        Assert.Equal(gpus == 0 ? 1 : 0, warnings.Count);
        Assert.All(warnings, warning => Assert.Contains(reason[..20], warning, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("gpu")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    public void An_unknown_name_is_refused(string name) => Assert.Throws<ArgumentException>(() => Device.Open(name));

    [Theory]
    [Devices]
    public void A_device_describes_itself(string on)
    {
        using Device device = Device.Open(on);
        Assert.NotEmpty(device.Description);
        Assert.Equal(on == "cpu", device.IsCpu);
    }

    [Theory]
    [Devices]
    public void Tensors_are_copied_between_devices_and_never_mixed(string on)
    {
        using Device device = Device.Open(on), other = Device.Open(on), cpu = Device.Cpu();
        float[] values = [1, 2, 3, 4, 5, 6];
        using Tensor there = Tensor.From<float>(device, values, 2, 3), elsewhere = Tensor.Zeros(other, ElementType.Float32, 2, 3), here = Tensor.Zeros(cpu, ElementType.Float32, 6);
        elsewhere.CopyFrom(there);
        here.CopyFrom(elsewhere);
        Assert.Equal(values, here.ToFloats());
        there.Zero();
        there.CopyFrom(here);
        Assert.Equal(values, there.ToFloats());
        if (!device.IsCpu)
        {
            Assert.Throws<InvalidOperationException>(() => { there.AsTensorSpan<float>(); });
            Assert.Throws<ArgumentException>(() => there.Accumulate(here));
            Assert.Throws<ArgumentException>(() => there.Accumulate(elsewhere));
        }
    }
}
