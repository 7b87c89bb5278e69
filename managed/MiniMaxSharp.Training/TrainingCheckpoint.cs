using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Training;

/// <summary>
/// Everything a run needs to go on as if it had never stopped: the model in Hugging Face's layout (with its tokenizer),
/// <c>optimizer.safetensors</c> and the caller's own state as <c>training.json</c>. Written atomically: a
/// reader finds the old checkpoint or the new one, whenever the writer is killed.
/// </summary>
public static class TrainingCheckpoint
{
    private const string OptimizerFile = "optimizer.safetensors";
    private const string StateFile = "training.json";
    private const string StepsName = "steps";

    /// <summary>Writes a checkpoint in place of the one in the directory.</summary>
    /// <param name="directory">A folder that is created, or replaced as a whole.</param>
    /// <param name="model">Its weights and configuration.</param>
    /// <param name="optimizer">Moments, master weights and count of updates.</param>
    /// <param name="tokenizer">Written beside the model.</param>
    /// <param name="state">Whatever else the caller must remember, as JSON.</param>
    /// <param name="valueHead">PPO's, read again by <see cref="ValueHead.Load"/>.</param>
    public static void Save(string directory, MiniMaxForCausalLM model, AdamW optimizer, Tokenizer tokenizer, string state, ValueHead? valueHead = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(tokenizer);
        AtomicDirectory.Replace(directory, target =>
        {
            model.Save(target);
            tokenizer.Save(target);
            valueHead?.Save(target);
            Write(target, model.Device, optimizer, state);
        });
    }

    /// <summary>Whether the directory holds a checkpoint.</summary>
    public static bool Exists(string directory)
    {
        AtomicDirectory.Recover(directory);
        return File.Exists(Path.Combine(directory, StateFile));
    }

    /// <summary>The state that <see cref="Save"/> was given.</summary>
    public static string ReadState(string directory) => File.ReadAllText(Path.Combine(directory, StateFile));

    /// <summary>Takes up the optimiser's state; the model is loaded with <see cref="MiniMaxForCausalLM.Load"/>.</summary>
    /// <exception cref="CheckpointFormatException">A tensor is missing or does not fit the optimiser.</exception>
    public static void LoadOptimizer(string directory, AdamW optimizer)
    {
        ArgumentNullException.ThrowIfNull(optimizer);
        string path = Path.Combine(directory, OptimizerFile);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach ((string name, Tensor tensor) in optimizer.State())
        {
            file.CopyTo(name, tensor);
        }

        optimizer.Restore(file.ReadAsInt64(StepsName)[0]);
    }

    internal static void Write(string target, Device device, AdamW optimizer, string state)
    {
        using Tensor steps = Tensor.From<long>(device, [optimizer.Steps], 1);
        SafetensorsWriter.Write(Path.Combine(target, OptimizerFile), [(StepsName, steps), .. optimizer.State()]);
        File.WriteAllText(Path.Combine(target, StateFile), state);
    }
}
