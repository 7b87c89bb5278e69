using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;

namespace MiniMaxSharp.Training;

/// <summary>
/// A LoRA adapter at work on a model: y = W x + α/r · B A x on every adapted linear map, W frozen, A and B trained in single precision (arXiv
/// 2106.09685). Experts and LM head work with W + α/r · B A, made anew at each use: that takes a copy of a layer's experts, and rank
/// multiply-adds for each of their weights, whatever the number of tokens, so generate with the merged model (<see cref="Merge"/>).
/// A model has one adapter at a time. Disposing takes it off and leaves the model as it was.
/// </summary>
public sealed class LoraAdapter : IDisposable
{
    private readonly MiniMaxForCausalLM _model;
    private readonly List<(Parameter Base, LowRank Addition)> _additions = [];
    private readonly (Parameter Parameter, bool Trainable)[] _before;
    private readonly float _alpha;
    private readonly int _rank;

    private LoraAdapter(MiniMaxForCausalLM model, LoraWeights weights)
    {
        _model = model;
        (_rank, _alpha) = (weights.Rank, weights.Alpha);
        _before = [.. model.Parameters.Select(p => (p, p.IsTrainable))];
    }

    /// <summary>A and B of all maps: what the optimiser gets.</summary>
    public IEnumerable<Parameter> Parameters => _additions.SelectMany(a => new[] { a.Addition.A, a.Addition.B });

    /// <summary>Whether the adapter is at work; without it the model is the frozen base, such as DPO's reference.</summary>
    public bool Enabled
    {
        get;
        set
        {
            field = value;
            _additions.ForEach(a => a.Base.Adapter = value ? a.Addition : null);
        }
    }

    /// <summary>Puts a new adapter on the model, which changes nothing yet, and freezes the model's own weights.</summary>
    /// <exception cref="ArgumentException">The model has no map of a target's name.</exception>
    /// <exception cref="InvalidOperationException">The model has an adapter already, or experts in int8.</exception>
    public static LoraAdapter Attach(MiniMaxForCausalLM model, LoraOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Attach(model, LoraWeights.Create(model.Config, options));
    }

    /// <summary>Puts an adapter on the model and freezes the model's own weights.</summary>
    /// <exception cref="ArgumentException">A module does not exist in the model, has another shape there, or is one of a layer's experts without the others.</exception>
    /// <exception cref="InvalidOperationException">The model has an adapter already, or experts in int8.</exception>
    public static LoraAdapter Attach(MiniMaxForCausalLM model, LoraWeights weights)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(weights);
        if (model.Experts == ExpertStorage.Int8)
        {
            throw new InvalidOperationException("A model with int8 experts takes no adapter: load it without ExpertStorage.Int8.");
        }

        if (model.Parameters.Any(p => p.Adapter is not null))
        {
            throw new InvalidOperationException("The model has an adapter already: merge or dispose that one first.");
        }

        var adapter = new LoraAdapter(model, weights);
        try
        {
            adapter.Add(weights);
        }
        catch
        {
            adapter.Dispose();
            throw;
        }

        adapter.Enabled = true;
        foreach (Parameter parameter in model.Parameters)
        {
            parameter.IsTrainable = false;
        }

        return adapter;
    }

    /// <summary>The numbers as they are now.</summary>
    public LoraWeights Weights() => new(_rank, _alpha, _additions.SelectMany(addition => addition.Addition.A.Tensors().Zip(
        addition.Addition.B.Tensors(),
        (a, b) => KeyValuePair.Create(
            a.Name[..^LoraWeights.SuffixA.Length],
            new LoraModule(a.Value.ToFloats(), b.Value.ToFloats(), (int)a.Value.Shape[1], (int)b.Value.Shape[0])))));

    /// <summary>
    /// Works the adapter into the model's weights, W + α/r · B A in single precision and rounded once, and takes it off. The model then
    /// computes what it did with the adapter, within rounding.
    /// </summary>
    public void Merge()
    {
        Enabled = true;
        foreach ((Parameter weight, _) in _additions)
        {
            using Tensor sum = AdaptedWeight.Sum(weight);
            weight.Value.CopyFrom(sum);
        }

        Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Enabled = false;
        foreach ((Parameter parameter, bool trainable) in _before)
        {
            parameter.IsTrainable = trainable;
        }

        foreach (Parameter parameter in Parameters)
        {
            parameter.Dispose();
        }

        _additions.Clear();
    }

    private static string Module(string parameter) => parameter[..^".weight".Length];

    private void Add(LoraWeights weights)
    {
        var left = weights.Modules.Keys.ToHashSet(StringComparer.Ordinal);
        foreach (Parameter parameter in _model.Parameters)
        {
            string[] modules = [.. parameter.Tensors().Select(t => Module(t.Name))];
            if (!modules.Any(left.Contains) || parameter == _model.Parameters[0])
            {
                continue;
            }

            RequireFit(parameter, modules, weights);
            left.ExceptWith(modules);
            _additions.Add((parameter, new LowRank(
                Create(parameter, modules, LoraWeights.SuffixA, [.. modules.SelectMany(m => weights.Modules[m].A)], weights.Rank, parameter.Value.Shape[^1]),
                Create(parameter, modules, LoraWeights.SuffixB, [.. modules.SelectMany(m => weights.Modules[m].B)], parameter.Value.Shape[^2], weights.Rank),
                weights.Scale)));
        }

        if (left.Count > 0)
        {
            throw new ArgumentException($"The model has no linear map '{left.Order(StringComparer.Ordinal).First()}', which the adapter adds to.", nameof(weights));
        }
    }

    private static void RequireFit(Parameter parameter, string[] modules, LoraWeights weights)
    {
        foreach (string module in modules)
        {
            if (!weights.Modules.TryGetValue(module, out LoraModule? numbers))
            {
                throw new ArgumentException($"The adapter lacks '{module}', though it adds to others of the layer's experts.", nameof(weights));
            }

            ReadOnlySpan<long> shape = parameter.Value.Shape is { Length: 3 } stack ? stack[1..] : parameter.Value.Shape;
            if (!shape.SequenceEqual([numbers.Outputs, numbers.Inputs]))
            {
                throw new ArgumentException($"'{module}' has the shape {Tensor.Describe(shape)}; the adapter adds [{numbers.Outputs}, {numbers.Inputs}].", nameof(weights));
            }
        }
    }

    // One tensor for a plain weight, a stack for stacked ones, under PEFT's names.
    private Parameter Create(Parameter weight, string[] modules, string suffix, float[] values, long rows, long columns)
    {
        string[] names = [.. modules.Select(m => m + suffix)];
        return weight.Value.Shape.Length == 2
            ? new Parameter(Tensor.From<float>(_model.Device, values, rows, columns), names[0])
            : new Parameter(Tensor.From<float>(_model.Device, values, modules.Length, rows, columns), names);
    }
}
