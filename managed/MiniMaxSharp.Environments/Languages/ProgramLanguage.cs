namespace MiniMaxSharp.Environments;

/// <summary>A language whose programs are built and run in the sandbox.</summary>
public abstract class ProgramLanguage
{
    /// <summary>Python 3.</summary>
    public static ProgramLanguage Python { get; } = new PythonLanguage();

    /// <summary>C#, by the compiler of the installed .NET SDK.</summary>
    public static ProgramLanguage CSharp { get; } = new CSharpLanguage();

    /// <summary>The name, as fenced blocks give it.</summary>
    public abstract string Name { get; }

    /// <summary>The names that a fenced block of this language may have, in lower case.</summary>
    public abstract IReadOnlyList<string> FenceNames { get; }

    /// <summary>What the file names of its sources end in.</summary>
    public abstract string Extension { get; }

    /// <summary>Builds a program in the sandbox: compilers, too, read what nobody trusts.</summary>
    /// <param name="files">Sources and other files by path.</param>
    /// <param name="main">The path of the source that the program starts in; the compiler of C# finds that by itself.</param>
    /// <param name="limits">What the build may use.</param>
    /// <param name="cancellation">Stops the build.</param>
    /// <exception cref="SandboxUnavailableException">The machine lacks the language or the sandbox.</exception>
    public abstract Task<BuildResult> BuildAsync(
        IReadOnlyDictionary<string, string> files, string main, SandboxLimits limits, CancellationToken cancellation = default);
}

/// <summary>A program or the reasons why there is none.</summary>
/// <param name="Program">What can be run; null if the build failed.</param>
/// <param name="Errors">What the compiler said.</param>
public sealed record BuildResult(BuiltProgram? Program, string Errors);

/// <summary>A program that can be run any number of times, each time in a sandbox of its own.</summary>
/// <param name="Command">What starts it.</param>
/// <param name="Files">What it consists of.</param>
public sealed record BuiltProgram(IReadOnlyList<string> Command, IReadOnlyDictionary<string, byte[]> Files)
{
    /// <summary>Runs it once.</summary>
    /// <param name="input">Its standard input.</param>
    /// <param name="limits">What it may use.</param>
    /// <param name="cancellation">Stops it.</param>
    public Task<SandboxResult> RunAsync(string input, SandboxLimits limits, CancellationToken cancellation = default) =>
        Sandbox.RunAsync(new SandboxJob(Command, Files) { Input = input, Limits = limits }, cancellation);
}
