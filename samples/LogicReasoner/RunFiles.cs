namespace LogicReasoner;

/// <summary>What a run leaves behind.</summary>
internal sealed record RunFiles(string Directory)
{
    /// <summary>The trained model in Hugging Face's layout, with tokenizer and chat template.</summary>
    public string Checkpoint => Path.Combine(Directory, "checkpoint");

    /// <summary>The model before reinforcement learning.</summary>
    public string WarmStart => Path.Combine(Directory, "warm-start");

    /// <summary>From where an interrupted run goes on.</summary>
    public string Progress => Path.Combine(Directory, "progress");

    public string Metrics => Path.Combine(Directory, "metrics.jsonl");

    public string Examples => Path.Combine(Directory, "examples.jsonl");

    public string Report => Path.Combine(Directory, "report.html");

    public string Summary => Path.Combine(Directory, "summary.json");
}
