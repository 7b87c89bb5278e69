namespace MiniMaxSharp.Training;

/// <summary>
/// Composing adapters by arithmetic (arXiv 2306.14870, section 3): LoRA, and the negation of IA³. Elementwise sums of A and of B, as published,
/// are not the sum of the updates B A: that one is <see cref="Concatenate"/>.
/// </summary>
public static class AdapterArithmetic
{
    /// <summary>
    /// Σ λᵢ θᵢ, elementwise on A and on B (section 3.1, ⊕). It mixes skills where the adapters started from a common initialisation.
    /// </summary>
    /// <param name="terms">Weights λ that sum to 1, and adapters of equal modules, shapes, rank and α.</param>
    /// <exception cref="ArgumentException">The weights do not sum to 1, or the adapters differ in what must be equal.</exception>
    public static LoraWeights Add(params IReadOnlyList<(float Weight, LoraWeights Adapter)> terms)
    {
        RequireTerms(terms);
        double sum = terms.Sum(t => (double)t.Weight);
        if (Math.Abs(sum - 1) > 1e-5)
        {
            throw new ArgumentException($"The weights sum to {sum}, not to 1.", nameof(terms));
        }

        LoraWeights first = terms[0].Adapter;
        foreach ((_, LoraWeights other) in terms)
        {
            if (other.Rank != first.Rank || other.Alpha != first.Alpha || !other.Modules.Keys.ToHashSet().SetEquals(first.Modules.Keys))
            {
                throw new ArgumentException("Adapters of other rank, α or modules cannot be added elementwise; concatenate them.", nameof(terms));
            }
        }

        return new LoraWeights(first.Rank, first.Alpha, first.Modules.Select(module =>
        {
            (float Weight, LoraModule Module)[] parts = [.. terms.Select(t => (t.Weight, SameShape(module, t.Adapter.Modules[module.Key])))];
            return KeyValuePair.Create(module.Key, module.Value with { A = Sum(parts, m => m.A), B = Sum(parts, m => m.B) });
        }));
    }

    /// <summary>The adapter that undoes this one's update (section 3.1, ⊖): one factor, B, is negated.</summary>
    public static LoraWeights Negate(LoraWeights adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        return new LoraWeights(adapter.Rank, adapter.Alpha, adapter.Modules.Select(m =>
            KeyValuePair.Create(m.Key, m.Value with { B = Array.ConvertAll(m.Value.B, x => -x) })));
    }

    /// <summary>
    /// The IA³ adapter that undoes this one (section 3.1, ⊖): an activation is multiplied by (1 + λ) · 1 − λ · l where the adapter has it multiplied by l, so that
    /// what l changes, l − 1, is turned round. λ = 0 is no adapter at all.
    /// </summary>
    /// <param name="vectors">l by module name, in whatever sizes.</param>
    /// <param name="weight">λ.</param>
    /// <exception cref="ArgumentOutOfRangeException">λ is not finite.</exception>
    public static IReadOnlyDictionary<string, float[]> NegateIa3(IReadOnlyDictionary<string, float[]> vectors, float weight = 1)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        if (!float.IsFinite(weight))
        {
            throw new ArgumentOutOfRangeException(nameof(weight), weight, "λ has to be finite.");
        }

        var negated = new OrderedDictionary<string, float[]>(StringComparer.Ordinal);
        foreach ((string module, float[] vector) in vectors)
        {
            negated.Add(module, Array.ConvertAll(vector, l => (float)(1 + (double)weight - (double)weight * l)));
        }

        return negated;
    }

    /// <summary>
    /// The adapter whose update is exactly Σ λᵢ (α/r)ᵢ Bᵢ Aᵢ: the A stacked, the B beside each other with their factors worked in. Its rank is the
    /// sum of the ranks and its α that rank. The adapters may differ in modules, rank and α; where one has no module, its part is zero.
    /// </summary>
    /// <exception cref="ArgumentException">There is no adapter, or a module has two shapes.</exception>
    public static LoraWeights Concatenate(params IReadOnlyList<(float Weight, LoraWeights Adapter)> terms)
    {
        RequireTerms(terms);
        int rank = terms.Sum(t => t.Adapter.Rank);
        var shapes = new OrderedDictionary<string, LoraModule>(StringComparer.Ordinal);
        foreach (KeyValuePair<string, LoraModule> module in terms.SelectMany(t => t.Adapter.Modules))
        {
            shapes.TryAdd(module.Key, module.Value);
            SameShape(KeyValuePair.Create(module.Key, shapes[module.Key]), module.Value);
        }

        return new LoraWeights(rank, rank, shapes.Select(shape => KeyValuePair.Create(shape.Key, Concatenated(shape.Key, shape.Value, terms, rank))));
    }

    /// <summary>
    /// An adapter for a task in a domain that has no data of the task (section 3.2, domain transfer): λ · task + (1 − λ) · (target − source), where
    /// task was trained in the source domain, and source and target are language-modelling adapters of the two. Choice: the updates are combined
    /// (<see cref="Concatenate"/>), not their factors elementwise.
    /// </summary>
    public static LoraWeights Transfer(LoraWeights task, LoraWeights source, LoraWeights target, float weight) =>
        Concatenate((weight, task), (1 - weight, target), (weight - 1, source));

    private static void RequireTerms(IReadOnlyList<(float Weight, LoraWeights Adapter)> terms)
    {
        ArgumentNullException.ThrowIfNull(terms);
        if (terms.Count == 0)
        {
            throw new ArgumentException("There is nothing to combine.", nameof(terms));
        }
    }

    private static LoraModule SameShape(KeyValuePair<string, LoraModule> module, LoraModule other) =>
        other.Inputs == module.Value.Inputs && other.Outputs == module.Value.Outputs
            ? other
            : throw new ArgumentException(
                $"'{module.Key}' is [{module.Value.Outputs}, {module.Value.Inputs}] in one adapter and [{other.Outputs}, {other.Inputs}] in another.", nameof(other));

    private static float[] Sum((float Weight, LoraModule Module)[] parts, Func<LoraModule, float[]> factor)
    {
        var sum = new float[factor(parts[0].Module).Length];
        for (int i = 0; i < sum.Length; i++)
        {
            sum[i] = (float)parts.Sum(p => (double)p.Weight * factor(p.Module)[i]);
        }

        return sum;
    }

    private static LoraModule Concatenated(string name, LoraModule shape, IReadOnlyList<(float Weight, LoraWeights Adapter)> terms, int rank)
    {
        var a = new float[rank * shape.Inputs];
        var b = new float[shape.Outputs * rank];
        int at = 0;
        foreach ((float weight, LoraWeights adapter) in terms)
        {
            int own = adapter.Rank;
            if (adapter.Modules.TryGetValue(name, out LoraModule? module))
            {
                module.A.CopyTo(a, at * shape.Inputs);
                for (int o = 0; o < shape.Outputs; o++)
                {
                    for (int k = 0; k < own; k++)
                    {
                        b[o * rank + at + k] = weight * adapter.Scale * module.B[o * own + k];
                    }
                }
            }

            at += own;
        }

        return shape with { A = a, B = b };
    }
}
