using FsCheck.Xunit;
using MiniMaxSharp.Environments;

namespace MiniMaxSharp.Tests.Environments;

public sealed class BugInjectorTests
{
    private static CodeRepository Repository(string name) => CodeRepository.All.Single(repository => repository.Name == name);

    private static string[] Mutants(string text, ProgramLanguage language) => [.. Mutations.Of(text, language).Select(mutation => $"{mutation.Kind}: {mutation.Apply(text)}")];

    public static TheoryData<string> Names => [.. CodeRepository.All.Select(repository => repository.Name)];

    [Fact]
    public void There_are_three_repositories_of_each_language() => Assert.Equal(
        ["python/intervals", "python/ledger", "python/text_table", "csharp/expressions", "csharp/inventory", "csharp/schedule"],
        CodeRepository.All.Select(repository => repository.Name));

    [SandboxTheory]
    [MemberData(nameof(Names))]
    public async Task Every_repository_passes_its_tests_shown_and_hidden(string name)
    {
        var repository = Repository(name);
        var files = repository.Sources.Concat(repository.ShownTests).Concat(repository.HiddenTests).ToDictionary();
        var report = await TestReport.RunAsync(repository.Language, files, new SandboxLimits { Time = TimeSpan.FromSeconds(60) });
        Assert.True(report.Complete && report.Outcomes.Count >= 15 && report.Outcomes.All(outcome => outcome.Failure is null), report.Text);
    }

    [Fact]
    public void Python_is_mutated_outside_of_strings_and_comments() => Assert.Equal(
        [
            "dropped negation: if a < 1 or f(x, y): # a < 2\n    s = \"1 < 2\"\n",
            "comparison off by one: if not a <= 1 or f(x, y): # a < 2\n    s = \"1 < 2\"\n",
            "swapped comparison: if not a > 1 or f(x, y): # a < 2\n    s = \"1 < 2\"\n",
            "wrong constant: if not a < 2 or f(x, y): # a < 2\n    s = \"1 < 2\"\n",
            "wrong constant: if not a < 0 or f(x, y): # a < 2\n    s = \"1 < 2\"\n",
            "wrong connective: if not a < 1 and f(x, y): # a < 2\n    s = \"1 < 2\"\n",
            "dropped condition: if not a < 1: # a < 2\n    s = \"1 < 2\"\n",
            "swapped arguments: if not a < 1 or f(y, x): # a < 2\n    s = \"1 < 2\"\n",
        ],
        Mutants("if not a < 1 or f(x, y): # a < 2\n    s = \"1 < 2\"\n", ProgramLanguage.Python));

    [Fact]
    public void Brackets_of_types_are_no_comparisons_in_CSharp() => Assert.Equal(
        ["swapped arguments: new Map<int>(b, a) // 1 + 1", "wrong operator: new Map<int>(a, b) + 1"],
        Mutants("new Map<int>(a, b) // 1 + 1", ProgramLanguage.CSharp).Concat(Mutants("new Map<int>(a, b) - 1", ProgramLanguage.CSharp)).Where(mutant => !mutant.Contains("constant") && !mutant.Contains("(b, a) -")));

    [Property]
    public bool No_source_is_too_strange_to_mutate(string? text) =>
        Mutations.Of(text ?? "", ProgramLanguage.Python).Concat(Mutations.Of(text ?? "", ProgramLanguage.CSharp)).All(mutation => mutation.Apply(text ?? "") != text);

    [SandboxFact]
    public async Task A_seed_gives_the_same_bug_again_and_others_give_others()
    {
        var bugs = await Task.WhenAll(new ulong[] { 1, 1, 3, 4 }.Select(seed => BugInjector.InjectAsync(Repository("python/ledger"), seed)));
        Assert.Equal((bugs[0].Task.Issue, bugs[0].Solution, bugs[0].Kind), (bugs[1].Task.Issue, bugs[1].Solution, bugs[1].Kind));
        Assert.Equal(3, bugs.Select(bug => $"{bug.Path} {bug.Kind} {bug.Solution}").Distinct().Count());
    }

    [SandboxTheory]
    [InlineData("python/intervals", 5)]
    [InlineData("csharp/schedule", 7)]
    public async Task A_bug_fails_a_test_the_issue_tells_of_and_its_solution_earns_the_reward(string name, ulong seed)
    {
        var repository = Repository(name);
        var bug = await BugInjector.InjectAsync(repository, seed);
        Assert.NotEmpty(bug.Task.Failing);
        Assert.NotEmpty(bug.Task.Passing);
        Assert.Contains(bug.Task.Failing, test => bug.Task.Issue.Contains(test.Replace("test_", "").Replace('_', ' '), StringComparison.Ordinal));
        Assert.NotEqual(repository.Sources[bug.Path], bug.Task.Sources[bug.Path]);

        var episode = new SweEpisode(bug.Task);
        Assert.Equal(new SweStep($"{bug.Path} changed", false, 0), await episode.StepAsync(bug.Solution));
        Assert.Equal(repository.Sources[bug.Path], episode.Files[bug.Path]);
        Assert.Equal(new SweStep("submitted", true, 1), await episode.StepAsync("submit"));
    }
}
