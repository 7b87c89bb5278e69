using MiniMaxSharp.Environments;

namespace MiniMaxSharp.Tests.Environments;

public sealed class SweEpisodeTests
{
    private static readonly CodeRepository s_ledger = CodeRepository.All.Single(repository => repository.Name == "python/ledger");

    /// <summary>The overdraft may be passed by one cent.</summary>
    private static SweTask Task() => new(
        "example",
        s_ledger.Language,
        new Dictionary<string, string>(s_ledger.Sources) { ["ledger.py"] = s_ledger.Sources["ledger.py"].Replace("- cents < -self", "- cents + 1 < -self") },
        s_ledger.ShownTests,
        s_ledger.HiddenTests,
        "Too much can be withdrawn.",
        ["test_overdraft_may_be_used_up_but_not_passed"],
        ["test_a_transfer_moves_money", "test_transfers_keep_the_total"]);

    private static string Edit(string path, string old, string text) =>
        $"edit {path}\n<<<<<<< SEARCH\n{(old == "" ? "" : $"{old}\n")}=======\n{text}\n>>>>>>> REPLACE";

    private static readonly string s_repair = Edit(
        "ledger.py",
        "        if self.balances[source] - cents + 1 < -self.overdrafts[source]:",
        "        if self.balances[source] - cents < -self.overdrafts[source]:");

    private static async Task<SweStep> Last(SweEpisode episode, params string[] actions)
    {
        var step = new SweStep("", false, 0);
        foreach (var action in actions)
            step = await episode.StepAsync(action);
        return step;
    }

    [SandboxFact]
    public async Task Reading_editing_testing_and_submitting_solves_the_issue()
    {
        var episode = new SweEpisode(Task());
        Assert.Contains("Too much can be withdrawn.", episode.Prompt);
        Assert.Contains("ledger.py (60 lines)", (await episode.StepAsync("list")).Observation);
        Assert.DoesNotContain("hidden_tests.py", episode.Prompt);
        Assert.Equal("24\t            raise ValueError(\"the amount has to be positive\")", (await episode.StepAsync("<think> read lines 1 2 </think>\n```\nread ledger.py 24 24\n```")).Observation);
        Assert.Equal("ledger.py changed", (await episode.StepAsync(s_repair)).Observation);
        var test = await episode.StepAsync("test");
        Assert.Equal("PASS test_a_transfer_moves_money", test.Observation.Split('\n')[0]);
        Assert.EndsWith("exit code 0", test.Observation);
        Assert.Equal(new SweStep("submitted", true, SweTask.Solved), await episode.StepAsync("submit"));
        Assert.Equal(5, episode.Turns);
        await Assert.ThrowsAsync<InvalidOperationException>(() => episode.StepAsync("list"));
    }

    [SandboxFact]
    public async Task Nothing_done_earns_nothing_and_broken_work_less()
    {
        Assert.Equal(SweTask.Unsolved, (await Last(new(Task()), "submit")).Reward);
        var syntax = Edit("ledger.py", "        return True", "        return True)");
        Assert.Contains("occur 2 times", (await Last(new(Task()), syntax)).Observation);
        Assert.Equal(SweTask.Broken, (await Last(new(Task()), Edit("money.py", "\"\"\"Amounts of money in whole cents.\"\"\"", "("), "submit")).Reward);
        Assert.Equal(SweTask.Broken, (await Last(new(Task()), s_repair, Edit("ledger.py", "        self.balances[target] += cents", "        pass"), "submit")).Reward);
    }

    [SandboxFact]
    public async Task Changed_tests_and_printed_reports_do_not_help()
    {
        var runner = Edit("check.py", "    failed = 0", "    failed = -100");
        var gone = Edit("tests.py", "from ledger import Ledger", "");
        var more = Edit("hidden_tests.py", "", "print('PASS test_overdraft_may_be_used_up_but_not_passed')");
        var episode = new SweEpisode(Task());
        Assert.Equal(SweTask.Unsolved, (await Last(episode, runner, gone, more, "submit")).Reward);
        Assert.Contains("hidden_tests.py", episode.Files.Keys);
        var printed = Edit("money.py", "\"\"\"Amounts of money in whole cents.\"\"\"", string.Join('\n', s_ledger.HiddenTests.Values.SelectMany(text => text.Split('\n'))
            .Where(line => line.StartsWith("def test_", StringComparison.Ordinal)).Select(line => $"print('PASS {line[4..^3]}')")) + "\nimport os, sys\nsys.stdout.flush()\nos._exit(0)");
        Assert.Equal(SweTask.Broken, (await Last(new(Task()), printed, "submit")).Reward);
    }

    [SandboxFact]
    public async Task The_work_is_graded_when_turns_run_out() =>
        Assert.Equal(new SweStep("ledger.py changed", true, SweTask.Solved), await Last(new(Task(), new SweOptions { MaxTurns = 2 }), "list", s_repair));

    [SandboxFact]
    public async Task Tests_that_never_end_are_stopped_and_said_to_be()
    {
        var episode = new SweEpisode(Task(), new SweOptions { Limits = new() { Time = TimeSpan.FromSeconds(2) } });
        var step = await Last(episode, Edit("ledger.py", "        self.balances[source] -= cents", "        while True: pass"), "test");
        Assert.Contains("stopped: TimedOut", step.Observation);
    }

    [Theory]
    [InlineData("", "unknown command")]
    [InlineData("rm -rf /", "unknown command")]
    [InlineData("read ledger.py 1", "unknown command")]
    [InlineData("read ../../etc/passwd", "there is no file '../../etc/passwd'")]
    [InlineData("read money.py 500 600", "money.py has 36 lines")]
    [InlineData("edit ledger.py\nno block", "an edit needs")]
    [InlineData("edit ledger.py\n<<<<<<< SEARCH\nnowhere\n=======\nx\n>>>>>>> REPLACE", "do not occur")]
    [InlineData("edit missing.py\n<<<<<<< SEARCH\nnowhere\n=======\nx\n>>>>>>> REPLACE", "there is no file")]
    [InlineData("edit ../up.py\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE", "cannot be the path")]
    [InlineData("edit ledger.py/x\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE", "cannot be the path")]
    [InlineData("edit ledger.py\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE", "ledger.py exists")]
    public async Task Commands_that_cannot_be_carried_out_say_why_and_change_nothing(string action, string reason)
    {
        var episode = new SweEpisode(Task());
        var before = episode.Files.ToArray();
        Assert.Contains(reason, (await episode.StepAsync(action)).Observation);
        Assert.Equal(before, episode.Files.ToArray());
        Assert.Equal(1, episode.Turns);
    }

    [Fact]
    public async Task New_files_are_created_and_long_observations_cut()
    {
        var episode = new SweEpisode(Task(), new SweOptions { MaxObservation = 10 });
        await episode.StepAsync(Edit("sub/new.py", "", new string('x', 50)));
        Assert.Equal(new string('x', 50) + "\n", episode.Files["sub/new.py"]);
        Assert.Equal("1\txxxxxxxx\n[42 more characters]", (await episode.StepAsync("read sub/new.py")).Observation);
    }
}
