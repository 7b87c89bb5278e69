namespace MiniMaxSharp.Training;

/// <summary>
/// A learning rate by step: linear warm-up, then constant, then a linear decay to <see cref="FinalShare"/> of the
/// peak that starts at <see cref="DecayStart"/> and ends at <see cref="TotalSteps"/>.
/// </summary>
/// <param name="Peak">The rate after warm-up.</param>
/// <param name="TotalSteps">Steps of the run; needed for the decay only.</param>
public sealed record LearningRateSchedule(float Peak, int TotalSteps)
{
    /// <summary>Steps of linear warm-up; step 0 of 10 uses a tenth of the peak.</summary>
    public int WarmupSteps { get; init; }

    /// <summary>Share of the steps after which the rate falls; 1: it never does.</summary>
    public float DecayStart { get; init; } = 1;

    /// <summary>What is left of the peak at the last step.</summary>
    public float FinalShare { get; init; }

    /// <summary>The rate of a step, counted from 0.</summary>
    public float At(int step)
    {
        if (step < WarmupSteps)
        {
            return Peak * (step + 1) / WarmupSteps;
        }

        float start = DecayStart * TotalSteps;
        if (step < start || start >= TotalSteps)
        {
            return Peak;
        }

        float done = Math.Min(1, (step - start) / (TotalSteps - start));
        return Peak * (1 - done * (1 - FinalShare));
    }
}
