using MiniMaxSharp.Checkpoints;

namespace MiniMaxSharp.Models;

/// <summary>Weights from a checkpoint into a model and back.</summary>
internal static class ModelLoader
{
    /// <summary>
    /// Copies straight from the mapped files, converting to the model's element type: besides the weights there is never
    /// more than one tensor, as it lies in its file. All names, shapes and types are checked before anything is allocated.
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
        CheckSlopes(checkpoint, config);
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
    /// <exception cref="InvalidOperationException">The experts are int8.</exception>
    public static void Save(MiniMaxForCausalLM model, string directory, long maxShardBytes)
    {
        if (model.Experts == ExpertStorage.Int8)
        {
            throw new InvalidOperationException("A model with int8 experts is not saved: they would replace the weights they were rounded from.");
        }

        using var views = new TensorViews(model.Parameters.SelectMany(p => p.Tensors()));
        ShardedCheckpoint.Save(directory, views.Sources, maxShardBytes);
        string type = model.ElementType == ElementType.BFloat16 ? "bfloat16" : "float32";
        (model.Config with { TorchDtype = type }).Save(directory);
    }

    /// <summary>Names, shapes and types against the configuration; no weight is read.</summary>
    /// <exception cref="CheckpointFormatException">The first tensor that is missing, too many or of the wrong shape or type.</exception>
    public static void Check(ShardedCheckpoint checkpoint, MiniMaxConfig config)
    {
        var used = new HashSet<string>(StringComparer.Ordinal);
        foreach (ParameterSpec parameter in config.Parameters())
        {
            (SafetensorsFile file, TensorInfo tensor, TensorInfo stored) = CheckpointLayout.Find(checkpoint, config, parameter.Name);
            if (!stored.Shape.SequenceEqual(parameter.Shape))
            {
                throw file.Error(stored, $"the configuration asks for the shape {Tensor.Describe([.. parameter.Shape])}");
            }

            if (stored.DType is not ("F32" or "BF16" or "F16"))
            {
                throw file.Error(stored, "weights are stored as F32, BF16 or F16");
            }

            used.Add(tensor.Name);
        }

        if (checkpoint.Names.FirstOrDefault(name => !used.Contains(name) && !CheckpointLayout.IsConstant(config, name)) is { } other)
        {
            throw checkpoint.FileOf(other).Error(checkpoint.Info(other), "the configuration has no such parameter");
        }
    }

    // Transformers trains and runs with the slopes that it saved: other ones than the formula's would be another model.
    private static void CheckSlopes(ShardedCheckpoint checkpoint, MiniMaxConfig config)
    {
        foreach ((string name, int layer) in Enumerable.Range(0, config.NumHiddenLayers)
            .Select(i => ($"model.layers.{i}.self_attn.slope_rate", i)).Where(rate => checkpoint.Names.Contains(rate.Item1)))
        {
            SafetensorsFile file = checkpoint.FileOf(name);
            float[] stored = file.ReadAsFloat(name), expected = config.Slopes(layer);

            // They may have been rounded to bfloat16 or half precision.
            if (stored.Length != expected.Length || stored.Zip(expected).Any(pair => !(Math.Abs(pair.First - pair.Second) <= pair.Second / 128 + 1e-7)))
            {
                throw file.Error(file.Info(name), "these are not the decay slopes of the configuration");
            }
        }
    }

    private static void Copy(ShardedCheckpoint checkpoint, MiniMaxForCausalLM model, IProgress<float>? progress, CancellationToken cancellation)
    {
        double total = model.Config.Parameters().Sum(p => (double)CheckpointLayout.Find(checkpoint, model.Config, p.Name).Parameter.ByteLength), done = 0;
        foreach (Parameter parameter in model.Parameters)
        {
            if (parameter.Scale is null)
            {
                foreach ((string name, Tensor tensor) in parameter.Tensors())
                {
                    Read(name, (file, stored) => TensorReader.Copy(file, stored, tensor, finite: true));
                }
            }
            else
            {
                foreach ((string name, Tensor tensor, Tensor scale) in parameter.ScaledTensors())
                {
                    Read(name, (file, stored) => TensorReader.Quantize(file, stored, tensor, scale));
                }
            }
        }

        void Read(string name, Action<SafetensorsFile, TensorInfo> read)
        {
            cancellation.ThrowIfCancellationRequested();
            (SafetensorsFile file, _, TensorInfo stored) = CheckpointLayout.Find(checkpoint, model.Config, name);
            read(file, stored);
            done += stored.ByteLength;
            progress?.Report((float)(done / total));
        }
    }
}
