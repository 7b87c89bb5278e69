using MiniMaxSharp.Cli.Checks;
using MiniMaxSharp.Ops;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Autograd;

/// <summary>Every backward pass against finite differences, one operation a case.</summary>
public sealed class FiniteDifferenceTests
{
    private static readonly int[] s_targets = [3, -100, 0, 10, -100, 7];

    [Theory]
    [Devices]
    public void A_gradient_that_is_a_little_wrong_is_noticed(string on)
    {
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => FiniteDifferences.Check(on, g => [Identity(g.Input(3, 2), 1.02f)]));
        FiniteDifferences.Check(on, g => [Identity(g.Input(3, 2), 1)]);

        static Tensor Identity(Tensor x, float factor)
        {
            Tensor y = x.Clone();
            Tape.Record([x], [], [y], tape =>
            {
                Tensor dx = tape.GradientOf(y).Clone();
                dx.Accumulate(dx, 0, factor);
                tape.AddGradient(x, dx);
            });
            return y;
        }
    }

    [Theory]
    [Devices]
    public void Embedding_adds_up_what_a_repeated_id_gets(string on) => FiniteDifferences.Check(on, g =>
        [Embedding.Apply(Tensor.From<int>(g.Device, [4, 0, 4, 2, 4], 5), g.Weight(6, 7))]);

    [Theory]
    [Devices]
    public void Linear_in_the_type_of_its_input(string on) => FiniteDifferences.Check(on, g => [Linear.Apply(g.Input(5, 9), g.Weight(7, 9))]);

    [Theory]
    [Devices]
    public void Linear_that_widens_bfloat16(string on) => FiniteDifferences.Check(on, g =>
        [Linear.Apply(g.Input(ElementType.BFloat16, 5, 9), g.Weight(ElementType.BFloat16, 7, 9), ElementType.Float32, fp32: true)]);

    [Theory]
    [Devices]
    public void RmsNorm_alone(string on) => FiniteDifferences.Check(on, g => [RmsNorm.Apply(g.Input(4, 11), g.Weight(11), 1e-5f)]);

    [Theory]
    [Devices]
    public void RmsNorm_of_a_scaled_sum_that_is_read_as_well(string on) => FiniteDifferences.Check(on, g =>
    {
        (Tensor sum, Tensor y) = RmsNorm.Apply(g.Input(4, 11), g.Input(4, 11), 1.5f, 0.75f, g.Weight(11), 1e-5f);
        return [sum, y];
    });

    [Theory]
    [Devices]
    public void RmsNorm_of_a_scaled_sum_that_nothing_else_reads(string on) => FiniteDifferences.Check(on, g =>
        [RmsNorm.Apply(g.Input(4, 11), g.Input(4, 11), 1.5f, 0.75f, g.Weight(11), 1e-5f).Y]);

    [Theory]
    [Devices]
    public void Rope_leaves_the_features_beyond_the_rotated_ones(string on) => FiniteDifferences.Check(on, g =>
    {
        float[] frequencies = Rope.InverseFrequencies(4, 100);
        return [Rope.Apply(g.Input(5, 2 * 7), Batch(g, 3, 2).Positions, Tensor.From<float>(g.Device, frequencies, frequencies.Length), 7)];
    });

    [Theory]
    [Devices]
    public void Silu_elementwise(string on) => FiniteDifferences.Check(on, g => [Silu.Apply(g.Input(5, 7))]);

    [Theory]
    [Devices]
    public void SwiGlu_by_gate_and_by_up(string on) => FiniteDifferences.Check(on, g => [SwiGlu.Apply(g.Input(5, 7), g.Input(5, 7))]);

    [Theory]
    [Devices]
    public void GatedRmsNorm_by_input_gate_and_weight(string on) => FiniteDifferences.Check(on, g =>
        [GatedRmsNorm.Apply(g.Input(4, 11), g.Input(4, 11), g.Weight(11), 1e-6f)]);

    [Theory]
    [Devices]
    public void ScaledSum_by_both_terms(string on) => FiniteDifferences.Check(on, g => [ScaledSum.Apply(g.Input(5, 7), 1.5f, g.Input(5, 7), -0.75f)]);

    [Theory]
    [Devices]
    public void A_tensor_that_is_read_twice_gets_both_gradients(string on) => FiniteDifferences.Check(on, g =>
    {
        Tensor x = g.Input(5, 7);
        return [ScaledSum.Apply(x, 1.5f, Silu.Apply(x), 2)];
    });

    [Theory]
    [Devices]
    public void LightningAttention_of_sequences_long_and_short(string on) => FiniteDifferences.Check(on, g =>
        [LightningAttention.Apply(g.Input(150, 3 * 3 * 5), Tensor.From<float>(g.Device, [0.5f, 0.05f, 1e-5f], 3), Batch(g, 9, 1, 140))]);

    [Theory]
    [Devices(0)]
    [Devices(3)]
    public void Attention_with_shared_heads(string on, long window) => FiniteDifferences.Check(on, g =>
        [Attention.Apply(g.Input(19, 4 * 6), g.Input(19, 2 * 6), g.Input(19, 2 * 6), Batch(g, 6, 1, 12), 6, window)]);

    [Theory]
    [Devices(1)]
    [Devices(2)]
    [Devices(5)]
    public void Routing_weights(string on, int topK) => FiniteDifferences.Check(on, g =>
    {
        Tensor logits = g.Input(RouterLogits(), 6, 5);
        Routing routing = MixtureOfExperts.Route(logits, topK);
        // With one expert its weight is 1 and has no gradient: another reader keeps the case from being empty.
        return topK == 1 ? [routing.Weight, Silu.Apply(logits)] : [routing.Weight];
    });

    [Theory]
    [Devices]
    public void Routing_weights_of_replayed_experts(string on) => FiniteDifferences.Check(on, g =>
        [MixtureOfExperts.Route(g.Input(RouterLogits(), 6, 5), 2, Tensor.From<int>(g.Device, [0, 1, 4, 2, 3, 0, 1, 4, 2, 3, 4, 0], 6, 2)).Weight]);

    [Theory]
    [Devices]
    public void Experts_by_input_routing_weights_and_every_matrix(string on) => FiniteDifferences.Check(on, g =>
    {
        Routing routing = MixtureOfExperts.Route(Tensor.From<float>(g.Device, RouterLogits(), 6, 5), 2) with { Weight = g.Input(6, 2) };
        return [MixtureOfExperts.Experts(g.Input(6, 7), routing, g.Weight(5, 8, 7), g.Weight(5, 7, 8), g.Weight(5, 8, 7))];
    });

    [Theory]
    [Devices(false)]
    [Devices(true)]
    public void AuxiliaryLoss_over_two_layers(string on, bool masked) => FiniteDifferences.Check(on, g =>
    {
        Tensor[] logits = [g.Input(RouterLogits(alike: 5), 6, 5), g.Input(RouterLogits(alike: 4), 6, 5)];
        return [MixtureOfExperts.AuxiliaryLoss(logits, 2, masked ? Tensor.From<int>(g.Device, [0, 1, 1, 0, 1, 1], 6) : null)];
    });

    [Theory]
    [Devices]
    public void SharedMlpCombine_by_both_sides_and_the_coefficient(string on) => FiniteDifferences.Check(on, g =>
        [SharedMlpCombine.Apply(g.Input(5, 7), g.Input(5, 7), g.Input(5, 1))]);

    [Theory]
    [Devices(ElementType.Float32)]
    [Devices(ElementType.BFloat16)]
    public void LmHead_by_log_probability_and_entropy(string on, ElementType type) => FiniteDifferences.Check(on, g =>
    {
        (Tensor logp, Tensor entropy) = LmHead.Apply(g.Input(type, 6, 5), g.Weight(type, 11, 5), Tensor.From<int>(g.Device, s_targets, 6));
        return [logp, entropy];
    });

    [Theory]
    [Devices]
    public void LmHead_by_log_probability_alone(string on) => FiniteDifferences.Check(on, g =>
        [LmHead.Apply(g.Input(6, 5), g.Weight(11, 5), Tensor.From<int>(g.Device, s_targets, 6)).LogProbability]);

    [Theory]
    [Devices]
    public void LmHead_by_entropy_alone(string on) => FiniteDifferences.Check(on, g =>
        [LmHead.Apply(g.Input(6, 5), g.Weight(11, 5), Tensor.From<int>(g.Device, s_targets, 6)).Entropy]);

    [Theory]
    [Devices]
    public void Log_probability_by_logits(string on) => FiniteDifferences.Check(on, g =>
    {
        Tensor logits = g.Input(6, 11);
        var scores = new TokenScores(g.Device, logits, s_targets, 11);
        return [Function(g.Device, logits, scores.LogProbability, scores.Backward)];
    });

    [Theory]
    [Devices]
    public void Recomputed_by_input_and_weight(string on) => FiniteDifferences.Check(on, g =>
    {
        Parameter weight = g.Weight(6, 7);
        return Recomputed.Apply(g.Input(5, 7), x => [Silu.Apply(Linear.Apply(x, weight)), Linear.Apply(x, weight)]);
    });

    public static TheoryData<string, string> Objectives()
    {
        var cases = new TheoryData<string, string>();
        foreach (string name in s_objectives.Keys)
        {
            cases.Add("cpu", name);
            if (DevicesAttribute.Cuda)
            {
                cases.Add("cuda", name);
            }
        }

        return cases;
    }

    private static readonly Dictionary<string, PolicyObjective> s_objectives = new()
    {
        ["cispo"] = PolicyObjective.Cispo(1.25f),
        ["capped from both sides"] = PolicyObjective.Cispo(1.25f) with { MinWeight = 0.75f },
        ["reinforce"] = PolicyObjective.Reinforce(),
        ["unify"] = PolicyObjective.Unified(1.25f, 0.2f, 0.3f),
        ["cispo with a reference"] = PolicyObjective.Cispo(1.25f) with { KlWeight = 0.5f },
        ["grpo"] = PolicyObjective.Grpo(),
        ["grpo with a reference"] = PolicyObjective.Grpo(0.2f, 0.5f),
        ["grpo with a reference by k1"] = PolicyObjective.Grpo(0.2f, 0.5f) with { KlEstimator = KlEstimator.K1 },
        ["grpo with a reference by k2"] = PolicyObjective.Grpo(0.2f, 0.5f) with { KlEstimator = KlEstimator.K2 },
        ["dapo"] = PolicyObjective.Dapo(),
    };

    // The clipped surrogate is differentiated as it is, no ratio near a bound. A weighted one holds its weight still: the old
    // log-probabilities move along, so that no ratio changes.
    [Theory]
    [MemberData(nameof(Objectives))]
    public void Policy_loss(string on, string name) => FiniteDifferences.Check(on, g =>
    {
        PolicyObjective objective = s_objectives[name];
        float[] ratios = [-0.5f, -0.125f, 0, 0.125f, 0.5f, -0.5f, -0.125f, 0, 0.125f, 0.5f, 0.5f];
        float[] advantages = [1, 2, 1.5f, 1, 0.5f, -1, -2, -1.5f, -1, -0.5f, 1];
        float[] start = [.. ratios.Select((_, i) => -0.25f * (i + 1))], weights = [.. ratios.Select((_, i) => i == 10 ? 0 : 1 + 0.125f * i)];
        float[] reference = [.. start.Select((l, i) => l + (i % 3 - 1) * 0.25f)];
        Tensor logp = g.Input(start, start.Length);
        float[] now = logp.ToFloats();
        float[] old = [.. (objective.ReportsClippedSurrogate ? start : now).Zip(ratios, (l, r) => l - r)];
        (double loss, float[] gradient, _, _) =
            PolicyLoss.Evaluate(g.Device, objective, now, old, advantages, weights, objective.KlWeight > 0 ? reference : default);
        return [Function(g.Device, logp, [(float)loss], u => [.. gradient.Select(d => d * u[0])])];
    });

    // An operation that lives outside the tape.
    private static Tensor Function(Device device, Tensor x, float[] values, Func<float[], float[]> backward)
    {
        Tensor y = Tensor.From<float>(device, values, values.Length);
        Tape.Record([x], [], [y], tape => tape.AddGradient(x, Tensor.From<float>(device, backward(tape.GradientOf(y).ToFloats()), x.Shape)));
        return y;
    }

    private static PackedBatch Batch(FiniteDifferences g, params int[] lengths) =>
        PackedBatch.Create(g.Device, [.. lengths.Select(n => (ReadOnlyMemory<int>)new int[n])]);

    // Six tokens, five experts; logits of a token are half apart, so that a step changes no choice. Tokens that are alike choose
    // the same experts.
    private static float[] RouterLogits(int alike = 1) =>
        [.. Enumerable.Range(0, 30).Select(i => (3 * (i / 5 / alike) + 2 * (i % 5)) % 5 * 0.5f - 1)];
}
