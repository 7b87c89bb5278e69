using MiniMaxSharp.Cli.Checks;

namespace MiniMaxSharp.Cli;

/// <summary>minimax check: every case of a folder of goldens.</summary>
internal static class CheckCommand
{
    /// <summary>0 if everything agrees, 1 otherwise.</summary>
    public static int Run(string goldens, Device device, string? filter, TextWriter output)
    {
        if (!Directory.Exists(goldens))
        {
            throw new DirectoryNotFoundException($"{goldens} is not a folder.");
        }

        var report = new GoldenReport(output);
        string kernels = Path.Combine(goldens, "kernels");
        if (Directory.Exists(kernels))
        {
            foreach (string manifest in Directory.GetFiles(kernels, "*.json").Order(StringComparer.Ordinal))
            {
                OperatorChecks.Run(manifest, device, filter, report);
            }
        }

        foreach (string model in Directory.GetDirectories(goldens).Order(StringComparer.Ordinal).Where(d => File.Exists(Path.Combine(d, "manifest.json"))))
        {
            ModelCheck.Run(model, device, filter, report);
        }

        if (report.Compared == 0 && report.Failures == 0)
        {
            report.Fail("goldens", goldens, "nothing to compare was found");
        }

        report.Summarise();
        return report.Failures == 0 ? 0 : 1;
    }
}
