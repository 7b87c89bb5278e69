namespace MiniMaxSharp.Models;

/// <summary>How a model keeps the weights of its experts.</summary>
public enum ExpertStorage
{
    /// <summary>As all its other weights.</summary>
    AsModel,

    /// <summary>
    /// Rounded to int8 while loading, each row to multiples of its largest magnitude / 127: half the memory of bfloat16, a quarter
    /// of single precision, and faster where memory is the limit. For inference only. What it does to logits, in the root of
    /// the mean square relative to theirs: 0.09 % in a random model of 94M parameters (rounding that one to bfloat16 does
    /// 1.1 %), 0.3 % in the trained model of samples/LogicReasoner, where the most probable next token stayed the same after all
    /// of 512 random ones. In the tiny golden model, 1.6 % at the median token and 5.6 % in all, some tokens taking another expert.
    /// </summary>
    Int8,
}
