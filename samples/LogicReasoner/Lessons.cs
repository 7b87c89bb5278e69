using MiniMaxSharp;
using MiniMaxSharp.Tasks;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace LogicReasoner;

/// <summary>Puzzles as tokens: prompts in the chat format, demonstrations, and the tokenizer trained on both.</summary>
internal sealed class Lessons
{
    // The chat format's headers and every word with the space before it are one piece, and so one token each.
    private const string Pattern = @"user name=user\n|ai name=assistant\n| ?\S+|\s+";
    private readonly IReadOnlyList<IReasoningTask> _tasks;
    private readonly IReadOnlyList<int> _levels;
    private readonly IReadOnlyList<double> _weights;

    public Lessons(Recipe recipe)
    {
        _tasks = [.. recipe.Tasks.Select(TaskRegistry.Get)];
        _levels = recipe.Levels;
        _weights = recipe.LessonWeights;
        Tokenizer = BpeTrainer.Train(Corpus(), new BpeTrainerOptions { VocabularySize = 1024, Pattern = Pattern });
    }

    public Tokenizer Tokenizer { get; }

    public IReadOnlyList<IReasoningTask> Tasks => _tasks;

    /// <summary>A puzzle of the training split; the random numbers alone decide which.</summary>
    public TaskInstance Train(SplitMix64 random, IReadOnlyList<double>? weights = null)
    {
        IReasoningTask task = _tasks[weights is null ? random.Below(_tasks.Count) : TaskMixture.Pick(weights, random)];
        return task.Generate(_levels[random.Below(_levels.Count)], random.Next(), PromptStyle.Compact, Split.Train);
    }

    /// <summary>Different puzzles of a held-out split, tasks and levels in equal shares.</summary>
    public IReadOnlyList<TaskInstance> HeldOut(Split split, int count, ulong seed) =>
        Splits.Distinct(_tasks, _levels, count, seed, PromptStyle.Compact, split);

    public int[] Prompt(TaskInstance instance) =>
        Tokenizer.Encode(ChatTemplate.MiniMaxM1.Render([new ChatMessage("user", instance.Prompt)], addGenerationPrompt: true));

    public string Text(ReadOnlySpan<int> response) => Tokenizer.Decode(response, skipSpecialTokens: true);

    /// <summary>A demonstration, quick with the given probability.</summary>
    public TrainingSequence Demonstration(SplitMix64 random, double quick) => Demonstration(
        random, instance => Demonstrated(instance, random.NextDouble() < quick ? DemonstrationStyle.Quick : DemonstrationStyle.Careful));

    /// <summary>A demonstration in words of one's own.</summary>
    /// <param name="random">Decides the puzzle.</param>
    /// <param name="demonstrate">The response to it.</param>
    public TrainingSequence Demonstration(SplitMix64 random, Func<TaskInstance, string> demonstrate)
    {
        TaskInstance instance = Train(random, _weights);
        int[] prompt = Prompt(instance);
        int[] response = Tokenizer.Encode(demonstrate(instance));
        return new TrainingSequence([.. prompt, .. response], prompt.Length);
    }

    public static string Demonstrated(TaskInstance instance, DemonstrationStyle style) =>
        TaskRegistry.Get(instance.Task).Demonstrate(instance, style) + ChatTemplate.EndOfSentence;

    private IEnumerable<string> Corpus()
    {
        var random = new SplitMix64(0);
        for (int i = 0; i < 3000; i++)
        {
            TaskInstance instance = Train(random);
            yield return $"user name=user\n{instance.Prompt}\nai name=assistant\n{TaskRegistry.Get(instance.Task).Demonstrate(instance)}";
            yield return TaskRegistry.Get(instance.Task).Demonstrate(instance, DemonstrationStyle.Quick);
        }
    }
}
