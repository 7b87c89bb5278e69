namespace MiniMaxSharp.Training;

/// <summary>A kind of tasks in a <see cref="TaskMixture"/>.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Weight">Its weight once it is fully in, against those of the others.</param>
/// <param name="Start">The first step that draws from it.</param>
/// <param name="Ramp">Steps over which its weight grows linearly to the full one.</param>
public sealed record MixturePart(string Name, double Weight, int Start = 0, int Ramp = 0)
{
    internal double At(int step) => step < Start ? 0 : Weight * Math.Min(1, (step - Start + 1.0) / (Ramp + 1.0));
}

/// <summary>
/// From which kind of tasks a prompt comes, by step: reasoning with rewards by rule first, general tasks mixed in gradually
/// (MiniMax-M1 report, section 4.3). The linear ramp is a choice. Immutable; all that a checkpoint needs is the step's number.
/// </summary>
public sealed class TaskMixture
{
    private readonly MixturePart[] _parts;

    /// <param name="parts">The kinds of tasks.</param>
    /// <exception cref="ArgumentException">A name comes twice, a number is out of its range, or step 0 has nothing to draw from.</exception>
    public TaskMixture(IEnumerable<MixturePart> parts)
    {
        _parts = [.. parts];
        foreach (MixturePart part in _parts)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(part.Weight, part.Name);
            ArgumentOutOfRangeException.ThrowIfNegative(part.Start, part.Name);
            ArgumentOutOfRangeException.ThrowIfNegative(part.Ramp, part.Name);
        }

        if (_parts.DistinctBy(p => p.Name).Count() < _parts.Length || _parts.All(p => p.Start > 0))
        {
            throw new ArgumentException($"The parts {string.Join(", ", _parts.Select(p => p.Name))} need different names, and one of them has to start at step 0.", nameof(parts));
        }
    }

    /// <summary>The kinds, in the order of <see cref="Weights"/>.</summary>
    public IReadOnlyList<MixturePart> Parts => _parts;

    /// <summary>The share of each kind at a step; they sum to 1.</summary>
    /// <param name="step">Number of the step, from 0.</param>
    /// <param name="factors">Multiply the weights of the kinds they name: a stage that wants less of one, a measured need for another.</param>
    /// <exception cref="ArgumentException">The factors leave nothing to draw from, or one is negative.</exception>
    public IReadOnlyList<double> Weights(int step, IReadOnlyDictionary<string, double>? factors = null)
    {
        double[] weights = [.. _parts.Select(p => p.At(step) * (factors?.GetValueOrDefault(p.Name, 1) ?? 1))];
        double sum = weights.Sum();
        return sum > 0 && weights.All(w => w >= 0)
            ? [.. weights.Select(w => w / sum)]
            : throw new ArgumentException($"At step {step} the weights are {string.Join(", ", weights)}.", nameof(factors));
    }

    /// <summary>The kind that a prompt of a step is drawn from.</summary>
    public MixturePart Pick(int step, SplitMix64 random, IReadOnlyDictionary<string, double>? factors = null)
    {
        ArgumentNullException.ThrowIfNull(random);
        return _parts[Pick(Weights(step, factors), random)];
    }

    /// <summary>An index, each as likely as its weight says. The weights need not sum to 1.</summary>
    public static int Pick(IReadOnlyList<double> weights, SplitMix64 random)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(random);
        double left = random.NextDouble() * weights.Sum();
        int last = 0;
        for (int i = 0; i < weights.Count; i++)
        {
            if (weights[i] > 0)
            {
                last = i;
                left -= weights[i];
                if (left < 0)
                {
                    return i;
                }
            }
        }

        // Rounding may leave a crumb after the last one.
        return last;
    }
}
