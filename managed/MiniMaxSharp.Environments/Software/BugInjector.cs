namespace MiniMaxSharp.Environments;

/// <summary>A bug put into a repository.</summary>
/// <param name="Task">What there is to do.</param>
/// <param name="Kind">What was done, such as <c>wrong operator</c>.</param>
/// <param name="Path">Where.</param>
/// <param name="Solution">The action of <see cref="SweEpisode"/> that undoes it: one right answer; there may be others.</param>
public sealed record InjectedBug(SweTask Task, string Kind, string Path, string Solution);

/// <summary>
/// Makes software-engineering tasks out of repositories that work (the paper's tasks come from public repositories and are not
/// published; injected bugs are a choice). A bug is kept only if the repository still builds and its tests still come to an end,
/// some of them failing and some passing. The seed and the repository determine it.
/// </summary>
public static class BugInjector
{
    private static readonly string[] Templates =
    [
        "{0}: this no longer holds.\n\nA check of it says: {1}.",
        "Wrong behaviour. It should be that: {0}. What I see instead: {1}.",
        "Regression: {1}\n\nThis is about the rule \"{0}\". I have not found out which change caused it.",
        "I rely on this: {0}. Since the last update I get: {1}. Please correct it without changing anything else.",
    ];

    /// <summary>Puts one bug in.</summary>
    /// <exception cref="InvalidOperationException">The repository's own tests do not pass, or no mutation makes one fail.</exception>
    /// <exception cref="SandboxUnavailableException">The machine lacks the sandbox or the language.</exception>
    public static async Task<InjectedBug> InjectAsync(CodeRepository repository, ulong seed, CancellationToken cancellation = default)
    {
        var limits = SweOptions.DefaultLimits;
        var sound = await TestReport.RunAsync(repository.Language, With(repository, repository.Sources), limits, cancellation).ConfigureAwait(false);
        if (!sound.Complete || sound.Outcomes.Any(outcome => outcome.Failure is not null))
            throw new InvalidOperationException($"the tests of {repository.Name} do not pass:\n{sound.Text}");
        var random = new SplitMix64(seed);
        foreach (var (path, mutation) in Shuffled(repository, random))
        {
            var sources = new SortedDictionary<string, string>(repository.Sources.ToDictionary(), StringComparer.Ordinal)
            {
                [path] = mutation.Apply(repository.Sources[path]),
            };
            var report = await TestReport.RunAsync(repository.Language, With(repository, sources), limits, cancellation).ConfigureAwait(false);
            var failures = report.Outcomes.Where(outcome => outcome.Failure is not null).ToArray();
            if (report.Complete && failures.Length > 0 && failures.Length < sound.Outcomes.Count && report.Outcomes.Count == sound.Outcomes.Count)
                return Bug(repository, seed, sources, path, mutation, report, Issue(failures, random));
        }
        throw new InvalidOperationException($"no mutation of {repository.Name} makes a test fail");
    }

    private static Dictionary<string, string> With(CodeRepository repository, IReadOnlyDictionary<string, string> sources) => sources.Concat(repository.Tests).ToDictionary();

    /// <summary>Mutations in random order, each kind as likely as any other as long as it lasts.</summary>
    private static IEnumerable<(string Path, Mutation Mutation)> Shuffled(CodeRepository repository, SplitMix64 random)
    {
        var kinds = repository.Sources
            .SelectMany(file => Mutations.Of(file.Value, repository.Language).Select(mutation => (Path: file.Key, Mutation: mutation)))
            .GroupBy(site => site.Mutation.Kind).OrderBy(kind => kind.Key, StringComparer.Ordinal).Select(kind => kind.ToList()).ToList();
        while (kinds.Count > 0)
        {
            var kind = kinds[random.Below(kinds.Count)];
            var at = random.Below(kind.Count);
            yield return kind[at];
            kind.RemoveAt(at);
            kinds.RemoveAll(left => left.Count == 0);
        }
    }

    private static string Issue(TestOutcome[] failures, SplitMix64 random)
    {
        var failure = failures[random.Below(failures.Length)];
        var rule = failure.Name.StartsWith("test_", StringComparison.Ordinal) ? failure.Name["test_".Length..] : failure.Name;
        return string.Format(null, Templates[random.Below(Templates.Length)], rule.Replace('_', ' '), failure.Failure);
    }

    private static InjectedBug Bug(
        CodeRepository repository, ulong seed, SortedDictionary<string, string> sources, string path, Mutation mutation, TestReport report, string issue)
    {
        var names = report.Outcomes.ToLookup(outcome => outcome.Failure is null, outcome => outcome.Name);
        var task = new SweTask($"{repository.Name}/{seed}", repository.Language, sources, repository.ShownTests, repository.HiddenTests, issue, [.. names[false]], [.. names[true]]);
        return new(task, mutation.Kind, path, Undo(path, sources[path], repository.Sources[path]));
    }

    /// <summary>The edit that turns one text into another: the lines that differ, with as many around them as make them unique.</summary>
    private static string Undo(string path, string from, string to)
    {
        var (old, right) = (from.Split('\n'), to.Split('\n'));
        var before = old.Zip(right).TakeWhile(pair => pair.First == pair.Second).Count();
        var after = old.Reverse().Zip(right.Reverse()).TakeWhile(pair => pair.First == pair.Second).Count();
        after = Math.Min(after, Math.Min(old.Length, right.Length) - before);
        while (Count(old, old[before..^after]) > 1)
            (before, after) = (Math.Max(0, before - 1), Math.Max(1, after - 1));
        return $"edit {path}\n<<<<<<< SEARCH\n{string.Join('\n', old[before..^after])}\n=======\n{string.Join('\n', right[before..^after])}\n>>>>>>> REPLACE";
    }

    private static int Count(string[] lines, string[] part) =>
        Enumerable.Range(0, lines.Length - part.Length + 1).Count(at => lines.AsSpan(at, part.Length).SequenceEqual(part));
}
