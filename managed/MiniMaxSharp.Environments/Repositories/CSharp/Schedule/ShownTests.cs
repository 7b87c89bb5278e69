public static class ShownTests
{
    public static Calendar Example()
    {
        var calendar = new Calendar(TimeOfDay.Parse("9:00"), TimeOfDay.Parse("17:00"));
        calendar.Book(new Meeting("review", TimeOfDay.Parse("13:00"), TimeOfDay.Parse("14:30")));
        calendar.Book(new Meeting("standup", TimeOfDay.Parse("9:00"), TimeOfDay.Parse("9:20")));
        return calendar;
    }

    public static void Times_are_read_and_written() => Check.Equal(TimeOfDay.Render(TimeOfDay.Parse("13:05")), "13:05");

    public static void Meetings_are_in_order() => Check.Equal(Example().Meetings.Select(meeting => meeting.Title), new[] { "standup", "review" });

    public static void A_meeting_in_another_is_not_booked() => Check.Equal(Example().Book(new Meeting("lunch", 800, 820)), false);

    public static void A_meeting_can_be_cancelled()
    {
        var calendar = Example();
        Check.Equal(calendar.Cancel("review"), true);
        Check.Equal(calendar.Meetings.Count, 1);
    }
}
