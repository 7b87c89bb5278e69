namespace MiniMaxSharp.Checkpoints;

/// <summary>A file of a checkpoint is not what it should be. The message names the file, and the tensor or key.</summary>
public sealed class CheckpointFormatException : IOException
{
    /// <summary>An exception with the message.</summary>
    public CheckpointFormatException(string message) : base(message)
    {
    }

    /// <summary>An exception with the message and what led to it.</summary>
    public CheckpointFormatException(string message, Exception inner) : base(message, inner)
    {
    }
}
