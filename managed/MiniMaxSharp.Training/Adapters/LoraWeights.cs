using System.Globalization;
using System.Numerics.Tensors;
using System.Text.Json;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Models;

namespace MiniMaxSharp.Training;

/// <summary>The low-rank addition to one weight [outputs, inputs].</summary>
/// <param name="A">[rank, inputs], row-major.</param>
/// <param name="B">[outputs, rank], row-major.</param>
/// <param name="Inputs">Features that the map takes.</param>
/// <param name="Outputs">Features that it gives.</param>
public sealed record LoraModule(float[] A, float[] B, int Inputs, int Outputs);

/// <summary>
/// The numbers of a LoRA adapter, in host memory: to be kept in files, computed with (<see cref="AdapterArithmetic"/>) and attached to a
/// model (<see cref="LoraAdapter"/>).
/// </summary>
public sealed class LoraWeights
{
    internal const string SuffixA = ".lora_A.weight", SuffixB = ".lora_B.weight";
    private const string ConfigFile = "adapter_config.json", WeightsFile = "adapter_model.safetensors";
    private const string Prefix = "base_model.model.";

    // What would change the meaning of the numbers, and the only value that is understood.
    private static readonly (string Key, string Value)[] s_required =
        [("peft_type", "\"LORA\""), ("bias", "\"none\""), ("fan_in_fan_out", "false"), ("use_rslora", "false"), ("use_dora", "false"),
        ("rank_pattern", "{}"), ("alpha_pattern", "{}"), ("modules_to_save", "null"), ("lora_bias", "false")];

    /// <summary>An adapter of the modules' numbers.</summary>
    /// <param name="rank">r, common to all modules.</param>
    /// <param name="alpha">α.</param>
    /// <param name="modules">By module name, such as <c>model.layers.0.self_attn.q_proj</c>.</param>
    /// <exception cref="ArgumentException">There is no module, or one's arrays do not have the sizes of its shape.</exception>
    public LoraWeights(int rank, float alpha, IEnumerable<KeyValuePair<string, LoraModule>> modules)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        ArgumentNullException.ThrowIfNull(modules);
        Rank = rank;
        Alpha = alpha;
        var byName = new OrderedDictionary<string, LoraModule>(StringComparer.Ordinal);
        foreach ((string name, LoraModule module) in modules)
        {
            if (module.A.Length != (long)rank * module.Inputs || module.B.Length != (long)module.Outputs * rank)
            {
                throw new ArgumentException(
                    $"{name} of rank {rank} on [{module.Outputs}, {module.Inputs}] has {module.A.Length} numbers in A and {module.B.Length} in B.", nameof(modules));
            }

            byName.Add(name, module);
        }

        Modules = byName.Count > 0 ? byName : throw new ArgumentException("An adapter needs at least one module.", nameof(modules));
    }

    /// <summary>Rank of the additions, r.</summary>
    public int Rank { get; }

    /// <summary>α.</summary>
    public float Alpha { get; }

    /// <summary>α/r, the factor of B A.</summary>
    public float Scale => Alpha / Rank;

    /// <summary>By module name, in the order of the model.</summary>
    public IReadOnlyDictionary<string, LoraModule> Modules { get; }

    /// <summary>
    /// A new adapter, which changes nothing yet: B is zero. Choice: A is drawn from N(0, 1/inputs), by seed and module name, so that A x is of x's
    /// size.
    /// </summary>
    /// <exception cref="ArgumentException">The model has no linear map of one of the target names.</exception>
    public static LoraWeights Create(MiniMaxConfig config, LoraOptions options)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Rank, 1, nameof(options));
        (string Module, int Outputs, int Inputs)[] maps =
        [
            .. config.Parameters()
                .Where(p => p.Shape.Count == 2 && p.Name != "model.embed_tokens.weight")
                .Select(p => (p.Name[..^".weight".Length], checked((int)p.Shape[0]), checked((int)p.Shape[1]))),
        ];
        RequireTargets(options.TargetModules, [.. maps.Select(map => Leaf(map.Module)).Distinct(StringComparer.Ordinal)]);
        return new LoraWeights(options.Rank, options.Alpha, maps
            .Where(map => options.TargetModules.Contains(Leaf(map.Module)))
            .Select(map => KeyValuePair.Create(map.Module, New(map.Module, map.Outputs, map.Inputs, options))));
    }

    /// <summary>Reads <c>adapter_config.json</c> and <c>adapter_model.safetensors</c> in PEFT's layout.</summary>
    /// <exception cref="CheckpointFormatException">A file, key or tensor is missing or not what it should be, or asks for what is not supported.</exception>
    public static LoraWeights Load(string directory)
    {
        AtomicDirectory.Recover(directory);
        string configFile = Path.Combine(directory, ConfigFile), weightsFile = Path.Combine(directory, WeightsFile);
        foreach (string file in new[] { configFile, weightsFile }.Where(file => !File.Exists(file)))
        {
            throw new CheckpointFormatException($"{file} is missing.");
        }

        (int rank, float alpha) = ReadConfig(configFile);
        using SafetensorsFile weights = SafetensorsFile.Open(weightsFile);
        var modules = new List<KeyValuePair<string, LoraModule>>();
        foreach (TensorInfo a in weights.Tensors.Values.OrderBy(tensor => tensor.Offset))
        {
            if (!a.Name.StartsWith(Prefix, StringComparison.Ordinal) || !(a.Name.EndsWith(SuffixA, StringComparison.Ordinal) || a.Name.EndsWith(SuffixB, StringComparison.Ordinal)))
            {
                throw weights.Error(a, $"names are {Prefix}MODULE{SuffixA} and …{SuffixB}");
            }

            string module = a.Name[Prefix.Length..^SuffixA.Length];
            string other = Prefix + module + (a.Name.EndsWith(SuffixA, StringComparison.Ordinal) ? SuffixB : SuffixA);
            if (!weights.Tensors.ContainsKey(other))
            {
                throw new CheckpointFormatException($"{weightsFile}: tensor '{other}' is missing.");
            }

            if (a.Name.EndsWith(SuffixA, StringComparison.Ordinal))
            {
                modules.Add(KeyValuePair.Create(module, Read(weights, a, weights.Info(other), rank)));
            }
        }

        return modules.Count > 0 ? new LoraWeights(rank, alpha, modules) : throw new CheckpointFormatException($"{weightsFile} has no tensors.");
    }

    /// <summary>Writes both files in PEFT's layout. The folder is created, or replaced as a whole, atomically.</summary>
    /// <param name="directory">The folder.</param>
    /// <param name="baseModel">What the adapter belongs to, for the reader's information.</param>
    public void Save(string directory, string? baseModel = null) => AtomicDirectory.Replace(directory, target =>
    {
        SafetensorsWriter.Write(Path.Combine(target, WeightsFile), [.. Modules.SelectMany(module => new[]
        {
            TensorSource.Of<float>(Prefix + module.Key + SuffixA, module.Value.A, Rank, module.Value.Inputs),
            TensorSource.Of<float>(Prefix + module.Key + SuffixB, module.Value.B, module.Value.Outputs, Rank),
        })], new Dictionary<string, string> { ["format"] = "pt" });
        JsonFile.WriteObject(Path.Combine(target, ConfigFile), writer => WriteConfig(writer, baseModel));
    });

    /// <summary>α/r · B A of a module, [outputs, inputs] row-major, summed in double precision.</summary>
    /// <exception cref="KeyNotFoundException">The adapter has no such module.</exception>
    public double[] Update(string module)
    {
        LoraModule m = Modules[module];
        var update = new double[m.Outputs * m.Inputs];
        for (int o = 0; o < m.Outputs; o++)
        {
            for (int i = 0; i < m.Inputs; i++)
            {
                double sum = 0;
                for (int k = 0; k < Rank; k++)
                {
                    sum += (double)m.B[o * Rank + k] * m.A[k * m.Inputs + i];
                }

                update[o * m.Inputs + i] = sum * Scale;
            }
        }

        return update;
    }

    private static LoraModule New(string module, int outputs, int inputs, LoraOptions options) => new(
        Initialization.Normal(module + SuffixA, checked(options.Rank * inputs), 1 / MathF.Sqrt(inputs), options.Seed),
        new float[checked(outputs * options.Rank)], inputs, outputs);

    private static string Leaf(string module) => module[(module.LastIndexOf('.') + 1)..];

    private static void RequireTargets(IReadOnlyList<string> targets, string[] known)
    {
        // The groups name the maps of every kind of layer, so of a group one is enough.
        IReadOnlyList<string>[] groups = [LoraOptions.Attention, LoraOptions.Experts, LoraOptions.Head];
        foreach (string target in targets.Where(target => !known.Contains(target)))
        {
            IReadOnlyList<string>? group = Array.Find(groups, g => g.Contains(target) && g.Count > 1 && g.All(targets.Contains));
            if (group is null)
            {
                throw new ArgumentException($"The model has no linear map '{target}'; it has {string.Join(", ", known)}.", nameof(targets));
            }
        }
    }

    private static (int Rank, float Alpha) ReadConfig(string file)
    {
        JsonElement config = JsonFile.ReadObject(file);
        foreach ((string key, string value) in s_required)
        {
            string? given = config.TryGetProperty(key, out JsonElement property) && property.ValueKind != JsonValueKind.Null ? property.GetRawText() : null;
            if (given is null ? key == "peft_type" : given != value)
            {
                throw new CheckpointFormatException($"{file}: '{key}' must be {value}{(given is null ? "" : $", not {given}")}.");
            }
        }

        if (!config.TryGetProperty("r", out JsonElement r) || r.ValueKind != JsonValueKind.Number || !r.TryGetInt32(out int rank) || rank < 1)
        {
            throw new CheckpointFormatException($"{file}: 'r' must be a positive whole number.");
        }

        return config.TryGetProperty("lora_alpha", out JsonElement a) && a.ValueKind == JsonValueKind.Number && a.TryGetSingle(out float alpha) && float.IsFinite(alpha)
            ? (rank, alpha)
            : throw new CheckpointFormatException($"{file}: 'lora_alpha' must be a number.");
    }

    private static LoraModule Read(SafetensorsFile file, TensorInfo a, TensorInfo b, int rank)
    {
        if (a.Shape.Length != 2 || a.Shape[0] != rank)
        {
            throw file.Error(a, string.Create(CultureInfo.InvariantCulture, $"the shape [{rank}, inputs] was expected"));
        }

        if (b.Shape.Length != 2 || b.Shape[1] != rank)
        {
            throw file.Error(b, string.Create(CultureInfo.InvariantCulture, $"the shape [outputs, {rank}] was expected"));
        }

        return new LoraModule(Finite(file, a), Finite(file, b), checked((int)a.Shape[1]), checked((int)b.Shape[0]));
    }

    private static float[] Finite(SafetensorsFile file, TensorInfo tensor)
    {
        float[] values = file.ReadAsFloat(tensor.Name);
        return TensorPrimitives.IsFiniteAll<float>(values) ? values : throw file.Error(tensor, "it holds NaN or infinity");
    }

    private void WriteConfig(Utf8JsonWriter writer, string? baseModel)
    {
        writer.WriteString("base_model_name_or_path", baseModel);
        writer.WriteString("bias", "none");
        writer.WriteBoolean("fan_in_fan_out", false);
        writer.WriteBoolean("inference_mode", true);
        writer.WriteNumber("lora_alpha", Alpha);
        writer.WriteNumber("lora_dropout", 0);
        writer.WriteString("peft_type", "LORA");
        writer.WriteNumber("r", Rank);
        writer.WriteStartArray("target_modules");
        foreach (string name in Modules.Keys.Select(Leaf).Distinct(StringComparer.Ordinal))
        {
            writer.WriteStringValue(name);
        }

        writer.WriteEndArray();
        writer.WriteString("task_type", "CAUSAL_LM");
    }
}
