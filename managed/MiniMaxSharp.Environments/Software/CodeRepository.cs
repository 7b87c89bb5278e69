namespace MiniMaxSharp.Environments;

/// <summary>
/// A small repository of our own, of one or two hundred lines, right as it stands: all its tests pass. They need no framework:
/// a file named <c>check</c> runs them and reports a line each.
/// </summary>
/// <param name="Name">Such as <c>python/ledger</c>.</param>
/// <param name="Language">Its language.</param>
/// <param name="Sources">The code, by path.</param>
/// <param name="ShownTests">The runner and the tests that come with the code.</param>
/// <param name="HiddenTests">Tests that whoever works on it does not see.</param>
public sealed record CodeRepository(
    string Name,
    ProgramLanguage Language,
    IReadOnlyDictionary<string, string> Sources,
    IReadOnlyDictionary<string, string> ShownTests,
    IReadOnlyDictionary<string, string> HiddenTests)
{
    private const string Folder = "repositories/";

    /// <summary>The repositories that come with this assembly, by name.</summary>
    public static IReadOnlyList<CodeRepository> All { get; } = [.. Read("Python", ProgramLanguage.Python), .. Read("CSharp", ProgramLanguage.CSharp)];

    /// <summary>All tests.</summary>
    internal IReadOnlyDictionary<string, string> Tests => new SortedDictionary<string, string>(ShownTests.Concat(HiddenTests).ToDictionary(StringComparer.Ordinal), StringComparer.Ordinal);

    private static IEnumerable<CodeRepository> Read(string folder, ProgramLanguage language)
    {
        var files = Resources.Names.Where(name => name.StartsWith($"{Folder}{folder}/", StringComparison.Ordinal))
            .Select(name => (Parts: name[$"{Folder}{folder}/".Length..].Split('/'), Text: Resources.Text(name).ReplaceLineEndings("\n"))).ToArray();
        var runner = files.Single(file => file.Parts.Length == 1);
        foreach (var group in files.Where(file => file.Parts.Length == 2).GroupBy(file => file.Parts[0]))
        {
            var own = group.Select(file => (Path: file.Parts[1], file.Text)).ToArray();
            yield return new(
                $"{language.Name}/{group.Key.ToLowerInvariant()}",
                language,
                Files(own.Where(file => !IsTest(file.Path))),
                Files(own.Where(file => IsTest(file.Path) && !IsHidden(file.Path)).Append((runner.Parts[0], runner.Text))),
                Files(own.Where(file => IsHidden(file.Path))));
        }
    }

    private static bool IsTest(string path) => Path.GetFileNameWithoutExtension(path).EndsWith("tests", StringComparison.OrdinalIgnoreCase);

    private static bool IsHidden(string path) => path.StartsWith("hidden", StringComparison.OrdinalIgnoreCase);

    private static SortedDictionary<string, string> Files(IEnumerable<(string Path, string Text)> files) =>
        new(files.ToDictionary(file => file.Path, file => file.Text), StringComparer.Ordinal);
}
