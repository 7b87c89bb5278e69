using FsCheck;
using FsCheck.Xunit;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>
/// Arithmetic of adapters (arXiv 2306.14870): what it does to their numbers, and on the small model what it does to skills: adapters trained
/// on one thing each are combined, and the combination is examined.
/// </summary>
public sealed class AdapterArithmeticTests : IDisposable
{
    private readonly Device _device = Device.Cpu();
    private readonly MiniMaxForCausalLM _model;

    public AdapterArithmeticTests() =>
        _model = MiniMaxForCausalLM.Create(TinyModels.Config(attention: [0, 1]) with { InitializerRange = 0.1 }, _device, 1);

    public void Dispose()
    {
        _model.Dispose();
        _device.Dispose();
    }

    [Property(MaxTest = 20)]
    public bool Concatenation_is_the_sum_of_the_updates(sbyte first, sbyte second, ulong seed)
    {
        LoraWeights x = Noise(seed, 2, LoraOptions.Attention), y = Noise(seed + 1, 3, [.. LoraOptions.Attention, .. LoraOptions.Head]);
        float a = first / 32f, b = second / 32f;
        LoraWeights sum = AdapterArithmetic.Concatenate((a, x), (b, y));
        return sum.Rank == 5 && sum.Modules.Keys.ToHashSet().SetEquals(y.Modules.Keys) && y.Modules.Keys.All(module =>
        {
            double[] u = x.Modules.ContainsKey(module) ? x.Update(module) : new double[y.Update(module).Length], v = y.Update(module);
            return sum.Update(module).Select((z, i) => Math.Abs(z - (a * u[i] + b * v[i]))).Max() < 1e-4;
        });
    }

    [Fact]
    public void Elementwise_sums_are_of_the_factors_and_negation_is_of_the_update()
    {
        LoraWeights x = Noise(1, 2, LoraOptions.Head), y = Noise(2, 2, LoraOptions.Head), sum = AdapterArithmetic.Add((0.25f, x), (0.75f, y));
        LoraModule a = x.Modules["lm_head"], b = y.Modules["lm_head"], c = sum.Modules["lm_head"];
        Assert.Equal(a.A.Zip(b.A, (p, q) => (float)(0.25 * p + 0.75 * q)), c.A);
        Assert.Equal(a.B.Zip(b.B, (p, q) => (float)(0.25 * p + 0.75 * q)), c.B);
        Assert.Equal(x.Update("lm_head").Select(u => -u), AdapterArithmetic.Negate(x).Update("lm_head"));
    }

    [Fact]
    public void A_negated_IA3_vector_turns_round_what_it_changes()
    {
        var vectors = new Dictionary<string, float[]> { ["k_proj"] = [1, 1.5f, 0.25f], ["down_proj"] = [-1] };
        IReadOnlyDictionary<string, float[]> whole = AdapterArithmetic.NegateIa3(vectors), half = AdapterArithmetic.NegateIa3(vectors, 0.5f);
        Assert.Equal(["k_proj", "down_proj"], whole.Keys);
        Assert.Equal([1, 0.5f, 1.75f], whole["k_proj"]);
        Assert.Equal([3], whole["down_proj"]);
        Assert.Equal([1, 0.75f, 1.375f], half["k_proj"]);
        Assert.Equal([1, 1, 1], AdapterArithmetic.NegateIa3(vectors, 0)["k_proj"]);
        Assert.Equal(vectors["k_proj"], AdapterArithmetic.NegateIa3(whole)["k_proj"]);
        Assert.Equal([1, 1.5f, 0.25f], vectors["k_proj"]);
        Assert.Throws<ArgumentOutOfRangeException>(() => AdapterArithmetic.NegateIa3(vectors, float.NaN));
    }

    [Fact]
    public void What_cannot_be_added_is_refused()
    {
        LoraWeights x = Noise(1, 2, LoraOptions.Head);
        Assert.Contains("sum to 1.5", Assert.Throws<ArgumentException>(() => AdapterArithmetic.Add((1, x), (0.5f, x))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => AdapterArithmetic.Add((0.5f, x), (0.5f, Noise(1, 3, LoraOptions.Head))));
        Assert.Throws<ArgumentException>(() => AdapterArithmetic.Add((0.5f, x), (0.5f, Noise(1, 2, LoraOptions.Attention))));
        Assert.Throws<ArgumentException>(() => AdapterArithmetic.Add());
        var narrow = new LoraWeights(2, 4, [KeyValuePair.Create("lm_head", new LoraModule(new float[8], new float[100], 4, 50))]);
        Assert.Contains("[50, 4]", Assert.Throws<ArgumentException>(() => AdapterArithmetic.Concatenate((1, x), (1, narrow))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Concatenated_adapters_compute_what_merging_one_after_the_other_does()
    {
        LoraWeights x = Noise(1, 2, LoraOptions.Attention), y = Noise(2, 3, [.. LoraOptions.Attention, .. LoraOptions.Head]);
        int[] ids = TinyModels.Ids(1, 20);
        using (LoraAdapter.Attach(_model, AdapterArithmetic.Concatenate((1, x), (1, y))))
        {
            float[] together = TinyModels.Logits(_model, ids);
            LoraAdapter sequential = null!;
            using MiniMaxForCausalLM other = MiniMaxForCausalLM.Create(_model.Config, _device, 1);
            foreach (LoraWeights weights in new[] { x, y })
            {
                sequential = LoraAdapter.Attach(other, weights);
                sequential.Merge();
            }

            Assert.InRange(TinyModels.Difference(together, TinyModels.Logits(other, ids)), 0, 1e-4);
        }
    }

    // Two skills: after cue 1 answer 7 7, after cue 2 answer 9 9.
    [Fact]
    public void Added_adapters_have_both_skills_and_a_negated_one_has_lost_its_own()
    {
        TrainingSequence[] one = Answers(1, 7, 7), two = Answers(2, 9, 9);
        LoraWeights first = Learn(one), second = Learn(two);
        (double One, double Two) none = (Loss(null, one), Loss(null, two));

        // Each alone lacks the other's skill.
        Assert.InRange(Loss(first, one), 0, 0.2);
        Assert.True(Loss(first, two) > none.Two, "one skill should not bring the other");

        LoraWeights sum = AdapterArithmetic.Add((0.5f, first), (0.5f, second));
        Assert.InRange(Loss(sum, one), 0, none.One - 0.5);
        Assert.InRange(Loss(sum, two), 0, none.Two - 0.5);

        LoraWeights both = AdapterArithmetic.Concatenate((1, first), (1, second));
        Assert.InRange(Loss(both, one), 0, none.One - 0.5);
        Assert.InRange(Loss(both, two), 0, none.Two - 0.5);

        LoraWeights unlearnt = AdapterArithmetic.Concatenate((1, both), (1, AdapterArithmetic.Negate(first)));
        Assert.True(Loss(AdapterArithmetic.Negate(first), one) > none.One + 0.5, "a negated adapter should unlearn");
        Assert.Equal(Loss(second, two), Loss(unlearnt, two), 3);
    }

    // The task is learnt in one domain: after cue 3 say class 7 and a word of the domain, 30. The domains' language is known of both: after cue 4
    // comes 30 30 in the one and 31 31 in the other. Asked for is the task in the other domain.
    [Fact]
    public void A_task_is_transferred_to_a_domain_without_data_of_the_task()
    {
        LoraWeights task = Learn(Answers(3, 7, 30)), source = Learn(Answers(4, 30, 30)), target = Learn(Answers(4, 31, 31));
        TrainingSequence[] asked = Answers(3, 7, 31);
        double none = Loss(null, asked), untransferred = Loss(task, asked), transferred = Loss(AdapterArithmetic.Transfer(task, source, target, 0.5f), asked);
        Assert.InRange(transferred, 0, Math.Min(none, untransferred) - 0.5);
    }

    private static TrainingSequence[] Answers(int cue, params int[] answer) =>
        [.. Enumerable.Range(0, 8).Select(i => new TrainingSequence([cue, 40 + i % 4, 44 + i / 4, .. answer], 3))];

    private LoraWeights Learn(TrainingSequence[] data)
    {
        using LoraAdapter adapter = LoraAdapter.Attach(_model, new LoraOptions { Rank = 4, Alpha = 8, TargetModules = [.. LoraOptions.Attention, .. LoraOptions.Head], Seed = 5 });
        using var optimizer = new AdamW(adapter.Parameters);
        var trainer = new SupervisedTrainer(_model, optimizer, new SupervisedOptions { LearningRate = new LearningRateSchedule(5e-3f, 60), AuxiliaryLossWeight = 0 });
        for (int step = 0; step < 60; step++)
        {
            trainer.Step(data, step);
        }

        return adapter.Weights();
    }

    private double Loss(LoraWeights? weights, TrainingSequence[] data)
    {
        using LoraAdapter? adapter = weights is null ? null : LoraAdapter.Attach(_model, weights);
        using var optimizer = new AdamW([]);
        return new SupervisedTrainer(_model, optimizer, new SupervisedOptions { LearningRate = new LearningRateSchedule(1, 1) }).Evaluate(data);
    }

    private LoraWeights Noise(ulong seed, int rank, IReadOnlyList<string> targets)
    {
        LoraWeights weights = LoraWeights.Create(_model.Config, new LoraOptions { Rank = rank, Alpha = 4, TargetModules = targets, Seed = seed });
        var random = new SplitMix64(seed);
        return new LoraWeights(rank, 4, weights.Modules.Select(m => KeyValuePair.Create(
            m.Key, m.Value with { B = [.. m.Value.B.Select(_ => (float)(random.NextDouble() - 0.5) / 8)] })));
    }
}
