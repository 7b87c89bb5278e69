using System.Text.Json;
using MiniMaxSharp.Checkpoints;

namespace MiniMaxSharp.Cli.Checks;

/// <summary>The expected tensors of one file of a model's goldens.</summary>
internal sealed class GoldenTensors(string model, string path, JsonElement tensors, GoldenReport report) : IDisposable
{
    private static readonly HashSet<string> s_inputs = ["input_ids", "labels", "attention_mask", "long.input_ids", "prompt_ids", "decode_ids"];
    private readonly SafetensorsFile _file = SafetensorsFile.Open(path);
    private readonly HashSet<string> _compared = [];

    private string Group { get; } = $"{model}/{Path.GetFileNameWithoutExtension(path)}";

    public static int[][] Rows(SafetensorsFile file, string name)
    {
        int[] values = Array.ConvertAll(file.ReadAsInt64(name), x => checked((int)x));
        return [.. values.Chunk((int)file.Tensors[name].Shape[^1])];
    }

    public bool Has(string name) => tensors.TryGetProperty(name, out _);

    public long[] Shape(string name) => _file.Tensors[name].Shape;

    public int[][] Rows(string name) => Rows(_file, name);

    /// <summary>Compares where the golden has a tensor of that name.</summary>
    public void Compare(string name, IEnumerable<float> values)
    {
        if (!tensors.TryGetProperty(name, out JsonElement entry) || !_compared.Add(name))
        {
            return;
        }

        double tolerance = entry.TryGetProperty("tol_abs", out JsonElement t) ? t.GetDouble() : 0;
        double[] golden = entry.GetProperty("dtype").GetString() == "int64"
            ? [.. _file.ReadAsInt64(name).Select(x => (double)x)]
            : _file.ReadAsDouble(name);
        report.Compare(Group, name, [.. values.Select(x => (double)x)], golden, tolerance);
    }

    public void CompareExactly(string name, IEnumerable<int> values)
    {
        if (_compared.Add(name))
        {
            report.Compare(Group, name, [.. values.Select(x => (double)x)], [.. _file.ReadAsInt64(name).Select(x => (double)x)], 0);
        }
    }

    /// <summary>Says of everything that is left why it is not compared.</summary>
    public void SkipRest(string reason)
    {
        foreach (string name in Left())
        {
            _compared.Add(name);
            report.NotCompared(Group, name, reason);
        }
    }

    public void RequireAllCompared()
    {
        foreach (string name in Left())
        {
            report.Fail(Group, name, "this tensor is not known here, or the model did not give it");
        }
    }

    public void Dispose() => _file.Dispose();

    private string[] Left() => [.. tensors.EnumerateObject().Select(t => t.Name).Where(n => !_compared.Contains(n) && !s_inputs.Contains(n))];
}
