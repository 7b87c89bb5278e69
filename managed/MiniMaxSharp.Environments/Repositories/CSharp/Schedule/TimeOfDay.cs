/// <summary>Times of a day in minutes from midnight, written as in 9:05.</summary>
public static class TimeOfDay
{
    /// <summary>Minutes of a day.</summary>
    public const int Day = 24 * 60;

    /// <summary>Reads a time; 24:00 is the end of the day.</summary>
    public static int Parse(string text)
    {
        var parts = text.Trim().Split(':');
        if (parts.Length != 2 || parts[1].Length != 2)
            throw new FormatException($"'{text}' is not a time");
        var (hours, minutes) = (int.Parse(parts[0]), int.Parse(parts[1]));
        if (hours < 0 || minutes < 0 || minutes > 59 || hours * 60 + minutes > Day)
            throw new FormatException($"'{text}' is not a time of a day");
        return hours * 60 + minutes;
    }

    /// <summary>Writes a time.</summary>
    public static string Render(int time) => $"{time / 60}:{time % 60:00}";

    /// <summary>Rounds up to a multiple of some minutes.</summary>
    public static int RoundUp(int time, int step) => (time + step - 1) / step * step;
}
