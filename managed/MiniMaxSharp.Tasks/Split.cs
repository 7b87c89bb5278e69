namespace MiniMaxSharp.Tasks;

/// <summary>Which part of the data a puzzle belongs to.</summary>
public enum Split
{
    /// <summary>To learn from: eight in ten canonical forms.</summary>
    Train,

    /// <summary>To choose settings on: one in ten.</summary>
    Development,

    /// <summary>To report on, and for nothing else: one in ten.</summary>
    Test,
}

/// <summary>Divides puzzles by canonical hash, so that no two parts share a puzzle under other names or in another order.</summary>
public static class Splits
{
    private const ulong Salt = 0x73706C6974; // "split": independent of whatever else the hash is used for

    /// <summary>The part to which a canonical hash belongs.</summary>
    public static Split Of(ulong canonicalHash) => (Rng.Mix(canonicalHash ^ Salt) % 10) switch
    {
        8 => Split.Development,
        9 => Split.Test,
        _ => Split.Train,
    };

    /// <summary>Like <see cref="IReasoningTask.Generate"/>, but the first instance of the seed's sequence that lies in <paramref name="split"/>.</summary>
    public static TaskInstance Generate(this IReasoningTask task, int difficulty, ulong seed, PromptStyle style, Split split)
    {
        const int Attempts = 100_000;
        var seeds = new Rng(Rng.Derive(seed, "split"));
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            var instance = task.Generate(difficulty, seeds.NextBits(), style);
            if (instance.Split == split)
                return instance;
        }
        throw new InvalidOperationException($"{task.Name} at difficulty {difficulty} has no puzzle in split {split} among {Attempts} seeds.");
    }

    /// <summary>
    /// <paramref name="count"/> instances of <paramref name="split"/>, no two of the same canonical hash:
    /// as many of each task and difficulty, as far as their puzzles last.
    /// </summary>
    /// <exception cref="InvalidOperationException">There are not so many different puzzles.</exception>
    public static IReadOnlyList<TaskInstance> Distinct(
        IReadOnlyList<IReasoningTask> tasks, IReadOnlyList<int> difficulties, int count, ulong seed, PromptStyle style, Split split)
    {
        const int Patience = 200;
        var seeds = new Rng(Rng.Derive(seed, "distinct"));
        var seen = new HashSet<ulong>();
        var instances = new List<TaskInstance>(count);
        var sources = new Queue<(IReasoningTask Task, int Difficulty)>(difficulties.SelectMany(difficulty => tasks.Select(task => (task, difficulty))));
        while (instances.Count < count)
        {
            if (!sources.TryDequeue(out var source))
                throw new InvalidOperationException($"Only {instances.Count} of {count} different puzzles found in split {split}.");
            var unseen = Enumerable.Range(0, Patience)
                .Select(_ => source.Task.Generate(source.Difficulty, seeds.NextBits(), style, split))
                .FirstOrDefault(instance => seen.Add(instance.CanonicalHash));
            if (unseen is null)
                continue;
            instances.Add(unseen);
            sources.Enqueue(source);
        }
        return instances;
    }
}
