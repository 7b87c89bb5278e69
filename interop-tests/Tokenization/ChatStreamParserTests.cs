using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Tokenization;

public class ChatStreamParserTests
{
    private const string Call = """{"name": "add", "arguments": {"a": 1}}""";
    private const string Block = $"<tool_calls>\n{Call}\n</tool_calls>";

    /// <summary>What may stand in an output, whole, broken and in any order.</summary>
    public static class Outputs
    {
        public static Arbitrary<string> Any() => Gen.Elements(
                "<think>", "</think>", "<tool_calls>", "</tool_calls>", "<tool_calls>\n", "\n</tool_calls>", Block, Call, Call + "\n",
                "<", ">", "</", "<think", "<thin<think>", "\"", "\\", "{", "}", "\n", " ", "\t\n", "a", "é", "😀", "\ud83d", "two words",
                """{"name": "f", "arguments": {"s": "<think> </tool_calls> \" \\"}}""", """{"name": 1}""", """{"name": "\ud800"}""")
            .ListOf()
            .Select(string.Concat)
            .ToArbitrary();
    }

    [Fact]
    public void TheGuidesOutputIsTakenApart() => Assert.Equal(
        "reason:Okay, I will search.|call:search_web {\"q\": [\"\\\"OpenAI\\\"\"]}|call:search_web {\"q\": [\"Gemini\"]}",
        Parse(
            """
            <think>
            Okay, I will search.
            </think>
            <tool_calls>
            {"name": "search_web", "arguments": {"q": ["\"OpenAI\""]}}
            {"name": "search_web", "arguments": {"q": ["Gemini"]}}
            </tool_calls>
            """));

    [Theory]
    [InlineData("", "")]
    [InlineData(" \n a b \n ", "text: \n a b \n ")]
    [InlineData("<think>\n a \n b \n</think>\n\n c \n", "reason:a \n b|text:c \n")]
    [InlineData("<think>\n\n</think>\n\nc", "text:c")]
    [InlineData("<think>a", "reason:a")]
    [InlineData("<think>a</thin", "reason:a</thin")]
    [InlineData("<think>a <think> b</think>c", "reason:a <think> b|text:c")]
    [InlineData("<think>" + Block + "</think>", "reason:" + Block)]
    [InlineData("a </think> b", "text:a </think> b")]
    [InlineData("a <<think>b</think> 1 < 2", "text:a <|reason:b|text:1 < 2")]
    [InlineData("a \n" + Block + "\n b " + Block, "text:a|call:add {\"a\": 1}|text:b|call:add {\"a\": 1}")]
    [InlineData("<tool_calls>" + Call + "</tool_calls>", "call:add {\"a\": 1}")]
    [InlineData("<tool_calls>\r\n\r\n" + Call + "\r\n</tool_calls>", "call:add {\"a\": 1}")]
    [InlineData("<tool_calls>{\"name\": \"now\"}</tool_calls>", "call:now {}")]
    [InlineData("<tool_calls>{\"arguments\": {\"s\": \"</tool_calls>\\\"\"}, \"name\": \"f\"}</tool_calls>", "call:f {\"s\": \"</tool_calls>\\\"\"}")]
    public void TagsDivideTheOutput(string output, string expected) => Assert.Equal(expected, Parse(output));

    [Theory]
    [InlineData("a \n<tool_calls>\n</tool_calls> b")]
    [InlineData("a <tool_calls>\n" + Call + "\n")]
    [InlineData("a <tool_calls>\n" + Call + "\n</tool_calls")]
    [InlineData("<tool_calls>\n" + Call + "\nand so on\n</tool_calls>\n<")]
    [InlineData("<tool_calls>\n{\"name\": \"add\n</tool_calls> b")]
    [InlineData("<tool_calls>\n{\"name\": \"add\", \"arguments\": [1]}\n</tool_calls>")]
    [InlineData("<tool_calls>\n{\"name\": \"\"}\n</tool_calls>")]
    [InlineData("<tool_calls>\n{\"name\": \"a\", \"name\": \"b\"}\n</tool_calls>")]
    [InlineData("<tool_calls>\n{\"name\": \"\\ud800\"}\n</tool_calls>")]
    [InlineData("<tool_calls>\n[]\n</tool_calls>")]
    public void AMalformedBlockIsText(string output) => Assert.Equal($"text:{output}", Parse(output));

    /// <summary>Not among the attributes, which are stored as UTF-8.</summary>
    [Fact]
    public void ABlockOfBrokenUtf16IsText() => AMalformedBlockIsText("<tool_calls>{\"name\": \"\ud800\"}</tool_calls>");

    [Fact]
    public void ThePromptMayHaveOpenedTheReasoning() =>
        Assert.Equal("reason:a|text:b", Join([.. Feed(new ChatStreamParser(thinkingOpen: true), ["\na\n</think>\nb"])]));

    [Property(Arbitrary = [typeof(Outputs)], MaxTest = 2000)]
    public void WhereTheTextIsCutDoesNotMatter(string output, PositiveInt[] lengths, bool thinkingOpen)
    {
        var pieces = new List<string>();
        for (int at = 0, i = 0; at < output.Length; i++)
        {
            var length = Math.Min(lengths.Length > 0 ? lengths[i % lengths.Length].Get : 1, output.Length - at);
            pieces.Add(output.Substring(at, length));
            at += length;
        }

        var whole = Feed(new ChatStreamParser(thinkingOpen), [output]);
        Assert.Equal(Join(whole), Join(Feed(new ChatStreamParser(thinkingOpen), pieces)));
        Assert.All(whole, delta => Assert.Equal(delta.Kind == ChatDeltaKind.ToolCall, delta.ToolCall is not null && delta.Text.Length == 0));
    }

    /// <summary>Tags and white space apart, every character comes out again, in order.</summary>
    [Property(Arbitrary = [typeof(Outputs)], MaxTest = 2000)]
    public void NothingIsLost(string output)
    {
        var texts = Feed(new ChatStreamParser(), [output]).Select(delta =>
            delta.ToolCall is { } call ? $$"""{"name": "{{call.Name}}", "arguments": {{call.Arguments}}}""" : delta.Text);
        Assert.Equal(WithoutMarkup(output), WithoutMarkup(string.Concat(texts)));

        static string WithoutMarkup(string text)
        {
            text = string.Concat(text.Where(character => !char.IsWhiteSpace(character)));
            for (var before = ""; before != text;)
            {
                // Until nothing changes: what a tag stood between may now be one.
                before = text;
                text = text.Replace("<think>", "").Replace("</think>", "").Replace("<tool_calls>", "").Replace("</tool_calls>", "");
            }

            return text;
        }
    }

    [Fact]
    public void TextIsNotHeldBackWithoutNeed()
    {
        var parser = new ChatStreamParser();
        Assert.Equal("text:a b", Join(parser.Append("a b ")));
        Assert.Equal("text: <c", Join(parser.Append("<c")));
        Assert.Empty(parser.Append("<tool_calls>\n{}"));
        Assert.Equal("text:<tool_calls>\n{}</tool_calls>", Join(parser.Append("</tool_calls>")));
        Assert.Empty(parser.Flush());
    }

    [Fact]
    public void CallsReadBackFromTheMessageThatCarriesThem()
    {
        ChatToolCall[] calls = [new("say \"é\"", "{\"text\": \"</tool_calls>\\n\u2028\"}"), new("now", "{}"), new("wide", "\n{\r\n \"a\" : 1\n}\n")];
        var message = ChatMessage.Assistant("Let me see.", calls);
        var rendered = ChatTemplate.MiniMaxM1.Render([message, new("tool", [new ChatContent("12:00") { Name = "now" }])]);
        Assert.Contains("assistant\nLet me see.\n<tool_calls>\n{\"name\": \"say \\\"é\\\"\", \"arguments\": ", rendered);
        Assert.Equal(
            "text:Let me see.|call:say \"é\" {\"text\": \"</tool_calls>\\n\u2028\"}|call:now {}|call:wide {   \"a\" : 1 }",
            Parse(message.Content[0].Text!));
        Assert.Equal("hi", ChatMessage.Assistant("hi", []).Content[0].Text);
    }

    [Theory]
    [InlineData("", "{}")]
    [InlineData("f", "")]
    [InlineData("f", "[]")]
    [InlineData("f", "{}, \"more\": {}")]
    [InlineData("f", "{}}\n{\"name\": \"g\"")]
    public void CallsThatCannotBeWrittenAreRefused(string name, string arguments) =>
        Assert.Throws<ArgumentException>(() => ChatMessage.Assistant("", [new ChatToolCall(name, arguments)]));

    private static string Parse(string output) => Join(Feed(new ChatStreamParser(), [output]));

    private static List<ChatDelta> Feed(ChatStreamParser parser, IReadOnlyList<string> pieces) =>
        [.. pieces.SelectMany(parser.Append), .. parser.Flush()];

    /// <summary>Adjacent text and adjacent reasoning joined.</summary>
    private static string Join(IReadOnlyList<ChatDelta> deltas)
    {
        var result = new List<string>();
        ChatDeltaKind? last = null;
        foreach (var delta in deltas)
        {
            if (delta.Kind == last && delta.ToolCall is null)
            {
                result[^1] += delta.Text;
            }
            else
            {
                result.Add(delta.ToolCall is { } call ? $"call:{call.Name} {call.Arguments}"
                    : (delta.Kind == ChatDeltaKind.Text ? "text:" : "reason:") + delta.Text);
            }

            last = delta.Kind;
        }

        return string.Join('|', result);
    }
}
