namespace MiniMaxSharp.Training;

/// <summary>What a response's length earns (arXiv 2505.15612, table 2).</summary>
public enum LaserVariant
{
    /// <summary>A bonus for right answers within one fixed length.</summary>
    Laser,

    /// <summary>A bonus for right answers within the length that prompts of this difficulty need at present.</summary>
    LaserD,

    /// <summary>LASER-D, and a bonus for wrong answers that went on beyond that length without repeating themselves.</summary>
    LaserDE,
}

/// <summary>How hard a prompt is for the model at present, by the share of its group that is right.</summary>
public enum LaserDifficulty
{
    /// <summary>Two thirds or more.</summary>
    Easy,

    /// <summary>One third or more.</summary>
    Medium,

    /// <summary>Less.</summary>
    Hard,
}

/// <summary>Settings of <see cref="LaserReward"/>.</summary>
public sealed record LaserOptions
{
    /// <summary>Which of the three.</summary>
    public LaserVariant Variant { get; init; } = LaserVariant.LaserD;

    /// <summary>Tokens of a response at most: the largest target, and where adaptive targets begin.</summary>
    public required int MaxLength { get; init; }

    /// <summary>Tokens; the fixed target of LASER alone.</summary>
    public int FixedTarget { get; init; }

    /// <summary>Candidates for adaptive targets are the multiples of this, and the limit. The paper's 1024 suits thousands of tokens; short answers need short steps.</summary>
    public int CandidateStep { get; init; } = 1024;

    /// <summary>Responses to a prompt, n, from which follows how many right ones a difficulty promises: ⌊2n/3⌋, ⌊n/3⌋ and 1, at least 1 each.</summary>
    public int GroupSize { get; init; } = 8;

    /// <summary>Steps from one look at the monitoring set to the next.</summary>
    public int UpdateEvery { get; init; } = 20;

    /// <summary>α, the bonus for length.</summary>
    public double Bonus { get; init; } = 0.5;

    /// <summary>C of a right answer in the right form.</summary>
    public double Correct { get; init; } = 1;

    /// <summary>C of a wrong answer in the right form.</summary>
    public double Wrong { get; init; } = -0.5;

    /// <summary>C of the wrong form, whatever the answer; inferred, as the paper does not say.</summary>
    public double Unformatted { get; init; } = -1;

    /// <summary>Throws on a setting that makes no sense.</summary>
    /// <exception cref="ArgumentException">Which one, and why.</exception>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxLength, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(CandidateStep, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(GroupSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(UpdateEvery, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(Bonus);
        if (Variant == LaserVariant.Laser)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(FixedTarget, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(FixedTarget, MaxLength);
        }
    }

    internal int ExpectedCorrect(LaserDifficulty difficulty) => difficulty switch
    {
        LaserDifficulty.Easy => Math.Max(GroupSize * 2 / 3, 1),
        LaserDifficulty.Medium => Math.Max(GroupSize / 3, 1),
        _ => 1,
    };
}
