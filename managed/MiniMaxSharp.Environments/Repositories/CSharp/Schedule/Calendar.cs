/// <summary>Something that takes place from one time until another.</summary>
public readonly record struct Meeting(string Title, int Start, int End)
{
    /// <summary>How long it is.</summary>
    public int Minutes => End - Start;

    /// <summary>Whether the two share time; one may begin when the other ends.</summary>
    public bool Overlaps(Meeting other) => Start < other.End && other.Start < End;
}

/// <summary>The meetings of a working day, in order and without overlaps.</summary>
public sealed class Calendar(int opens, int closes)
{
    private readonly List<Meeting> _meetings = new();

    /// <summary>The meetings in order.</summary>
    public IReadOnlyList<Meeting> Meetings => _meetings;

    /// <summary>Adds a meeting if it fits into the day and between the others.</summary>
    public bool Book(Meeting meeting)
    {
        if (meeting.Minutes <= 0)
            throw new ArgumentException("a meeting takes time");
        if (meeting.Start < opens || meeting.End > closes)
            return false;
        if (_meetings.Any(meeting.Overlaps))
            return false;
        var at = _meetings.Count(other => other.Start < meeting.Start);
        _meetings.Insert(at, meeting);
        return true;
    }

    /// <summary>Removes the first meeting of this title, and says whether there was one.</summary>
    public bool Cancel(string title)
    {
        var at = _meetings.FindIndex(meeting => meeting.Title == title);
        if (at < 0)
            return false;
        _meetings.RemoveAt(at);
        return true;
    }

    /// <summary>The times between meetings, as starts and ends.</summary>
    public List<(int Start, int End)> Gaps()
    {
        var gaps = new List<(int, int)>();
        var free = opens;
        foreach (var meeting in _meetings)
        {
            if (meeting.Start > free)
                gaps.Add((free, meeting.Start));
            free = meeting.End;
        }
        if (free < closes)
            gaps.Add((free, closes));
        return gaps;
    }

    /// <summary>The first start, a multiple of some minutes, at which so much time is free; null if there is none.</summary>
    public int? FirstFree(int minutes, int step = 15)
    {
        foreach (var (start, end) in Gaps())
        {
            var rounded = TimeOfDay.RoundUp(start, step);
            if (end - rounded >= minutes)
                return rounded;
        }
        return null;
    }

    /// <summary>The share of the day that is booked, in whole percent, rounded down.</summary>
    public int Load() => _meetings.Sum(meeting => meeting.Minutes) * 100 / (closes - opens);

    /// <summary>The longest meeting; of equal ones the first. Null without any.</summary>
    public Meeting? Longest()
    {
        Meeting? longest = null;
        foreach (var meeting in _meetings)
        {
            if (longest is null || meeting.Minutes > longest.Value.Minutes)
                longest = meeting;
        }
        return longest;
    }
}
