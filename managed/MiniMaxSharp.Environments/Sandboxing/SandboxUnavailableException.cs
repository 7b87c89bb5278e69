namespace MiniMaxSharp.Environments;

/// <summary>This machine cannot run a sandbox; the message names what is missing. Nothing has been run.</summary>
public sealed class SandboxUnavailableException(string message, Exception? cause = null) : InvalidOperationException(message, cause);
