using MiniMaxSharp.Models;

namespace MiniMaxSharp.Tests.Support;

/// <summary>Small models with all that a large one has.</summary>
internal static class TinyModels
{
    public const int Vocabulary = 50;

    public static MiniMaxConfig Config(bool shared = false, int[]? attention = null) => new()
    {
        HiddenSize = 32,
        NumHiddenLayers = (attention ?? [0, 1, 0]).Length,
        AttnTypeList = attention ?? [0, 1, 0],
        NumAttentionHeads = 4,
        NumKeyValueHeads = 2,
        HeadDim = 12,
        RotaryDim = 8,
        RopeTheta = 10000,
        MaxPositionEmbeddings = 4096,
        IntermediateSize = 40,
        NumLocalExperts = 4,
        NumExpertsPerTok = 2,
        SharedIntermediateSize = shared ? 1 : 0,
        Postnorm = true,
        LayernormLinearAttentionAlpha = 1.5,
        LayernormFullAttentionAlpha = 1.4,
        LayernormMlpAlpha = 1.3,
        LayernormMlpBeta = 0.9,
        InitializerRange = 0.2,
        VocabSize = Vocabulary,
    };

    public static int[] Ids(int seed, int length)
    {
        var random = new SplitMix64((ulong)seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Below(Vocabulary))];
    }

    /// <summary>Logits of all tokens of all rows, packed.</summary>
    public static float[] Logits(MiniMaxForCausalLM model, params int[][] rows)
    {
        using TensorScope scope = model.Device.Scope();
        return model.Logits(model.Forward(PackedBatch.Create(model.Device, [.. rows.Select(r => (ReadOnlyMemory<int>)r)]))).ToFloats();
    }

    /// <summary>Summed negative log-probability of each next token, plus the load balance; gradients where asked for.</summary>
    public static double Loss(MiniMaxForCausalLM model, int[][] rows, bool gradients)
    {
        Device device = model.Device;
        using TensorScope scope = device.Scope();
        using Tape? tape = gradients ? Tape.Record(device) : null;
        Layers.ForwardPass pass = model.Pass(PackedBatch.Create(device, [.. rows.Select(r => (ReadOnlyMemory<int>)r)]));
        Tensor hidden = model.Forward(pass);
        int[] targets = [.. rows.SelectMany(r => r.Skip(1).Append(-100))];
        (Tensor logp, Tensor entropy) = model.LogProbabilities(hidden, Tensor.From<int>(device, targets, targets.Length));
        Tensor auxiliary = Ops.MixtureOfExperts.AuxiliaryLoss(pass.RouterLogits, model.Config.NumExpertsPerTok);
        var minus = new float[targets.Length];
        Array.Fill(minus, -1f);
        var bonus = new float[targets.Length];
        Array.Fill(bonus, 0.3f);
        tape?.Backward(
            (logp, Tensor.From<float>(device, minus, minus.Length)),
            (entropy, Tensor.From<float>(device, bonus, bonus.Length)),
            (auxiliary, Tensor.From<float>(device, [2f], 1)));
        return -logp.ToFloats().Sum(x => (double)x) + 0.3 * entropy.ToFloats().Sum(x => (double)x) + 2 * auxiliary.Item();
    }

    public static double Difference(float[] x, float[] y)
    {
        Assert.Equal(x.Length, y.Length);
        return x.Zip(y).Max(p => Math.Abs(p.First - p.Second));
    }
}
