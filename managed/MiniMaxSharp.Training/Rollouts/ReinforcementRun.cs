using System.Text.Json;
using System.Text.Json.Nodes;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Training;

/// <summary>Settings of a <see cref="ReinforcementRun"/>.</summary>
public sealed record ReinforcementRunOptions
{
    /// <summary>
    /// Rollout k is sampled from the weights that step k − s begins with (from the first weights, where there is no such step). 0: sampling
    /// and training take turns. From 1 on, rollouts are sampled while earlier steps train; s more sets of weights are kept.
    /// </summary>
    public int Staleness { get; init; }

    /// <summary>Of the whole run.</summary>
    public ulong Seed { get; init; }

    /// <summary>What is evaluated every <see cref="EvaluateEvery"/> steps; null: nothing.</summary>
    public Evaluation? Evaluation { get; init; }

    /// <summary>See <see cref="Evaluation"/>.</summary>
    public int EvaluateEvery { get; init; } = 100;

    /// <summary>How what prompts carry goes into checkpoints; needed where <see cref="Staleness"/> is not 0.</summary>
    public IPromptDataFormat PromptData { get; init; } = new TaskInstanceData();

    /// <summary>Throws on a setting that makes no sense.</summary>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(Staleness);
        ArgumentOutOfRangeException.ThrowIfLessThan(EvaluateEvery, 1);
        ArgumentNullException.ThrowIfNull(PromptData);
    }
}

/// <summary>A step of a run.</summary>
/// <param name="Number">From 0.</param>
/// <param name="Training">What it did.</param>
/// <param name="Evaluation">Of the weights after it, if it was its turn.</param>
public sealed record ReinforcementStep(int Number, PolicyStep Training, EvaluationResult? Evaluation);

/// <summary>
/// Reinforcement learning from step to step: rollouts, training, evaluation, checkpoints. Which weights a rollout is sampled from
/// follows from its number and <see cref="ReinforcementRunOptions.Staleness"/> alone, never from who is ready first, so a run
/// ends in the same bits however its threads take turns. For one caller at a time.
/// </summary>
/// <remarks>
/// <para>With staleness 0 the sampler reads the trainer's own tensors. With s ≥ 1 it reads one of s sets of its own, each on a device
/// context of its own, because a context serves one thread at a time. Step t hands its weights over by one copy in the device's memory into
/// the set that rollout t was sampled from: that rollout is there, so nobody reads the set. Nothing goes through files or
/// serialisation.</para>
/// <para>A copy it is, and not an exchange of two sets, because the optimiser updates single-precision weights in place, being the master
/// weights as well, and leaves those without a gradient alone: an exchange would have to copy them all the same. It costs one pass over the
/// weights a step, where every update makes about ten.</para>
/// <para>One rollout is sampled at a time. On CPUs sampling and training share the cores and hardly gain by overlapping, unless rewards or
/// environments make them wait; on a GPU each has a stream of its own.</para>
/// </remarks>
public sealed class ReinforcementRun : IAsyncDisposable
{
    private readonly PolicyTrainer _trainer;
    private readonly Func<int, ulong, RolloutPlan> _plan;
    private readonly ReinforcementRunOptions _options;
    private readonly IReadOnlyList<ICheckpointedState> _states;
    private readonly (Device Device, MiniMaxForCausalLM Model)?[] _samplers;
    private readonly Queue<Task<RolloutBatch>> _queue = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _last = Task.CompletedTask;

    /// <param name="trainer">Trains its model.</param>
    /// <param name="plan">
    /// Plans the rollouts of a step, given its number and seed. The plan of step k is asked for right before step k − s trains, from the
    /// caller's thread: it may depend on the states as they then are, and must not change them.
    /// </param>
    /// <param name="options">Settings; checked here.</param>
    /// <param name="states">What else a checkpoint has to hold. The caller changes them between steps.</param>
    /// <exception cref="ArgumentException">Two states have one name.</exception>
    public ReinforcementRun(
        PolicyTrainer trainer, Func<int, ulong, RolloutPlan> plan, ReinforcementRunOptions options, params IReadOnlyList<ICheckpointedState> states)
    {
        ArgumentNullException.ThrowIfNull(trainer);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(states);
        options.Validate();
        if (states.GroupBy(s => s.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new ArgumentException($"Two states are called '{twice.Key}'.", nameof(states));
        }

        _trainer = trainer;
        _plan = plan;
        _options = options;
        _states = states;
        _samplers = new (Device, MiniMaxForCausalLM)?[options.Staleness];
    }

    /// <summary>Steps that are done.</summary>
    public int Step { get; private set; }

    /// <summary>Trains on the next rollouts, and lets later ones be sampled meanwhile.</summary>
    /// <param name="cancellation">
    /// Looked at while rollouts are sampled or waited for: nothing has changed then, and the step may be tried again. An evaluation
    /// is not cut off, as a resumed run would not take it.
    /// </param>
    /// <exception cref="Exception">Whatever a plan, a reward or an environment throws; with staleness, every later step throws it again.</exception>
    public async Task<ReinforcementStep> StepAsync(CancellationToken cancellation = default)
    {
        RolloutBatch batch = await NextRolloutsAsync(cancellation).ConfigureAwait(false);
        PolicyStep training = _trainer.Train(batch, Step, Seed(Step));
        _ = _queue.TryDequeue(out _);
        Step++;
        EvaluationResult? evaluation = _options.Evaluation is { } asked && Step % _options.EvaluateEvery == 0
            ? await asked.RunAsync(_trainer.Model, CancellationToken.None).ConfigureAwait(false)
            : null;
        return new ReinforcementStep(Step - 1, training, evaluation);
    }

    /// <summary>
    /// Writes all that a resumed run needs to end in the same bits: model, optimiser, states, and the rollouts that were sampled from older
    /// weights, which are waited for.
    /// </summary>
    /// <param name="directory">See <see cref="TrainingCheckpoint.Save"/>.</param>
    /// <param name="tokenizer">Written beside the model.</param>
    /// <param name="cancellation">Ends the waiting; nothing is written then.</param>
    public async Task SaveAsync(string directory, Tokenizer tokenizer, CancellationToken cancellation = default)
    {
        var format = new RolloutJson(_options.PromptData);
        RolloutBatch[] waiting = await Task.WhenAll(_queue).WaitAsync(cancellation).ConfigureAwait(false);
        var state = new JsonObject
        {
            ["step"] = Step,
            ["seed"] = _options.Seed,
            ["staleness"] = _options.Staleness,
            ["states"] = new JsonObject(_states.Select(s => KeyValuePair.Create(s.Name, (JsonNode?)s.Save().DeepClone()))),
            ["rollouts"] = new JsonArray([.. waiting.Select(format.Write)]),
        };
        TrainingCheckpoint.Save(directory, _trainer.Model, _trainer.Optimizer, tokenizer, state.ToJsonString(), _trainer.ValueHead);
    }

    /// <summary>Goes on from a checkpoint, before the first step. The trainer's model (and value head) has to be loaded from it already.</summary>
    /// <exception cref="InvalidOperationException">Steps were made, or the checkpoint's run had other settings or states.</exception>
    /// <exception cref="InvalidDataException">The checkpoint's state, or what it holds of one of the states, is damaged; the message names it.</exception>
    public void Load(string directory)
    {
        if (Step > 0 || _queue.Count > 0)
        {
            throw new InvalidOperationException("The run has begun already; load a checkpoint before its first step.");
        }

        Saved saved = Read(directory);
        Require(directory, "seed", saved.Seed, _options.Seed);
        Require(directory, "staleness", saved.Staleness, _options.Staleness);
        Require(directory, "states", Names(saved.States.Select(s => s.Key)), Names(_states.Select(s => s.Name)));
        TrainingCheckpoint.LoadOptimizer(directory, _trainer.Optimizer);
        foreach (ICheckpointedState own in _states)
        {
            Load(directory, own, saved.States);
        }

        Array.ForEach(saved.Rollouts, r => _queue.Enqueue(Task.FromResult(r)));
        Step = saved.Step;
    }

    /// <summary>Ends what is being sampled and frees the sampler's weights. Model and optimiser stay the caller's.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        // Whoever waited for a rollout has been told why it failed.
        await _last.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach ((Device device, MiniMaxForCausalLM model) in _samplers.OfType<(Device, MiniMaxForCausalLM)>())
        {
            model.Dispose();
            device.Dispose();
        }

        _stop.Dispose();
    }

    private Saved Read(string directory)
    {
        try
        {
            JsonObject state = JsonNode.Parse(TrainingCheckpoint.ReadState(directory))!.AsObject();
            var format = new RolloutJson(_options.PromptData);
            return new Saved(
                (int)state["step"]!,
                (ulong)state["seed"]!,
                (int)state["staleness"]!,
                state["states"]!.AsObject(),
                [.. state["rollouts"]!.AsArray().Select(format.Read)]);
        }
        catch (Exception error) when (error is JsonException or FormatException or NullReferenceException or InvalidOperationException or ArgumentException)
        {
            throw new InvalidDataException($"The state of {directory} is damaged: {error.Message}", error);
        }
    }

    private static void Load(string directory, ICheckpointedState own, JsonObject states)
    {
        try
        {
            own.Load(states[own.Name] ?? throw new InvalidDataException("it is null"));
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"The state '{own.Name}' of {directory} is damaged: {error.Message}", error);
        }
    }

    private async Task<RolloutBatch> NextRolloutsAsync(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (_options.Staleness == 0)
        {
            return await Plan(Step).RollOutAsync(_trainer.Model, _trainer.Options, cancellation).ConfigureAwait(false);
        }

        if (_queue.Count == 0)
        {
            MiniMaxForCausalLM first = HandOver();
            for (int step = Step; step <= Step + _options.Staleness; step++)
            {
                Enqueue(step, first);
            }
        }

        // They stay in the queue until they have been trained on.
        RolloutBatch batch = await _queue.Peek().WaitAsync(cancellation).ConfigureAwait(false);
        if (_queue.Count == _options.Staleness)
        {
            Enqueue(Step + _options.Staleness, HandOver());
        }

        return batch;
    }

    private void Enqueue(int step, MiniMaxForCausalLM policy)
    {
        Task<RolloutBatch> rollouts = RollOutAfterAsync(_last, Plan(step), policy);
        _queue.Enqueue(rollouts);
        _last = rollouts;
    }

    // In order, one after the other, and never on the caller's thread.
    private async Task<RolloutBatch> RollOutAfterAsync(Task before, RolloutPlan plan, MiniMaxForCausalLM policy)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        return await plan.RollOutAsync(policy, _trainer.Options, _stop.Token).ConfigureAwait(false);
    }

    // The present weights in the set of rollout Step, which nobody reads any more: it has been sampled.
    private MiniMaxForCausalLM HandOver()
    {
        int slot = Step % _options.Staleness;
        if (_samplers[slot] is { } sampler)
        {
            sampler.Model.CopyFrom(_trainer.Model);
            return sampler.Model;
        }

        Device device = _trainer.Model.Device.Another();
        MiniMaxForCausalLM model = _trainer.Model.CopyTo(device);
        _samplers[slot] = (device, model);
        return model;
    }

    private RolloutPlan Plan(int step) => _plan(step, Seed(step));

    private ulong Seed(int step) => SplitMix64.Mix(_options.Seed + (ulong)step);

    private static string Names(IEnumerable<string> names) => string.Join(", ", names.Order(StringComparer.Ordinal));

    private static void Require<T>(string directory, string what, T saved, T own) where T : notnull
    {
        if (!saved.Equals(own))
        {
            throw new InvalidOperationException($"The run of {directory} has the {what} '{saved}', this one '{own}'.");
        }
    }

    private sealed record Saved(int Step, ulong Seed, int Staleness, JsonObject States, RolloutBatch[] Rollouts);
}
