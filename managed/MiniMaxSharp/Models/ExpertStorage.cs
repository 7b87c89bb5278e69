namespace MiniMaxSharp.Models;

/// <summary>How a model keeps the weights of its experts.</summary>
public enum ExpertStorage
{
    /// <summary>As all its other weights.</summary>
    AsModel,

    /// <summary>
    /// Rounded to int8 while loading, each row to multiples of its largest magnitude / 127: half the memory of bfloat16, a quarter
    /// of single precision, and faster where memory is the limit. For inference only. What it does to the logits of a model of 94M
    /// parameters is in native/benchmarks/results/generation.json, and for another model is told by
    /// <c>dotnet run -c Release --project native/benchmarks/ModelBenchmark -- int8 DIRECTORY</c>.
    /// </summary>
    Int8,
}
