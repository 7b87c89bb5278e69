using System.Text.Json.Serialization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>
/// Rewards by length (see <see cref="LaserOptions"/>): <c>variant</c>, <c>candidate_step</c>, <c>fixed_target</c>, <c>update_every</c> steps,
/// <c>bonus</c>; <c>monitoring_prompts</c>, puzzles that the targets are renewed from.
/// </summary>
internal sealed record LaserSettings
{
    [JsonConverter(typeof(EnumJson<LaserVariant>))]
    public LaserVariant Variant { get; set; } = LaserVariant.LaserD;

    public int CandidateStep { get; set; } = 1024;

    public int FixedTarget { get; set; }

    public int UpdateEvery { get; set; } = 20;

    public double Bonus { get; set; } = 0.5;

    public int MonitoringPrompts { get; set; } = 64;

    public LaserOptions Options(int maxLength, int groupSize) => new()
    {
        Variant = Variant,
        CandidateStep = CandidateStep,
        FixedTarget = FixedTarget,
        UpdateEvery = UpdateEvery,
        Bonus = Bonus,
        MaxLength = maxLength,
        GroupSize = groupSize,
    };
}
