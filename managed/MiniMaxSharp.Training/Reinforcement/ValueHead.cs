using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Training;

/// <summary>
/// PPO's value function: V = w · h of the policy's final hidden state h before a token. It starts at w = 0, expecting nothing, and is
/// in single precision, as routers are. Its parameter belongs to the optimiser's:
/// <c>new AdamW([.. model.Parameters, head.Weight])</c>.
/// </summary>
public sealed class ValueHead : IDisposable
{
    private const string FileName = "value_head.safetensors";

    /// <summary>A head that expects nothing.</summary>
    /// <param name="model">The policy.</param>
    public ValueHead(MiniMaxForCausalLM model)
    {
        ArgumentNullException.ThrowIfNull(model);
        Weight = new Parameter(Tensor.Zeros(model.Device, ElementType.Float32, 1, model.Config.HiddenSize), "value_head.weight");
    }

    /// <summary>w [1, hidden].</summary>
    public Parameter Weight { get; }

    /// <summary>Reads the head beside a model.</summary>
    /// <exception cref="CheckpointFormatException">It does not fit the model.</exception>
    public static ValueHead Load(string directory, MiniMaxForCausalLM model)
    {
        var head = new ValueHead(model);
        try
        {
            using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(directory, FileName));
            file.CopyTo(head.Weight.Name, head.Weight.Value);
            return head;
        }
        catch
        {
            head.Dispose();
            throw;
        }
    }

    /// <summary>Writes the head beside a model.</summary>
    public void Save(string directory) => SafetensorsWriter.Write(Path.Combine(directory, FileName), [(Weight.Name, Weight.Value)]);

    /// <inheritdoc/>
    public void Dispose() => Weight.Dispose();

    /// <summary>V [rows, 1] of hidden states [rows, hidden].</summary>
    internal Tensor Values(Tensor hidden) => Linear.Apply(hidden, Weight, ElementType.Float32, fp32: true);
}
