namespace MiniMaxSharp.Training;

/// <summary>
/// DAPO's soft overlong punishment (arXiv 2503.14476, equation 13), to be added to another reward: with L tokens
/// 0 up to Lmax − Lbuffer, then −factor · (L − (Lmax − Lbuffer)) / Lbuffer, and −factor beyond Lmax. Injected tokens count.
/// </summary>
public sealed class SoftOverlongReward : IRewardFunction
{
    private readonly int _maxLength;
    private readonly int _buffer;
    private readonly double _factor;

    /// <param name="maxLength">Lmax in tokens; DAPO: 20480.</param>
    /// <param name="buffer">Lbuffer, the tokens before Lmax over which the punishment grows; DAPO: 4096.</param>
    /// <param name="factor">What it grows to; DAPO: 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The buffer is empty or longer than Lmax, or the factor is negative.</exception>
    public SoftOverlongReward(int maxLength = 20480, int buffer = 4096, double factor = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(buffer, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(buffer, maxLength);
        ArgumentOutOfRangeException.ThrowIfNegative(factor);
        (_maxLength, _buffer, _factor) = (maxLength, buffer, factor);
    }

    /// <inheritdoc/>
    public string Name => "overlong";

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation) =>
        ValueTask.FromResult<IReadOnlyList<RewardResult>>(
            [.. responses.Select(r => new RewardResult(Penalty(r.Completion.Tokens.Length)))]);

    private double Penalty(int length)
    {
        double excess = (double)(length - (_maxLength - _buffer)) / _buffer;
        return excess > 0 ? -_factor * Math.Min(excess, 1) : 0;
    }
}
