using MiniMaxSharp.Checkpoints;

namespace MiniMaxSharp.Models;

/// <summary>Weights from a checkpoint into a model and back.</summary>
internal static class ModelLoader
{
    /// <summary>
    /// Copies straight from the mapped files, converting to the model's element type: besides the weights there is never
    /// more than a piece of one tensor. All names, shapes and types are checked before anything is allocated.
    /// </summary>
    /// <param name="checkpoint">The files.</param>
    /// <param name="config">What they should hold.</param>
    /// <param name="create">Makes the model; told how the checkpoint stores the embedding.</param>
    /// <param name="progress">Told the share of bytes loaded.</param>
    /// <param name="cancellation">Stops between tensors.</param>
    public static MiniMaxForCausalLM Load(
        ShardedCheckpoint checkpoint,
        MiniMaxConfig config,
        Func<ElementType, MiniMaxForCausalLM> create,
        IProgress<float>? progress,
        CancellationToken cancellation)
    {
        Check(checkpoint, config);
        cancellation.ThrowIfCancellationRequested();
        string first = config.Parameters().First().Name;
        MiniMaxForCausalLM model = create(checkpoint.Info(first).DType == "BF16" ? ElementType.BFloat16 : ElementType.Float32);
        try
        {
            Copy(checkpoint, model, progress, cancellation);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Writes the weights as the model stores them (routers in single precision), then config.json.</summary>
    public static void Save(MiniMaxForCausalLM model, string directory, long maxShardBytes)
    {
        using var views = new TensorViews(model.Parameters.SelectMany(p => p.Tensors()));
        ShardedCheckpoint.Save(directory, views.Sources, maxShardBytes);
        string type = model.ElementType == ElementType.BFloat16 ? "bfloat16" : "float32";
        (model.Config with { TorchDtype = type }).Save(directory);
    }

    private static void Check(ShardedCheckpoint checkpoint, MiniMaxConfig config)
    {
        var expected = new HashSet<string>(StringComparer.Ordinal);
        foreach (ParameterSpec parameter in config.Parameters())
        {
            SafetensorsFile file = checkpoint.FileOf(parameter.Name);
            TensorInfo stored = file.Info(parameter.Name);
            if (!stored.Shape.SequenceEqual(parameter.Shape))
            {
                throw file.Error(stored, $"the configuration asks for the shape {Tensor.Describe([.. parameter.Shape])}");
            }

            if (stored.DType is not ("F32" or "BF16" or "F16"))
            {
                throw file.Error(stored, "weights are stored as F32, BF16 or F16");
            }

            expected.Add(parameter.Name);
        }

        if (checkpoint.Names.FirstOrDefault(name => !expected.Contains(name)) is { } other)
        {
            throw checkpoint.FileOf(other).Error(checkpoint.Info(other), "the configuration has no such parameter");
        }
    }

    private static void Copy(ShardedCheckpoint checkpoint, MiniMaxForCausalLM model, IProgress<float>? progress, CancellationToken cancellation)
    {
        double total = checkpoint.Files.Sum(file => (double)file.Tensors.Values.Sum(t => t.ByteLength)), done = 0;
        foreach ((string name, Tensor tensor) in model.Parameters.SelectMany(p => p.Tensors()))
        {
            cancellation.ThrowIfCancellationRequested();
            TensorInfo stored = checkpoint.Info(name);
            TensorReader.Copy(checkpoint.FileOf(name), stored, tensor, finite: true);
            done += stored.ByteLength;
            progress?.Report((float)(done / total));
        }
    }
}
