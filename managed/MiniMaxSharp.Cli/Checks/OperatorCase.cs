using System.Text.Json;
using MiniMaxSharp.Checkpoints;

namespace MiniMaxSharp.Cli.Checks;

/// <summary>One case of an operator family: its parameters, its inputs, and the outputs that are to be compared.</summary>
internal sealed class OperatorCase(string family, string name, JsonElement json, SafetensorsFile file, Device device, GoldenReport report)
{
    private readonly HashSet<string> _compared = [];

    public Device Device => device;

    public bool HasOutput(string output) => json.GetProperty("outputs").TryGetProperty(output, out _);

    public bool HasInput(string input) => json.GetProperty("inputs").TryGetProperty(input, out _);

    public double Number(string parameter) => json.GetProperty("parameters").GetProperty(parameter).GetDouble();

    public double Number(string parameter, double otherwise) =>
        json.GetProperty("parameters").TryGetProperty(parameter, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : otherwise;

    public string Text(string parameter) => json.GetProperty("parameters").GetProperty(parameter).GetString()!;

    public long[] Shape(string tensor) => file.Tensors[$"{name}/{tensor}"].Shape;

    public float[] Floats(string input) => file.ReadAsFloat($"{name}/{input}");

    public long[] Integers(string input) => file.ReadAsInt64($"{name}/{input}");

    /// <summary>An input on the device: float32 as it is, int64 as int32.</summary>
    public Tensor Input(string input) => json.GetProperty("inputs").GetProperty(input).GetProperty("dtype").GetString() == "int64"
        ? Tensor.From<int>(device, Array.ConvertAll(Integers(input), x => checked((int)x)), Shape(input))
        : Tensor.From<float>(device, Floats(input), Shape(input));

    public Tensor Empty(string like) => Tensor.Empty(device, ElementType.Float32, Shape(like));

    public void Compare(string output, Tensor values) => Compare(output, values.ToFloats());

    public void Compare(string output, IEnumerable<float> values) => Compare(output, values.Select(x => (double)x));

    public void Compare(string output, IEnumerable<double> values)
    {
        if (HasOutput(output))
        {
            _compared.Add(output);
            report.Compare(family, $"{name}/{output}", [.. values], Golden(output), Tolerance(output));
        }
    }

    /// <summary>A second way to compute an output.</summary>
    public void CompareAgain(string output, string how, Tensor values) =>
        report.Compare(family, $"{name}/{output} ({how})", [.. values.ToFloats().Select(x => (double)x)], Golden(output), Tolerance(output));

    public void CompareExactly(string output, IEnumerable<int> values)
    {
        _compared.Add(output);
        report.Compare(family, $"{name}/{output}", [.. values.Select(x => (double)x)], [.. Integers(output).Select(x => (double)x)], 0);
    }

    public void CompareRelatively(string what, IReadOnlyList<float> values, IReadOnlyList<double> golden, double tolerance) => report.Record(
        family,
        $"{name}/{what} (relative)",
        values.Count != golden.Count ? double.PositiveInfinity : values.Zip(golden).Max(p => Math.Abs(p.First - p.Second) / Math.Max(Math.Abs(p.Second), double.Epsilon)),
        tolerance);

    public void NotCompared(string output, string reason)
    {
        if (HasOutput(output))
        {
            _compared.Add(output);
            report.NotCompared(family, $"{name}/{output}", reason);
        }
    }

    public double[] Golden(string output) => file.ReadAsDouble($"{name}/{output}");

    public double Tolerance(string output) => json.GetProperty("outputs").GetProperty(output).GetProperty("tol_fp32").GetDouble();

    /// <summary>Every output must have been dealt with.</summary>
    public void RequireAllCompared()
    {
        foreach (JsonProperty output in json.GetProperty("outputs").EnumerateObject())
        {
            if (!_compared.Contains(output.Name))
            {
                report.Fail(family, $"{name}/{output.Name}", "this output is not known here");
            }
        }
    }
}
