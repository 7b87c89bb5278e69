namespace MiniMaxSharp.Training;

/// <summary>
/// ½ max((V − R)², (clip(V, V_old − c, V_old + c) − R)²), averaged with the tokens' weights: PPO's value loss as its first implementation
/// clips it.
/// </summary>
internal static class ValueLoss
{
    /// <summary>The loss and its gradient by each value; all arrays [tokens].</summary>
    public static (double Loss, float[] Gradient) Evaluate(float[] values, float[] oldValues, float[] returns, float[] tokenWeight, float clip)
    {
        double loss = 0;
        var gradient = new float[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            double error = (double)values[i] - returns[i];
            double clipped = Math.Clamp((double)values[i], (double)oldValues[i] - clip, (double)oldValues[i] + clip) - returns[i];
            // Within the clip both are the same; beyond it the clipped one does not move.
            bool moves = error * error >= clipped * clipped;
            double square = moves ? error * error : clipped * clipped;
            loss += tokenWeight[i] * square / 2;
            gradient[i] = moves ? (float)(tokenWeight[i] * error) : 0;
        }

        return (loss, gradient);
    }
}
