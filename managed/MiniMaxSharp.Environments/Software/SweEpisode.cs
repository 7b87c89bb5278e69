using System.Globalization;

namespace MiniMaxSharp.Environments;

/// <summary>How an episode is run; the numbers are choices.</summary>
public sealed record SweOptions
{
    /// <summary>Actions after which the work is graded as it is.</summary>
    public int MaxTurns { get; init; } = 30;

    /// <summary>Characters of an observation; what is more is cut.</summary>
    public int MaxObservation { get; init; } = 4000;

    /// <summary>What a build or a run of the tests may use.</summary>
    public SandboxLimits Limits { get; init; } = DefaultLimits;

    /// <summary>Ample time, so that work is not called broken because the machine is busy.</summary>
    internal static SandboxLimits DefaultLimits { get; } = new() { Time = TimeSpan.FromSeconds(60) };
}

/// <summary>What comes of an action.</summary>
/// <param name="Observation">What the agent is told.</param>
/// <param name="Done">Whether the episode has ended.</param>
/// <param name="Reward">What the work is worth if it has, else 0.</param>
public sealed record SweStep(string Observation, bool Done, double Reward);

/// <summary>
/// One attempt at a <see cref="SweTask"/> in several turns. An action is text: what stands after the thought, one command of
/// <see cref="Usage"/>, in a fenced block or bare. A command that cannot be carried out costs a turn and is answered by the reason.
/// Belongs to one caller at a time.
/// </summary>
public sealed class SweEpisode
{
    /// <summary>The commands.</summary>
    public const string Usage = """
        list                    the files of the repository
        read PATH [FIRST LAST]  a file, or lines of it
        edit PATH               replaces text that occurs exactly once; an empty search creates a new file:
        <<<<<<< SEARCH
        old lines
        =======
        new lines
        >>>>>>> REPLACE
        test                    builds and runs the tests that can be seen
        submit                  ends the work; hidden tests decide
        """;

    private const string Search = "<<<<<<< SEARCH";
    private const string Divider = "=======";
    private const string Replace = ">>>>>>> REPLACE";

    private readonly SweTask _task;
    private readonly SweOptions _options;
    private readonly SortedDictionary<string, string> _files;

    /// <summary>Begins with the repository as it is found.</summary>
    public SweEpisode(SweTask task, SweOptions? options = null)
    {
        (_task, _options) = (task, options ?? new());
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(_options.MaxTurns);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(_options.MaxObservation);
        _files = new(task.Sources.Concat(task.ShownTests).ToDictionary(), StringComparer.Ordinal);
    }

    /// <summary>What the agent is asked at the beginning.</summary>
    public string Prompt => $"""
        A {_task.Language.Name} repository has an issue. Find the cause and correct it; leave alone what works.

        {_task.Issue}

        Files:
        {List()}

        Answer each time with one of these commands:
        {Usage}
        """;

    /// <summary>The repository as it is now, by path.</summary>
    public IReadOnlyDictionary<string, string> Files => _files;

    /// <summary>Actions taken.</summary>
    public int Turns { get; private set; }

    /// <summary>Whether it has ended.</summary>
    public bool Done { get; private set; }

    /// <summary>Carries one action out.</summary>
    /// <exception cref="InvalidOperationException">The episode has ended.</exception>
    /// <exception cref="SandboxUnavailableException">The machine lacks the sandbox or the language.</exception>
    public async Task<SweStep> StepAsync(string action, CancellationToken cancellation = default)
    {
        if (Done)
            throw new InvalidOperationException("the episode has ended");
        var lines = Command(action);
        var words = lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var observation = words switch
        {
            ["submit"] => "submitted",
            ["list"] => List(),
            ["read", var path] => Read(path, 1, int.MaxValue),
            ["read", var path, var first, var last] when Number(first) is { } from && Number(last) is { } to => Read(path, from, to),
            ["edit", var path] => Edit(path, lines[1..]),
            ["test"] => (await TestReport.RunAsync(_task.Language, _files, _options.Limits, cancellation).ConfigureAwait(false)).Text,
            _ => $"unknown command '{lines[0]}'; there are\n{Usage}",
        };
        Turns++;
        Done = words is ["submit"] || Turns == _options.MaxTurns;
        var reward = Done ? await _task.GradeAsync(_files, _options.Limits, cancellation).ConfigureAwait(false) : 0;
        return new(Bounded(observation), Done, reward);
    }

    /// <summary>The lines of the command in an action; at least one.</summary>
    private static string[] Command(string action)
    {
        var text = action[(action.LastIndexOf("</think>", StringComparison.Ordinal) is >= 0 and var end ? end + "</think>".Length : 0)..];
        var lines = text.ReplaceLineEndings("\n").Split('\n').SkipWhile(string.IsNullOrWhiteSpace).ToList();
        if (lines.Count > 0 && lines[0].StartsWith("```", StringComparison.Ordinal))
        {
            lines.RemoveAt(0);
            lines = [.. lines.TakeWhile(line => line.TrimEnd() != "```")];
        }
        return lines.Count == 0 ? [""] : [.. lines];
    }

    private static int? Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private string List() => string.Join('\n', _files.Select(file => $"{file.Key} ({Lines(file.Value).Length} lines)"));

    private string Read(string path, int first, int last)
    {
        if (!_files.TryGetValue(path, out var text))
            return NoFile(path);
        var lines = Lines(text).Index().Where(line => line.Index + 1 >= first && line.Index + 1 <= last).Select(line => $"{line.Index + 1}\t{line.Item}").ToArray();
        return lines.Length > 0 ? string.Join('\n', lines) : $"{path} has {Lines(text).Length} lines";
    }

    private static string[] Lines(string text) => text.Length == 0 ? [] : (text.EndsWith('\n') ? text[..^1] : text).Split('\n');

    private string NoFile(string path) => $"there is no file '{path}'; there are\n{List()}";

    private string Edit(string path, string[] block)
    {
        var (search, divider, replace) = (Array.IndexOf(block, Search), Array.IndexOf(block, Divider), Array.IndexOf(block, Replace));
        if (search != 0 || divider < search || replace < divider)
            return $"an edit needs the lines '{Search}', '{Divider}' and '{Replace}', in this order and alone on their lines";
        var (old, text) = (Text(block[1..divider]), Text(block[(divider + 1)..replace]));
        if (old == "")
            return Create(path, text);
        if (!_files.TryGetValue(path, out var content))
            return NoFile(path);
        var whole = $"\n{(content.EndsWith('\n') || content == "" ? content : $"{content}\n")}";
        var places = Occurrences(whole, $"\n{old}");
        if (places.Count != 1)
            return places.Count == 0 ? $"the lines to search do not occur in {path}" : $"the lines to search occur {places.Count} times in {path}: give more of them";
        var at = places[0] + 1;
        _files[path] = string.Concat(whole.AsSpan(1, at - 1), text, whole.AsSpan(at + old.Length));
        return $"{path} changed";
    }

    /// <summary>Places of a text that begins with a line's end, those that overlap included.</summary>
    private static List<int> Occurrences(string whole, string part)
    {
        var places = new List<int>();
        for (var at = whole.IndexOf(part, StringComparison.Ordinal); at >= 0; at = whole.IndexOf(part, at + 1, StringComparison.Ordinal))
            places.Add(at);
        return places;
    }

    private string Create(string path, string text)
    {
        if (_files.ContainsKey(path))
            return $"{path} exists: search for the lines to replace";
        if (!SandboxJob.IsInside(path) || _files.Keys.Any(other => other.StartsWith($"{path}/", StringComparison.Ordinal) || path.StartsWith($"{other}/", StringComparison.Ordinal)))
            return $"'{path}' cannot be the path of a new file";
        _files[path] = text;
        return $"{path} created";
    }

    private static string Text(IEnumerable<string> lines) => string.Concat(lines.Select(line => $"{line}\n"));

    private string Bounded(string text) => text.Length <= _options.MaxObservation
        ? text
        : $"{text[.._options.MaxObservation]}\n[{text.Length - _options.MaxObservation} more characters]";
}
