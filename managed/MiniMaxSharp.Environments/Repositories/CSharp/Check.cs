using System.Reflection;

/// <summary>
/// Runs every public static void method without parameters of every class called *Tests and reports one line each.
/// The first line of standard input, if there is one, stands before each report: whoever asks can tell our lines from others.
/// </summary>
public static class Check
{
    /// <summary>Fails unless both are equal; sequences by their elements.</summary>
    public static void Equal(object? actual, object? expected)
    {
        if (Show(actual) != Show(expected))
            throw new CheckFailed($"expected {Show(expected)} but was {Show(actual)}");
    }

    /// <summary>Fails unless the action throws an exception of this kind.</summary>
    public static void Throws<T>(Func<object?> action) where T : Exception
    {
        object? value;
        try
        {
            value = action();
        }
        catch (T)
        {
            return;
        }
        throw new CheckFailed($"expected {typeof(T).Name} but was {Show(value)}");
    }

    private static string Show(object? value) => value switch
    {
        null => "null",
        string text => $"\"{text}\"",
        System.Collections.IEnumerable items => $"[{string.Join(", ", items.Cast<object?>().Select(Show))}]",
        IFormattable number => number.ToString(null, System.Globalization.CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };

    private static int Main()
    {
        var mark = Console.ReadLine()?.Trim();
        var failed = 0;
        var tests = Assembly.GetExecutingAssembly().GetTypes()
            .Where(type => type.Name.EndsWith("Tests"))
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly))
            .Where(method => method.ReturnType == typeof(void) && method.GetParameters().Length == 0)
            .OrderBy(method => method.Name, StringComparer.Ordinal);
        foreach (var test in tests)
        {
            string report;
            try
            {
                test.CreateDelegate<Action>()();
                report = $"PASS {test.Name}";
            }
            catch (Exception error)
            {
                failed++;
                var text = error is CheckFailed ? error.Message : $"{error.GetType().Name}: {error.Message}";
                report = $"FAIL {test.Name}: {string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}";
            }
            Console.WriteLine($"{mark} {report}".Trim());
        }
        return failed > 0 ? 1 : 0;
    }

    private sealed class CheckFailed(string message) : Exception(message);
}
