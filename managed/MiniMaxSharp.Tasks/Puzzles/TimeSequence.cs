using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// time_sequence of SynLogic (arXiv 2505.19641): several people's appointments in a day; how long is the longest time in which all are free,
/// and how many such times are there? Difficulty sets the number of people (2 to 5), of appointments and the grid of times (30 to 5 minutes).
/// The answer is two whole numbers, minutes and count. Canonical under renaming and reordering of people.
/// </summary>
public sealed class TimeSequence : ReasoningTask<TimeSequence.Diary>
{
    private const int Day = 24 * 60;

    private readonly record struct Level(int People, int Appointments, int StepMinutes);

    private static readonly Level[] Levels =
    [
        new(2, 2, 30), new(2, 3, 30), new(2, 4, 30), new(3, 3, 30), new(3, 4, 15),
        new(3, 5, 15), new(4, 4, 15), new(4, 5, 10), new(5, 4, 5), new(5, 5, 5),
    ];

    private static readonly Dictionary<string, string> ChineseNames = Lexicon.People.ToDictionary(person => person.English, person => person.Chinese);

    /// <inheritdoc/>
    public override string Name => "time_sequence";

    /// <inheritdoc/>
    public override string Description => "the longest time in which all are free, and how many such times there are";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["free", "from", "to", "-", ";", .. ChineseNames.Keys, .. Enumerable.Range(0, 50).Select(number => $"{number}"), .. Enumerable.Range(10, (Day / 5) - 9).Select(step => $"{5 * step}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Diary, string>> English { get; } =
    [
        p => $"Some people want to meet between {Clock(p.From)} and {Clock(p.To)}. Their appointments on that day are:\n{p.List(name => name, ": ", ", ")}\nHow many minutes is the longest stretch in which everybody is free all the time, and how many stretches of just that length are there? Answer with the two numbers: minutes, count.",
        p => $"Look at these diaries.\n{p.List(name => name, " is busy ", " and ")}\nFind the times from {Clock(p.From)} to {Clock(p.To)} at which nobody is busy, each from the end of one appointment (or the start of the day) to the start of the next (or the end of the day). Give the length in minutes of the longest, then a comma, then how many of them are that long.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Diary, string>> Chinese { get; } =
    [
        p => $"几个人想在 {Clock(p.From)} 到 {Clock(p.To)} 之间见面，当天各人的安排如下：\n{p.List(name => ChineseNames[name], "：", "，")}\n所有人都有空的最长连续时段是多少分钟？这样长的时段有几个？依次写出两个数：分钟数，个数。",
        p => $"请看各人的日程（以下时间有事）：\n{p.List(name => ChineseNames[name], " ", "、")}\n在 {Clock(p.From)}–{Clock(p.To)} 内，找出大家同时空闲的最长时段，写出其分钟数以及长度恰为此值的时段个数，用逗号隔开。",
    ];

    /// <inheritdoc/>
    protected override (Diary Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var (from, to) = (60 * rng.Between(7, 9), 60 * rng.Between(17, 19));
        while (true)
        {
            var people = rng.Sample(ChineseNames.Keys, level.People);
            var puzzle = new Diary(from, to, [.. people.SelectMany(person => Draw(person, from, to, level, rng))]);
            if (puzzle.Longest > 0)
                return (puzzle, $"{puzzle.Longest} {puzzle.Count}");
        }
    }

    /// <summary>Appointments of one person that do not overlap, in order.</summary>
    private static IEnumerable<Appointment> Draw(string person, int from, int to, Level level, Rng rng)
    {
        var drawn = new List<Appointment>();
        while (drawn.Count < level.Appointments)
        {
            var length = level.StepMinutes * rng.Between(1, 90 / level.StepMinutes);
            var start = from + (level.StepMinutes * rng.Below((to - from - length) / level.StepMinutes));
            if (drawn.TrueForAll(other => start >= other.End || start + length <= other.Start))
                drawn.Add(new Appointment(person, start, start + length));
        }
        return drawn.OrderBy(appointment => appointment.Start);
    }

    /// <inheritdoc/>
    protected override string Compact(Diary puzzle) => $"free from {puzzle.From} to {puzzle.To} ; {puzzle.Listed}";

    /// <inheritdoc/>
    protected override Verdict Check(Diary puzzle, string answer)
    {
        if (Words.Split(answer).Select(Answers.Number).ToArray() is not [{ } length, { } count])
            return Verdict.Wrong("not two whole numbers");
        if (length != puzzle.Longest)
            return Verdict.Wrong("the longest common free time has another length");
        return count == puzzle.Count ? Verdict.Right : Verdict.Wrong("there is another number of such times");
    }

    /// <inheritdoc/>
    protected override Diary Read(JsonObject data) =>
        new(data.Number("from", 0, Day), data.Number("to", 0, Day), [.. data.Texts("appointments").Select(ReadAppointment)]);

    private static Appointment ReadAppointment(string text) =>
        text.Split(' ') is [var person, var start, "-", var end] && ChineseNames.ContainsKey(person) && Answers.Number(start) is { } first && Answers.Number(end) is { } last
            ? new Appointment(person, first, last)
            : throw new FormatException($"'{text}' is not an appointment.");

    private static string Clock(int minutes) => $"{minutes / 60}:{minutes % 60:00}";

    internal sealed record Appointment(string Person, int Start, int End)
    {
        public override string ToString() => $"{Person} {Start} - {End}";
    }

    /// <summary>Appointments within a part of a day.</summary>
    public sealed class Diary : Puzzle
    {
        private const int MostAppointments = 1000;

        internal Diary(int from, int to, Appointment[] appointments)
        {
            (From, To, Appointments) = (from, to, appointments);
            if (from >= to || appointments.Length is 0 or > MostAppointments || appointments.Any(a => a.Start < from || a.End > to || a.Start >= a.End))
                throw new FormatException("The appointments do not fit into the day.");
            var gaps = Gaps().ToArray();
            Longest = gaps.Max();
            Count = Longest == 0 ? 0 : gaps.Count(gap => gap == Longest);
        }

        internal int From { get; }

        internal int To { get; }

        internal IReadOnlyList<Appointment> Appointments { get; }

        /// <summary>Minutes of the longest time in which all are free, 0 if there is none.</summary>
        internal int Longest { get; }

        /// <summary>How many such times there are.</summary>
        internal int Count { get; }

        internal string Listed => string.Join(" ; ", Appointments);

        private IEnumerable<int> Gaps()
        {
            var free = From;
            foreach (var appointment in Appointments.OrderBy(appointment => appointment.Start))
            {
                yield return Math.Max(0, appointment.Start - free);
                free = Math.Max(free, appointment.End);
            }
            yield return To - free;
        }

        internal string List(Func<string, string> name, string colon, string comma) => string.Join('\n', Appointments.GroupBy(a => a.Person)
            .Select(own => $"{name(own.Key)}{colon}{string.Join(comma, own.Select(a => $"{Clock(a.Start)}–{Clock(a.End)}"))}"));

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["from"] = From, ["to"] = To, ["appointments"] = Appointments.Select(a => $"{a}").ToJsonArray() };

        /// <inheritdoc/>
        public override string CanonicalForm()
        {
            var diaries = Appointments.GroupBy(a => a.Person).Select(own => string.Join(',', own.Select(a => $"{a.Start - From:0000}+{a.End - a.Start}").Order(StringComparer.Ordinal)));
            return $"{To - From} {string.Join(';', diaries.Order(StringComparer.Ordinal))}";
        }
    }
}
