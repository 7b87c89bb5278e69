namespace MiniMaxSharp.Tasks;

/// <summary>Ways in which <see cref="SelfTest"/> spoils a right answer. The list is a choice of this project.</summary>
public enum WrongAnswer
{
    /// <summary>Nothing.</summary>
    Empty,

    /// <summary>Signs that no answer holds.</summary>
    Garbage,

    /// <summary>The solution of another puzzle of the same task and difficulty.</summary>
    AnotherSolution,

    /// <summary>One symbol replaced by another one.</summary>
    Replaced,

    /// <summary>One symbol left out.</summary>
    Removed,

    /// <summary>One symbol too many.</summary>
    Added,

    /// <summary>Two different symbols exchanged.</summary>
    Exchanged,

    /// <summary>One digit, letter or sign within a symbol changed.</summary>
    Altered,

    /// <summary>The solution as a field of a JSON object.</summary>
    Json,

    /// <summary>The solution again and again, up to nearly the length that verifiers read at all.</summary>
    Enormous,

    /// <summary>A text that has the solution as its value for whoever evaluates answers as code.</summary>
    Code,
}
