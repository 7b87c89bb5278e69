using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tests.Checkpoints;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

namespace MiniMaxSharp.Tests.Training;

/// <summary>samples/FineTuneOnYourData, as a newcomer runs it.</summary>
public sealed partial class SupervisedSampleTests
{
    [Fact]
    public void It_learns_what_it_was_not_shown_and_leaves_adapter_and_model()
    {
        using var folder = new TemporaryFolder();
        (int code, string output, string errors) = Run("--output", folder["tuned"]);
        Assert.True(code == 0, errors);
        Match loss = Losses().Match(output);
        Assert.True(loss.Success, output);
        double[] values = [.. loss.Groups.Values.Skip(1).Take(2).Select(g => double.Parse(g.Value, CultureInfo.InvariantCulture))];
        Assert.InRange(values[1], 0, values[0] / 20);

        // The held-out question that it was asked at last.
        Match answer = Answer().Match(output);
        Assert.True(answer.Success && answer.Groups[3].Value == $"A {answer.Groups[2].Value} that is {answer.Groups[1].Value}.", output);

        Assert.Equal(8, LoraWeights.Load(folder["tuned/adapter"]).Rank);
        using Device device = Device.Cpu();
        MiniMaxForCausalLM.Load(folder["tuned/merged"], device).Dispose();
        Tokenizer.Load(folder["tuned/merged"]);

        // And on from there.
        (code, output, errors) = Run("--model", folder["tuned/merged"], "--output", folder["again"], "--epochs", "1");
        Assert.True(code == 0, errors);
        Assert.InRange(double.Parse(Losses().Match(output).Groups[1].Value, CultureInfo.InvariantCulture), 0, values[0] / 20);
    }

    [Fact]
    public void A_bad_line_is_named_and_nothing_is_written()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["mine.jsonl"], "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n");
        (int code, _, string errors) = Run(folder["mine.jsonl"], "--output", folder["tuned"]);
        Assert.Equal(2, code);
        Assert.StartsWith($"{folder["mine.jsonl"]}, line 2: ", errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["tuned"]));
    }

    private static (int Code, string Output, string Errors) Run(params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "FineTuneOnYourData"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }

    [GeneratedRegex(@"^held-out loss ([\d.]+) -> ([\d.]+) ", RegexOptions.Multiline)]
    private static partial Regex Losses();

    [GeneratedRegex(@"^> What is a (\w+) (\w+)\?\n(.*)$", RegexOptions.Multiline)]
    private static partial Regex Answer();
}
