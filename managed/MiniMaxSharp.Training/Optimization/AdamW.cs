using MiniMaxSharp.Native;

namespace MiniMaxSharp.Training;

/// <summary>Settings of <see cref="AdamW"/>. The defaults are those of the MiniMax-M1 report, section 3.2.</summary>
public sealed record AdamWOptions
{
    /// <summary>Decay of the first moment.</summary>
    public float Beta1 { get; init; } = 0.9f;

    /// <summary>Decay of the second moment.</summary>
    public float Beta2 { get; init; } = 0.95f;

    /// <summary>Added to the root of the second moment. Gradients of RL go down to 1e-18: a usual 1e-8 would silence them.</summary>
    public float Epsilon { get; init; } = 1e-15f;

    /// <summary>Decoupled weight decay of matrices; norms have none.</summary>
    public float WeightDecay { get; init; }

    /// <summary>Gradients are scaled down to this global norm; 0: never.</summary>
    public float MaxGradientNorm { get; init; } = 1;
}

/// <summary>AdamW over all trainable parameters in one call; moments and master weights in single precision.</summary>
public sealed unsafe class AdamW : IDisposable
{
    private readonly Parameter[] _parameters;
    private readonly AdamWOptions _options;
    private readonly Tensor[] _first;
    private readonly Tensor[] _second;
    private readonly Tensor?[] _master;

    /// <summary>Starts with zero moments.</summary>
    public AdamW(IEnumerable<Parameter> parameters, AdamWOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        _parameters = [.. parameters.Where(p => p.IsTrainable)];
        _options = options ?? new AdamWOptions();
        _first = Array.ConvertAll(_parameters, Zeros);
        _second = Array.ConvertAll(_parameters, Zeros);
        _master = Array.ConvertAll(_parameters, p => p.Value.ElementType == ElementType.Float32 ? null : p.Value.To(ElementType.Float32));
    }

    /// <summary>Updates made so far.</summary>
    public long Steps { get; private set; }

    /// <summary>
    /// One update from the parameters' gradients, which are cleared. Parameters without a gradient stay as they are.
    /// </summary>
    /// <returns>The global gradient norm before clipping.</returns>
    /// <exception cref="ArithmeticException">The norm is not finite; nothing was changed but the gradients cleared.</exception>
    public double Step(float learningRate)
    {
        int[] active = [.. Enumerable.Range(0, _parameters.Length).Where(i => _parameters[i].Gradient is not null)];
        if (active.Length == 0)
        {
            return 0;
        }

        double norm = GradientNorm(active);
        try
        {
            if (!double.IsFinite(norm))
            {
                throw new ArithmeticException($"The gradient norm is {norm} at update {Steps + 1}.");
            }

            Steps++;
            Update(active, learningRate, norm);
        }
        finally
        {
            Array.ForEach(_parameters, p => p.ClearGradient());
        }

        return norm;
    }

    /// <summary>What a checkpoint keeps, by name: moments, and master weights where the model is in bfloat16.</summary>
    public IEnumerable<(string Name, Tensor Value)> State()
    {
        for (int i = 0; i < _parameters.Length; i++)
        {
            yield return ($"first.{_parameters[i].Name}", _first[i]);
            yield return ($"second.{_parameters[i].Name}", _second[i]);
            if (_master[i] is { } master)
            {
                yield return ($"master.{_parameters[i].Name}", master);
            }
        }
    }

    /// <summary>Takes up the count of updates of a checkpoint; its tensors are copied into those of <see cref="State"/>.</summary>
    public void Restore(long steps) => Steps = steps;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((_, Tensor tensor) in State())
        {
            tensor.Dispose();
        }
    }

    private static Tensor Zeros(Parameter parameter) =>
        Tensor.Zeros(parameter.Value.Device, ElementType.Float32, parameter.Value.Shape);

    private double GradientNorm(int[] active)
    {
        float** gradients = stackalloc float*[active.Length];
        long* counts = stackalloc long[active.Length];
        for (int i = 0; i < active.Length; i++)
        {
            gradients[i] = _parameters[active[i]].Gradient!.Floats;
            counts[i] = _parameters[active[i]].Value.Count;
        }

        double norm;
        var p = new GradNormParams
        {
            StructSize = sizeof(GradNormParams),
            Grad = gradients,
            Counts = counts,
            Tensors = active.Length,
            Norm = &norm,
        };
        NativeStatus.Check(NativeMethods.GradNorm(_parameters[0].Value.Device.Handle, &p));
        return norm;
    }

    private void Update(int[] active, float learningRate, double norm)
    {
        int n = active.Length;
        float** master = stackalloc float*[n];
        float** gradient = stackalloc float*[n];
        float** first = stackalloc float*[n];
        float** second = stackalloc float*[n];
        void** model = stackalloc void*[n];
        long* counts = stackalloc long[n];
        float* decay = stackalloc float[n];
        for (int i = 0; i < n; i++)
        {
            int j = active[i];
            Parameter parameter = _parameters[j];
            master[i] = (_master[j] ?? parameter.Value).Floats;
            model[i] = _master[j] is null ? null : parameter.Value.Data;
            gradient[i] = parameter.Gradient!.Floats;
            first[i] = _first[j].Floats;
            second[i] = _second[j].Floats;
            counts[i] = parameter.Value.Count;
            decay[i] = parameter.Value.Shape.Length > 1 ? _options.WeightDecay : 0;
        }

        double limit = _options.MaxGradientNorm;
        var p = new AdamwStepParams
        {
            StructSize = sizeof(AdamwStepParams),
            Master = master,
            Grad = gradient,
            M = first,
            V = second,
            Model = model,
            Counts = counts,
            WeightDecay = decay,
            Tensors = n,
            Step = Steps,
            LearningRate = learningRate,
            Beta1 = _options.Beta1,
            Beta2 = _options.Beta2,
            Eps = _options.Epsilon,
            GradScale = limit > 0 && norm > limit ? (float)(limit / norm) : 1,
        };
        NativeStatus.Check(NativeMethods.AdamwStep(_parameters[0].Value.Device.Handle, &p));
    }
}
