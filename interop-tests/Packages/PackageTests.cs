using System.Diagnostics;
using System.IO.Compression;
using MiniMaxSharp.Native;
using MiniMaxSharp.Tests.Support;

namespace MiniMaxSharp.Tests.Packages;

/// <summary>What users get: packages, consumed from a local feed with an empty cache by a program outside the repository.</summary>
public sealed class PackageTests
{
    private static readonly string[] s_projects =
    [
        "bindings/MiniMaxSharp.Native", "managed/MiniMaxSharp.Runtime.Cpu", "managed/MiniMaxSharp", "managed/MiniMaxSharp.Tasks",
        "managed/MiniMaxSharp.Training", "managed/MiniMaxSharp.Environments", "managed/MiniMaxSharp.Serving", "managed/MiniMaxSharp.Cli",
    ];

    // On a GPU the consumer names the backend's package too, and finds the library there: the variable does not reach it.
    [Theory]
    [Devices]
    public void A_consumer_and_the_tool_run_from_a_local_feed(string device)
    {
        string folder = Directory.CreateTempSubdirectory("consumer").FullName;
        try
        {
            string feed = Path.Combine(folder, "feed"), artifacts = Path.Combine(folder, "artifacts");
            foreach (string project in s_projects)
            {
                Run(Repository.Root, null, "pack", "-c", "Release", project, "-o", feed, "--artifacts-path", artifacts, "-v", "q", "-nodeReuse:false");
            }

            Assert.Equal(s_projects.Length, Directory.GetFiles(feed, "*.nupkg").Length);
            if (device == "cuda")
            {
                string library = Path.Combine(folder, "libminimax_cuda12.so");
                File.Copy(Environment.GetEnvironmentVariable(MiniMaxNative.CudaVariable)!, library);
                PackCuda(library, feed, artifacts);
            }

            using (ZipArchive runtime = ZipFile.OpenRead(Directory.GetFiles(feed, "MiniMaxSharp.Runtime.Cpu.*.nupkg").Single()))
            {
                Assert.Contains(runtime.Entries, e => e.FullName == "runtimes/linux-x64/native/libminimax.so" && e.Length > 100_000);
            }

            string consumer = Directory.CreateDirectory(Path.Combine(folder, "app")).FullName;
            string backend = device == "cuda" ? """<PackageReference Include="MiniMaxSharp.Runtime.Cuda12" Version="0.1.0" />""" : "";
            File.WriteAllText(Path.Combine(consumer, "app.csproj"), $"""
                <Project Sdk="Microsoft.NET.Sdk">
                  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
                  <ItemGroup><PackageReference Include="MiniMaxSharp.Training" Version="0.1.0" />{backend}</ItemGroup>
                </Project>
                """);
            File.WriteAllText(Path.Combine(consumer, "Program.cs"), """
                using MiniMaxSharp;
                using MiniMaxSharp.Generation;
                using MiniMaxSharp.Models;
                using MiniMaxSharp.Training;

                using Device device = Device.Open(args[0]);
                var config = new MiniMaxConfig { HiddenSize = 16, NumHiddenLayers = 2, AttnTypeList = [0, 1], NumAttentionHeads = 2, NumKeyValueHeads = 1, HeadDim = 8, RotaryDim = 8, IntermediateSize = 16, NumLocalExperts = 2, NumExpertsPerTok = 1, VocabSize = 20 };
                using var model = MiniMaxForCausalLM.Create(config, device, seed: 1);
                using var optimizer = new AdamW(model.Parameters);
                var trainer = new SupervisedTrainer(model, optimizer, new SupervisedOptions { LearningRate = new LearningRateSchedule(1e-2f, 5) });
                for (int i = 0; i < 5; i++) trainer.Step([new TrainingSequence([1, 2, 3, 4], 1)], i);
                Console.WriteLine(string.Join(',', new TextGenerator(model).Generate([new GenerationRequest(new[] { 1 })], new GenerationOptions { MaxNewTokens = 3, Temperature = 0 })[0][0].Tokens));
                """);
            string cache = Path.Combine(folder, "cache");
            string tools = Path.Combine(folder, "tools");
            Run(folder, cache, "tool", "install", "MiniMaxSharp.Cli", "--version", "0.1.0", "--tool-path", tools, "--source", feed);
            string doctor = RunProgram(Path.Combine(tools, "minimax"), folder, cache, "doctor");
            Assert.Contains($"library: {tools}", doctor, StringComparison.Ordinal);
            Assert.Contains(": passed", doctor, StringComparison.Ordinal);

            string output = Run(consumer, cache, "run", "-c", "Release", $"-p:RestoreAdditionalProjectSources={feed}", "--", device);
            Assert.Equal("2,3,4", output.Trim().Split('\n')[^1]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // Of a library that is there already, or stands in for it: this needs no nvcc.
    [Fact]
    public void The_cuda_backend_is_a_package_of_its_own()
    {
        string folder = Directory.CreateTempSubdirectory("cuda").FullName;
        try
        {
            string library = Path.Combine(folder, "libminimax_cuda12.so");
            File.WriteAllBytes(library, new byte[123_456]);
            PackCuda(library, folder, Path.Combine(folder, "artifacts"));
            using ZipArchive package = ZipFile.OpenRead(Directory.GetFiles(folder, "MiniMaxSharp.Runtime.Cuda12.*.nupkg").Single());
            Assert.Equal(123_456, package.Entries.Single(e => e.FullName == "runtimes/linux-x64/native/libminimax_cuda12.so").Length);
            Assert.DoesNotContain(package.Entries, e => e.FullName.EndsWith(".dll", StringComparison.Ordinal));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void PackCuda(string library, string feed, string artifacts) => Run(
        Repository.Root, null, "pack", "-c", "Release", "managed/MiniMaxSharp.Runtime.Cuda12", "-o", feed, "--artifacts-path", artifacts,
        "-p:WithCuda=true", "-p:BuildNative=false", $"-p:CudaLibraryPath={library}", $"-p:NativeLibraryPath={library}", "-v", "q", "-nodeReuse:false");

    private static string Run(string directory, string? packageCache, params string[] arguments) =>
        RunProgram("dotnet", directory, packageCache, arguments);

    private static string RunProgram(string program, string directory, string? packageCache, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = directory, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment.Remove(MiniMaxNative.CudaVariable);
        if (packageCache is not null)
        {
            start.Environment["NUGET_PACKAGES"] = packageCache;
        }

        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}\n{output}\n{errors.Result}");
        return output;
    }
}
