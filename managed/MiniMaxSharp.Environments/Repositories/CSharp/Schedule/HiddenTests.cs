public static class HiddenTests
{
    public static void A_day_ends_at_24_00()
    {
        Check.Equal(TimeOfDay.Parse("24:00"), 1440);
        Check.Throws<FormatException>(() => TimeOfDay.Parse("24:01"));
    }

    public static void Minutes_end_at_59()
    {
        Check.Equal(TimeOfDay.Parse("0:59"), 59);
        Check.Throws<FormatException>(() => TimeOfDay.Parse("0:60"));
        Check.Throws<FormatException>(() => TimeOfDay.Parse("12:5"));
    }

    public static void Minutes_are_written_with_two_digits() => Check.Equal(TimeOfDay.Render(545), "9:05");

    public static void Times_are_rounded_up() =>
        Check.Equal(new[] { 0, 1, 15, 16 }.Select(time => TimeOfDay.RoundUp(time, 15)), new[] { 0, 15, 15, 30 });

    public static void A_meeting_may_begin_when_another_ends()
    {
        var calendar = ShownTests.Example();
        Check.Equal(calendar.Book(new Meeting("after", 870, 900)), true);
        Check.Equal(calendar.Book(new Meeting("before", 750, 780)), true);
        Check.Equal(calendar.Meetings.Select(meeting => meeting.Title), new[] { "standup", "before", "review", "after" });
    }

    public static void A_meeting_around_another_is_not_booked() => Check.Equal(ShownTests.Example().Book(new Meeting("all day", 600, 1000)), false);

    public static void The_day_may_be_filled_to_its_ends()
    {
        Check.Equal(new Calendar(540, 1020).Book(new Meeting("all day", 540, 1020)), true);
        Check.Equal(new Calendar(540, 1020).Book(new Meeting("early", 539, 600)), false);
        Check.Equal(new Calendar(540, 1020).Book(new Meeting("late", 1000, 1021)), false);
    }

    public static void A_meeting_takes_time() => Check.Throws<ArgumentException>(() => ShownTests.Example().Book(new Meeting("none", 600, 600)));

    public static void Unknown_meetings_cannot_be_cancelled() => Check.Equal(ShownTests.Example().Cancel("party"), false);

    public static void Gaps_lie_between_meetings() => Check.Equal(ShownTests.Example().Gaps(), new[] { (560, 780), (870, 1020) });

    public static void A_full_day_has_no_gaps()
    {
        var calendar = new Calendar(540, 600);
        calendar.Book(new Meeting("all", 540, 600));
        Check.Equal(calendar.Gaps().Count, 0);
    }

    public static void The_first_free_time_is_rounded_up()
    {
        Check.Equal(ShownTests.Example().FirstFree(30), 570);
        Check.Equal(ShownTests.Example().FirstFree(210), 570);
        Check.Equal(ShownTests.Example().FirstFree(211), null);
        Check.Equal(ShownTests.Example().FirstFree(220, step: 1), 560);
    }

    public static void Load_is_in_percent() => Check.Equal(ShownTests.Example().Load(), 22);

    public static void The_first_of_the_longest_meetings()
    {
        var calendar = ShownTests.Example();
        calendar.Book(new Meeting("workshop", 900, 990));
        Check.Equal(calendar.Longest()?.Title, "review");
        Check.Equal(new Calendar(0, 100).Longest(), null);
    }
}
