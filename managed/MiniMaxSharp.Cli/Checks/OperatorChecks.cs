using System.Text.Json;
using MiniMaxSharp.Checkpoints;

namespace MiniMaxSharp.Cli.Checks;

/// <summary>The operator families: kernels/FAMILY.json with FAMILY.safetensors.</summary>
internal static class OperatorChecks
{
    private static readonly Dictionary<string, Action<OperatorCase>> s_families = new()
    {
        ["lightning"] = LightningCheck.Run,
        ["softmax_gqa"] = AttentionCheck.Run,
        ["rope"] = RopeCheck.Run,
        ["moe"] = MoeCheck.Run,
        ["aux_loss"] = AuxiliaryLossCheck.Run,
        ["slopes"] = SlopesCheck.Run,
        ["rmsnorm"] = RmsNormCheck.Run,
        ["cross_entropy"] = CrossEntropyCheck.Run,
        ["policy_loss"] = PolicyLossCheck.Run,
    };

    public static void Run(string manifest, Device device, string? filter, GoldenReport report)
    {
        string family = Path.GetFileNameWithoutExtension(manifest);
        try
        {
            RunFamily(family, manifest, device, filter, report);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            report.Fail(family, "all", $"could not be read: {error.Message}");
        }
    }

    private static void RunFamily(string family, string manifest, Device device, string? filter, GoldenReport report)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(manifest));
        using SafetensorsFile file = SafetensorsFile.Open(Path.ChangeExtension(manifest, ".safetensors"));
        foreach (JsonProperty entry in json.RootElement.GetProperty("cases").EnumerateObject())
        {
            if (filter is not null && !$"{family}/{entry.Name}".Contains(filter, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            if (!s_families.TryGetValue(family, out Action<OperatorCase>? run))
            {
                report.Fail(family, entry.Name, "no operator family of that name is known here");
                continue;
            }

            var golden = new OperatorCase(family, entry.Name, entry.Value, file, device, report);
            using TensorScope scope = device.Scope();
            try
            {
                run(golden);
                golden.RequireAllCompared();
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                report.Fail(family, entry.Name, $"could not be run: {error.Message}");
            }
        }
    }
}
