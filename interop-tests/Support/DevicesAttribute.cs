using System.Reflection;
using MiniMaxSharp.Native;
using Xunit.Sdk;

namespace MiniMaxSharp.Tests.Support;

/// <summary>
/// Runs a theory on every backend: the CPU, and CUDA where MINIMAX_CUDA_LIBRARY names its library (its kernels compiled for the
/// host, where there is no GPU). The device's name is the first argument.
/// </summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
internal sealed class DevicesAttribute(params object[] more) : DataAttribute
{
    public static bool Cuda => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(MiniMaxNative.CudaVariable));

    public override IEnumerable<object[]> GetData(MethodInfo testMethod)
    {
        yield return ["cpu", .. more];
        if (Cuda)
        {
            yield return ["cuda", .. more];
        }
    }
}
