using System.Globalization;

namespace MiniMaxSharp.Cli.Checks;

/// <summary>Errors against tolerances, printed as they come, with the worst of each group at the end.</summary>
internal sealed class GoldenReport(TextWriter output)
{
    private readonly List<(string Group, string Where, double Share)> _compared = [];

    /// <summary>Tensors beyond tolerance, and cases that could not be run.</summary>
    public int Failures { get; private set; }

    /// <summary>Tensors compared.</summary>
    public int Compared => _compared.Count;

    /// <summary>max |x − golden| against the tolerance; NaN fails.</summary>
    public void Compare(string group, string where, IReadOnlyList<double> values, IReadOnlyList<double> golden, double tolerance)
    {
        if (values.Count != golden.Count)
        {
            Fail(group, where, $"{values.Count} values, the golden has {golden.Count}");
            return;
        }

        double error = 0;
        for (int i = 0; i < values.Count; i++)
        {
            double difference = Math.Abs(values[i] - golden[i]);
            error = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(error, difference);
        }

        Record(group, where, error, tolerance);
    }

    /// <summary>An error measured otherwise.</summary>
    public void Record(string group, string where, double error, double tolerance)
    {
        bool fits = error <= tolerance;
        Failures += fits ? 0 : 1;
        _compared.Add((group, where, tolerance > 0 ? error / tolerance : error == 0 ? 0 : double.PositiveInfinity));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(fits ? "ok  " : "FAIL")} {group} {where}: {error:E2} of {tolerance:E2}"));
    }

    /// <summary>Something that is not compared, and why.</summary>
    public void NotCompared(string group, string where, string reason) => output.WriteLine($"--   {group} {where}: not compared: {reason}");

    /// <summary>A case that could not be run.</summary>
    public void Fail(string group, string where, string reason)
    {
        Failures++;
        output.WriteLine($"FAIL {group} {where}: {reason}");
    }

    /// <summary>The worst tensor of each family and model, and the verdict.</summary>
    public void Summarise()
    {
        output.WriteLine();
        foreach (IGrouping<string, (string Group, string Where, double Share)> group in _compared.GroupBy(c => c.Group.Split('/')[0]))
        {
            (string from, string where, double share) = group.MaxBy(c => c.Share);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{group.Key}: {group.Count()} tensors, worst {(from == group.Key ? where : $"{from} {where}")} at {share:P1} of its tolerance"));
        }

        output.WriteLine(Failures == 0 ? $"{Compared} tensors agree." : $"{Failures} failures, {Compared} tensors compared.");
    }
}
