public static class ShownTests
{
    public static void Sums_and_products() => Check.Equal(Calculator.Evaluate("2 + 3 * 4"), 14);

    public static void Brackets_come_first() => Check.Equal(Calculator.Evaluate("(2 + 3) * 4"), 20);

    public static void Variables_have_values() =>
        Check.Equal(Calculator.Evaluate("width * 2", new Dictionary<string, long> { ["width"] = 21 }), 42);

    public static void Tokens_are_numbers_names_and_symbols() =>
        Check.Equal(Tokenizer.Split("a1+23").Select(token => token.Text), new[] { "a1", "+", "23" });

    public static void Strange_characters_are_refused() => Check.Throws<FormatException>(() => Calculator.Evaluate("1 $ 2"));
}
