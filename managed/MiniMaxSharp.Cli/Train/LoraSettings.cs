using System.Text.Json.Serialization;
using MiniMaxSharp.Models;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Cli.Train;

/// <summary>Which parts of a model an adapter is on.</summary>
[JsonConverter(typeof(EnumJson<LoraPart>))]
internal enum LoraPart
{
    Attention,
    Experts,
    Head,
}

/// <summary>An adapter in place of all weights: <c>rank</c>, <c>alpha</c> and <c>modules</c>.</summary>
internal sealed record LoraSettings
{
    public int Rank { get; set; } = 8;

    public float Alpha { get; set; } = 16;

    public LoraPart[] Modules { get; set; } = [LoraPart.Attention];

    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Rank, 1, "lora.rank");
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Alpha, "lora.alpha");
        if (Modules.Length == 0)
        {
            throw new ArgumentException("'lora.modules' is empty.");
        }
    }

    /// <summary>Puts a new adapter on the model.</summary>
    public LoraAdapter Attach(MiniMaxForCausalLM model, ulong seed) => LoraAdapter.Attach(model, new LoraOptions
    {
        Rank = Rank,
        Alpha = Alpha,
        TargetModules = [.. Modules.Distinct().SelectMany(part => part switch
        {
            LoraPart.Attention => LoraOptions.Attention,
            LoraPart.Experts => LoraOptions.Experts,
            _ => LoraOptions.Head,
        })],
        Seed = seed,
    });
}
