using MiniMaxSharp.Environments;

namespace MiniMaxSharp.Tests.Environments;

/// <summary>A test that needs a sandbox; skipped, saying why, where this machine refuses one.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SandboxFactAttribute : FactAttribute
{
    /// <summary>Asks the machine once.</summary>
    public SandboxFactAttribute() => Skip = SandboxProbe.Refusal.Value;
}

/// <inheritdoc cref="SandboxFactAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SandboxTheoryAttribute : TheoryAttribute
{
    /// <summary>Asks the machine once.</summary>
    public SandboxTheoryAttribute() => Skip = SandboxProbe.Refusal.Value;
}

internal static class SandboxProbe
{
    /// <summary>Why there is no sandbox here; null where there is one.</summary>
    internal static readonly Lazy<string?> Refusal = new(() =>
    {
        try
        {
            Sandbox.RunAsync(new SandboxJob(["true"], new Dictionary<string, byte[]>())).GetAwaiter().GetResult();
            return null;
        }
        catch (SandboxUnavailableException refusal) when (!Required)
        {
            return refusal.Message;
        }
    });

    /// <summary>Set where the tests must not be skipped, so that a broken sandbox does not pass for a refusal.</summary>
    private static bool Required => Environment.GetEnvironmentVariable("MINIMAX_REQUIRE_SANDBOX") == "1";
}
