using System.Diagnostics;

namespace MiniMaxSharp.Tasks;

/// <summary>What became of the wrong answers of one kind.</summary>
/// <param name="Kind">How the answers were spoilt.</param>
/// <param name="Made">How many solutions could be spoilt in this way.</param>
/// <param name="Refused">How many the verifier refused.</param>
/// <param name="Skipped">How many it accepted and a check apart from the verifier accepts too: another right answer, or the same one in another spelling.</param>
/// <param name="Accepted">How many it accepted alone: must be 0.</param>
public sealed record WrongAnswerCount(WrongAnswer Kind, int Made, int Refused, int Skipped, int Accepted);

/// <summary>Milliseconds that the generator takes for an instance at difficulty <see cref="SelfTest.TimedDifficulty"/>.</summary>
/// <param name="Mean">On average.</param>
/// <param name="P99">Of one in a hundred at least.</param>
/// <param name="Max">At most.</param>
public sealed record GeneratorTimes(double Mean, double P99, double Max);

/// <summary>What <see cref="SelfTest.Run"/> found out about a task.</summary>
public sealed record SelfTestResult
{
    /// <summary>The name of the task.</summary>
    public required string Task { get; init; }

    /// <summary>How many seeds were tried, the ten difficulties in turn.</summary>
    public required int Seeds { get; init; }

    /// <summary>Puzzles that were not made, could not be read back from their JSON, or are not solved by their solution according to the check apart from the verifier.</summary>
    public required int Unsolvable { get; init; }

    /// <summary>Solutions that the verifier refused.</summary>
    public required int RefusedSolutions { get; init; }

    /// <summary>For each kind.</summary>
    public required IReadOnlyList<WrongAnswerCount> WrongAnswers { get; init; }

    /// <summary>Seeds whose puzzle has the canonical form of an earlier one.</summary>
    public required int Repeats { get; init; }

    /// <summary>Puzzles that share a canonical hash with one of another canonical form.</summary>
    public required int Collisions { get; init; }

    /// <summary>How long the generator takes.</summary>
    public required GeneratorTimes Times { get; init; }

    /// <summary>The first thing that went wrong, with difficulty and seed; null if nothing did.</summary>
    public required string? FirstFault { get; init; }

    /// <summary>Whether each puzzle can be solved, each solution is accepted, no wrong answer is, and no two puzzles share a hash.</summary>
    public bool IsSound => Unsolvable == 0 && RefusedSolutions == 0 && Collisions == 0 && WrongAnswers.All(count => count.Accepted == 0);

    /// <summary>Whether no instance took as long as <see cref="SelfTest.MostMilliseconds"/>.</summary>
    public bool IsFast => Times.Max < SelfTest.MostMilliseconds;
}

/// <summary>
/// Tries a task on many seeds: can each puzzle be solved, is its own solution accepted, are wrong answers of all kinds
/// (<see cref="WrongAnswer"/>) refused, how long does the generator take, and do canonical hashes tell puzzles apart?
/// A spoilt answer may be right all the same, where a puzzle has several solutions or an answer several spellings; so an accepted one
/// counts against the verifier only if a check that shares no code with it refuses the answer.
/// </summary>
public static class SelfTest
{
    /// <summary>The difficulty at which the generator is timed: the middle one.</summary>
    public const int TimedDifficulty = 5;

    /// <summary>No instance may take longer at <see cref="TimedDifficulty"/>.</summary>
    public const double MostMilliseconds = 50;

    /// <summary>
    /// Runs seeds 0 to <paramref name="seeds"/> − 1, seed s at difficulty s mod 10 + 1. All but the times is determined by the task.
    /// The least of three times counts, or of up to ten while it is over the limit: a seed always means the same work,
    /// and what else the machine does meanwhile is no fault of the generator.
    /// </summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static SelfTestResult Run(IReasoningTask task, int seeds, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(seeds, 1);
        var run = new Tally(task);
        run.WarmUp();
        for (var seed = 0; seed < seeds; seed++)
        {
            cancellation.ThrowIfCancellationRequested();
            run.Try((seed % 10) + 1, (ulong)seed);
        }
        return run.Result(seeds);
    }

    private sealed class Tally(IReasoningTask task)
    {
        private static readonly WrongAnswer[] Kinds = Enum.GetValues<WrongAnswer>();

        private readonly (int Made, int Refused, int Skipped, int Accepted)[] _wrong = new (int, int, int, int)[Kinds.Length];
        private readonly Dictionary<ulong, string> _forms = [];
        private readonly List<double> _times = [];
        private int _unsolvable, _refused, _repeats, _collisions;
        private string? _firstFault;

        /// <summary>So that the first timed instance does not pay for compiling the generator.</summary>
        internal void WarmUp()
        {
            for (var seed = 0UL; seed < 10; seed++)
                task.Generate(TimedDifficulty, ~seed);
        }

        internal void Try(int difficulty, ulong seed)
        {
            if (Make(difficulty, seed) is not { } instance || !CanBeSolved(instance, seed))
            {
                _unsolvable++;
                return;
            }
            if (task.Verify(instance, instance.Solution) is { Correct: false } verdict)
            {
                _refused++;
                Fault(instance, seed, $"the solution is refused: {verdict.Reason}");
            }
            Register(instance, seed);
            SpoilAnswers(instance, seed);
        }

        internal SelfTestResult Result(int seeds)
        {
            _times.Sort();
            return new()
            {
                Task = task.Name,
                Seeds = seeds,
                Unsolvable = _unsolvable,
                RefusedSolutions = _refused,
                WrongAnswers = [.. Kinds.Zip(_wrong, (kind, count) => new WrongAnswerCount(kind, count.Made, count.Refused, count.Skipped, count.Accepted))],
                Repeats = _repeats,
                Collisions = _collisions,
                Times = _times.Count == 0 ? new(0, 0, 0) : new(_times.Average(), _times[_times.Count * 99 / 100], _times[^1]),
                FirstFault = _firstFault,
            };
        }

        private TaskInstance? Make(int difficulty, ulong seed)
        {
            try
            {
                var instance = task.Generate(difficulty, seed);
                if (difficulty == TimedDifficulty)
                    _times.Add(Time(seed));
                return instance;
            }
            catch (Exception e) when (e is FormatException or ArgumentException or InvalidOperationException or ArithmeticException or IndexOutOfRangeException or KeyNotFoundException)
            {
                _firstFault ??= $"{task.Name}, difficulty {difficulty}, seed {seed}: no puzzle is made: {e.Message}";
                return null;
            }
        }

        private double Time(ulong seed)
        {
            var least = double.MaxValue;
            for (var attempt = 0; attempt < 3 || (attempt < 10 && least >= MostMilliseconds); attempt++)
            {
                var start = Stopwatch.GetTimestamp();
                task.Generate(TimedDifficulty, seed);
                least = Math.Min(least, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
            return least;
        }

        private bool CanBeSolved(TaskInstance instance, ulong seed)
        {
            try
            {
                task.ReadPuzzle(instance.Puzzle.ToJson());
            }
            catch (FormatException e)
            {
                Fault(instance, seed, $"the puzzle is refused: {e.Message}");
                return false;
            }
            if (SecondOpinion.Accepts(instance, instance.Solution))
                return true;
            Fault(instance, seed, $"'{instance.Solution}' does not solve the puzzle");
            return false;
        }

        private void Register(TaskInstance instance, ulong seed)
        {
            var form = instance.Puzzle.CanonicalForm();
            if (_forms.TryAdd(instance.CanonicalHash, form))
                return;
            if (_forms[instance.CanonicalHash] == form)
            {
                _repeats++;
                return;
            }
            _collisions++;
            Fault(instance, seed, $"another puzzle has the hash {instance.CanonicalHash:x16} too");
        }

        private void SpoilAnswers(TaskInstance instance, ulong seed)
        {
            var other = task.Generate(instance.Difficulty, ~seed).Solution;
            var rng = new Rng(Rng.Derive(seed, "wrong answers"));
            foreach (var kind in Kinds)
            {
                if (SpoiltAnswers.Make(kind, instance.Solution, other, rng) is not { } answer)
                    continue;
                ref var count = ref _wrong[(int)kind];
                count.Made++;
                if (!task.Verify(instance, answer).Correct)
                {
                    count.Refused++;
                    continue;
                }
                if (SecondOpinion.Accepts(instance, answer))
                {
                    count.Skipped++;
                    continue;
                }
                count.Accepted++;
                Fault(instance, seed, $"the wrong answer '{answer}' is accepted");
            }
        }

        private void Fault(TaskInstance instance, ulong seed, string what) => _firstFault ??= $"{task.Name}, difficulty {instance.Difficulty}, seed {seed}: {what}";
    }
}
