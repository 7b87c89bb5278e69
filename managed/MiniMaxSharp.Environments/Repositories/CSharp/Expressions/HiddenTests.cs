public static class HiddenTests
{
    public static void Subtraction_and_division_bind_to_the_left()
    {
        Check.Equal(Calculator.Evaluate("10 - 3 - 2"), 5);
        Check.Equal(Calculator.Evaluate("100 / 10 / 2"), 5);
    }

    public static void The_rest_of_a_division() => Check.Equal(Calculator.Evaluate("17 % 5 + 1"), 3);

    public static void Powers_bind_to_the_right() => Check.Equal(Calculator.Evaluate("2^3^2"), 512);

    public static void Powers_bind_tighter_than_a_sign() => Check.Equal(Calculator.Evaluate("-2^2"), -4);

    public static void The_power_of_nothing_is_one() => Check.Equal(Calculator.Evaluate("7^0"), 1);

    public static void Negative_exponents_are_refused() => Check.Throws<FormatException>(() => Calculator.Evaluate("2^-1"));

    public static void Signs_may_be_repeated() => Check.Equal(Calculator.Evaluate("3 - --2"), 1);

    public static void Functions_take_several_arguments()
    {
        Check.Equal(Calculator.Evaluate("max(1, 7, 3) - min(4, 2)"), 5);
        Check.Equal(Calculator.Evaluate("min(5)"), 5);
    }

    public static void Unknown_names_are_refused()
    {
        Check.Throws<FormatException>(() => Calculator.Evaluate("x + 1"));
        Check.Throws<FormatException>(() => Calculator.Evaluate("avg(1, 2)"));
    }

    public static void Unbalanced_brackets_are_refused()
    {
        Check.Throws<FormatException>(() => Calculator.Evaluate("(1 + 2"));
        Check.Throws<FormatException>(() => Calculator.Evaluate("1 + 2)"));
        Check.Throws<FormatException>(() => Calculator.Evaluate("max(1, 2"));
    }

    public static void An_expression_has_to_end_well() => Check.Throws<FormatException>(() => Calculator.Evaluate("1 +"));

    public static void White_space_separates_numbers() => Check.Equal(Tokenizer.Split(" 1 2 ").Count, 2);

    public static void Nothing_has_no_tokens() => Check.Equal(Tokenizer.Split("").Count, 0);

    public static void Names_hold_digits_but_do_not_begin_with_them() =>
        Check.Equal(Tokenizer.Split("2x3").Select(token => token.Kind.ToString()), new[] { "Number", "Name" });
}
