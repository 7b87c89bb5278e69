using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Checkpoints;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>Direct preference optimisation against its formula, by finite differences, and at work.</summary>
public sealed class DpoTests
{
    private static readonly DpoOptions s_options = new() { LearningRate = new LearningRateSchedule(5e-3f, 30), Beta = 0.5f, AuxiliaryLossWeight = 0, TokensPerPass = 40 };

    // Pairs share their prompts; lengths differ, so that several passes are needed and a pair's halves are unequal.
    private static readonly PreferencePair[] s_pairs =
    [
        .. Enumerable.Range(0, 4).Select(i => new PreferencePair(
            new TrainingSequence([.. TinyModels.Ids(i, 4), .. TinyModels.Ids(100 + i, 3 + i)], 4),
            new TrainingSequence([.. TinyModels.Ids(i, 4), .. TinyModels.Ids(200 + i, 6)], 4))),
    ];

    [Theory]
    [Devices]
    public void Where_policy_and_reference_are_one_the_loss_is_log_two(string on)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device), reference = Model(device);
        using var optimizer = new AdamW(model.Parameters);
        DpoEvaluation evaluation = new DpoTrainer(model, optimizer, reference, s_options).Evaluate(s_pairs);
        Assert.Equal(Math.Log(2), evaluation.Loss, 6);
        Assert.Equal((0, 0), (evaluation.ChosenReward, evaluation.RejectedReward));
        Assert.Throws<ArgumentException>(() => new DpoTrainer(model, optimizer, model, s_options));
    }

    [Fact]
    public void The_loss_follows_its_formula()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device, seed: 2), reference = Model(device);
        using var optimizer = new AdamW(model.Parameters);
        double loss = s_pairs.Average(pair =>
        {
            double margin = 0.5 * (LogProbability(model, pair.Chosen) - LogProbability(reference, pair.Chosen)
                - LogProbability(model, pair.Rejected) + LogProbability(reference, pair.Rejected));
            return Math.Log(1 + Math.Exp(-margin));
        });
        Assert.Equal(loss, new DpoTrainer(model, optimizer, reference, s_options).Evaluate(s_pairs).Loss, 3);
    }

    [Theory]
    [Devices(false)]
    [Devices(true)]
    public void Its_gradient_is_a_finite_difference(string on, bool lora)
    {
        using Device device = Device.Open(on);
        using MiniMaxForCausalLM model = Model(device), reference = Model(device, seed: 2);
        using LoraAdapter? adapter = lora ? LoraAdapter.Attach(model, new LoraOptions { Rank = 3, TargetModules = [.. LoraOptions.Attention, .. LoraOptions.Head] }) : null;
        Parameter[] parameters = [.. adapter?.Parameters ?? model.Parameters];
        using var optimizer = new AdamW(parameters);
        DpoTrainer trainer = adapter is null ? new(model, optimizer, reference, s_options) : new(model, optimizer, adapter, s_options);
        if (lora)
        {
            trainer.Step(s_pairs, 0); // so that B is not zero
        }

        trainer.Accumulate(s_pairs);
        float[][] gradients = [.. parameters.Select(p => p.Gradient!.ToFloats())];
        double largest = gradients.Max(g => g.Max(x => Math.Abs((double)x)));
        for (int i = 0; i < parameters.Length; i += lora ? 1 : 4)
        {
            int steepest = Array.FindIndex(gradients[i], g => Math.Abs(g) == gradients[i].Max(Math.Abs));
            const float step = 1f / 512;
            double difference = (Moved(parameters[i], steepest, step) - Moved(parameters[i], steepest, -step)) / (2 * step);
            double tolerance = 0.03 * Math.Abs(gradients[i][steepest]) + 2e-3 * largest;
            Assert.True(Math.Abs(difference - gradients[i][steepest]) <= tolerance, $"{parameters[i].Name}[{steepest}]: {gradients[i][steepest]}, difference {difference}");
        }

        double Moved(Parameter parameter, int index, float by)
        {
            float[] values = parameter.Value.ToFloats();
            values[index] += by;
            parameter.Value.CopyFrom<float>(values);
            double loss = trainer.Evaluate(s_pairs).Loss;
            values[index] -= by;
            parameter.Value.CopyFrom<float>(values);
            return loss;
        }
    }

    [Fact]
    public void An_adapter_learns_to_prefer_while_its_reference_stays()
    {
        using Device device = Device.Cpu();
        using MiniMaxForCausalLM model = Model(device);
        double before = LogProbability(model, s_pairs[0].Chosen);
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { Rank = 4 });
        using var optimizer = new AdamW(adapter.Parameters);
        var trainer = new DpoTrainer(model, optimizer, adapter, s_options);
        double first = trainer.Step(s_pairs, 0).Before.Loss;
        for (int step = 1; step < 30; step++)
        {
            trainer.Step(s_pairs, step);
        }

        DpoEvaluation after = trainer.Evaluate(s_pairs);
        Assert.Equal(Math.Log(2), first, 5);
        Assert.Equal(1, after.Accuracy);
        Assert.InRange(after.Loss, 0, first / 3);
        Assert.True(adapter.Enabled);
        adapter.Enabled = false;
        Assert.Equal(before, LogProbability(model, s_pairs[0].Chosen));
    }

    [Fact]
    public void Preferences_are_read_from_lines_and_refused_by_their_number()
    {
        using var folder = new TemporaryFolder();
        Tokenizer tokenizer = BpeTrainer.Train(["a b c"], new BpeTrainerOptions { VocabularySize = 300 });
        File.WriteAllLines(folder["p.jsonl"],
        [
            """{"prompt": "a", "chosen": "b", "rejected": "c c"}""",
            """{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}], "chosen": "b", "rejected": "c"}""",
        ]);
        IReadOnlyList<PreferencePair> pairs = PreferenceData.Read(folder["p.jsonl"], tokenizer, 1000);
        Assert.Equal(["b", "c c"], new[] { pairs[0].Chosen, pairs[0].Rejected }
            .Select(s => tokenizer.Decode([.. s.Tokens.Where((_, i) => s.Scored[i])], skipSpecialTokens: true)));
        Assert.Equal(2, pairs.Count);
        File.AppendAllText(folder["p.jsonl"], """{"prompt": "a", "chosen": "b"}""");
        Assert.Equal(
            $"{folder["p.jsonl"]}, line 3: 'rejected' is missing",
            Assert.Throws<InvalidDataException>(() => PreferenceData.Read(folder["p.jsonl"], tokenizer, 1000)).Message);
    }

    private static MiniMaxForCausalLM Model(Device device, ulong seed = 1) =>
        MiniMaxForCausalLM.Create(TinyModels.Config(attention: [0, 1]) with { InitializerRange = 0.1 }, device, seed);

    private static double LogProbability(MiniMaxForCausalLM model, TrainingSequence sequence)
    {
        using TensorScope scope = model.Device.Scope();
        int[] ids = sequence.Tokens;
        int[] targets = [.. ids.Skip(1).Select((id, i) => sequence.Scored[i + 1] ? id : -100), -100];
        (Tensor logp, _) = model.LogProbabilities(
            model.Forward(PackedBatch.Create(model.Device, [ids.AsMemory()])), Tensor.From<int>(model.Device, targets, targets.Length));
        return logp.ToFloats().Sum(x => (double)x);
    }
}
