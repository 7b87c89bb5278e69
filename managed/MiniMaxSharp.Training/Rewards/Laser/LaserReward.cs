using System.Text.Json.Nodes;

namespace MiniMaxSharp.Training;

/// <summary>
/// Reward shaping by length (LASER, LASER-D and LASER-DE, arXiv 2505.15612): C(y) + λ(y)·S(y), with C by correctness and form and S a step at
/// the target length. The adaptive variants take the difficulty of a prompt from its own group and the target of a difficulty from
/// <see cref="Targets"/>, which the trainer renews by <see cref="UpdateAsync"/> whenever <see cref="IsDue"/> says so. A
/// <see cref="ReinforcementRun"/> that is given the reward as a state keeps them in its checkpoint; rollouts that are sampled while
/// targets may change need a reward of their own, made with the targets of the moment.
/// <para>In a group that is all right the bonus is the only signal: whether dynamic sampling looks at correctness (part <c>correct</c>) or
/// at this reward has to be chosen deliberately.</para>
/// <para>Parts: <c>correct</c>, <c>format</c>, <c>length_bonus</c>, and <c>target</c> in tokens.</para>
/// </summary>
public sealed class LaserReward : IRewardFunction, ICheckpointedState
{
    private readonly ResponseJudge _judge;
    private readonly LaserOptions _options;

    /// <param name="judge">Says what is right; where it is silent, the reward does not apply.</param>
    /// <param name="options">Variant and numbers.</param>
    /// <param name="targets">A saved state; null at the start of a run.</param>
    public LaserReward(ResponseJudge judge, LaserOptions options, LaserTargets? targets = null)
    {
        ArgumentNullException.ThrowIfNull(judge);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_judge, _options) = (judge, options);
        Targets = targets ?? LaserTargets.Unlimited(options.MaxLength);
    }

    /// <inheritdoc/>
    public string Name { get; init; } = "laser";

    /// <summary>What adaptive variants hold responses to at present.</summary>
    public LaserTargets Targets { get; private set; }

    /// <summary>Whether the targets are to be renewed before this step: at the start and every <see cref="LaserOptions.UpdateEvery"/> steps.</summary>
    public bool IsDue(int step) => _options.Variant != LaserVariant.Laser && step % _options.UpdateEvery == 0;

    /// <summary>
    /// Renews the targets from responses to the monitoring set: the paper takes 500 prompts of the training set. The responses to a
    /// prompt share the instance of <see cref="RolloutPrompt"/>.
    /// </summary>
    public async Task UpdateAsync(IReadOnlyList<Response> monitoring, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(monitoring);
        Judgement?[] judgements = await _judge.AllAsync(monitoring, cancellation).ConfigureAwait(false);
        Targets = Targets.Update(
            Groups(monitoring, judgements).Select(group => (IReadOnlyList<LengthSample>)
                [.. group.Select(i => new LengthSample(Length(monitoring[i]), judgements[i]!.Value.Passed))]),
            _options);
    }

    /// <summary>The targets.</summary>
    public JsonNode Save() => JsonNode.Parse(Targets.ToJson())!;

    /// <inheritdoc/>
    public void Load(JsonNode state)
    {
        ArgumentNullException.ThrowIfNull(state);
        Targets = LaserTargets.FromJson(state.ToJsonString());
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<RewardResult>> ScoreAsync(IReadOnlyList<Response> responses, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(responses);
        Judgement?[] judgements = await _judge.AllAsync(responses, cancellation).ConfigureAwait(false);
        var results = new RewardResult[responses.Count];
        Array.Fill(results, new RewardResult(null));
        foreach (int[] group in Groups(responses, judgements))
        {
            int target = Target(group.Count(i => judgements[i]!.Value.Passed), group.Length);
            foreach (int i in group)
            {
                results[i] = Score(responses[i], judgements[i]!.Value, target);
            }
        }

        return results;
    }

    // The places of each prompt's responses that were judged, in order.
    private static IEnumerable<int[]> Groups(IReadOnlyList<Response> responses, Judgement?[] judgements) => Enumerable.Range(0, responses.Count)
        .Where(i => judgements[i] is not null)
        .GroupBy(i => responses[i].Prompt, (_, group) => group.ToArray(), ReferenceEqualityComparer.Instance);

    private static int Length(Response response) => response.Completion.Tokens.Length;

    private int Target(int passed, int responses) =>
        _options.Variant == LaserVariant.Laser ? _options.FixedTarget : Targets[LaserTargets.DifficultyOf(passed, responses)];

    private RewardResult Score(Response response, Judgement judgement, int target)
    {
        bool within = Length(response) <= target;
        bool earned = judgement.Passed ? within : _options.Variant == LaserVariant.LaserDE && !within && !Repetition.IsRepetitive(response.Completion);
        double correctness = judgement.Passed ? _options.Correct : judgement.WellFormed ? _options.Wrong : _options.Unformatted;
        double bonus = earned ? _options.Bonus : 0;
        return new RewardResult(correctness + bonus, new SortedDictionary<string, double>(StringComparer.Ordinal)
        {
            ["correct"] = judgement.Correct ? 1 : 0,
            ["format"] = judgement.WellFormed ? 1 : 0,
            ["length_bonus"] = bonus,
            ["target"] = target,
        });
    }
}
