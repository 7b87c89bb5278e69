using System.Text.Json;
using MiniMaxSharp.Cli;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Tokenization;

/// <summary>minimax tokenize and minimax render.</summary>
public sealed class JsonLinesCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Input => Path.Combine(_folder.Path, "in.jsonl");

    private string Output => Path.Combine(_folder.Path, "out.jsonl");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheIdsAreTheOracles()
    {
        var golden = Goldens.Read("ids.json");
        File.WriteAllLines(Input, golden[0].EnumerateArray().Select(text => $"{{\"text\": {JsonText.Quote(Goldens.Text(text))}}}"));
        Assert.Equal(0, Run("tokenize", Goldens.Directory));
        Assert.Equal(golden[1].GetProperty("ids").EnumerateArray().Select(ids => $"{{\"ids\":{ids.GetRawText()}}}"), File.ReadLines(Output));
    }

    [Fact]
    public void TheChatsAreTheOracles()
    {
        var chats = Goldens.Read("chats.json").EnumerateArray().ToList();
        File.WriteAllLines(Input, chats.Select(chat => chat.GetRawText()));
        Assert.Equal(0, Run("render", Goldens.Directory));
        Assert.Equal(chats.Select(chat => JsonText.Of(chat.GetProperty("rendered"))), Rendered());
    }

    [Fact]
    public void ContentMayBeAText()
    {
        File.WriteAllText(
            Input,
            """
            {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": null, "tool_calls": []}, {"role": "assistant"}]}
            {"messages": [{"role": "tool", "name": "now", "content": "12:00"}], "tools": null, "add_generation_prompt": null}
            """);
        Assert.Equal(0, Run("render", Goldens.Directory));
        const string Nothing = "<beginning_of_sentence>ai name=assistant\n<end_of_sentence>\n";
        Assert.Equal(
            [
                $"<begin_of_document><beginning_of_sentence>user name=user\nhi<end_of_sentence>\n{Nothing}{Nothing}",
                "<begin_of_document><beginning_of_sentence>tool name=tools\ntool name: now\ntool result: 12:00\n\n<end_of_sentence>\n",
            ],
            Rendered());
    }

    /// <summary>A line ends at a line feed alone; what is not UTF-8 is U+FFFD, as everywhere; the last of equal names counts.</summary>
    [Fact]
    public void LinesAreReadAsJavaScriptReadsThem()
    {
        byte[] broken = [.. "{\"text\":\r\"a\", \"text\": \"\u2028"u8, 0xE4, 0xB8, 0xC3, 0xA9, 0xFF, .. "\\ud83d\\ude00\", \"te\\ud800\": 1}\n\n{\"text\": \"\"}"u8];
        File.WriteAllBytes(Input, broken);
        Assert.Equal(0, Run("tokenize", Goldens.Directory));
        var expected = Tokenizer.Load(Goldens.Directory).Encode("\u2028\uFFFDé\uFFFD😀");
        Assert.Equal([$"{{\"ids\":[{string.Join(',', expected)}]}}", "{\"ids\":[]}"], File.ReadLines(Output));
    }

    [Theory]
    [InlineData("tokenize", "{\"text\": \"a\"}\n\n{\"text\": 5}\n", "line 3: 'text' must be of kind String")]
    [InlineData("tokenize", "{\"text\": \"a\"}\n{\"text\": \"a\n", "line 2: ")]
    [InlineData("tokenize", "[]", "line 1: expected an object")]
    [InlineData("tokenize", "{}", "line 1: the property 'text' is missing")]
    [InlineData("render", "{\"messages\": {}}", "line 1: 'messages' must be of kind Array")]
    [InlineData("render", "{\"messages\": [{\"content\": \"a\"}]}", "line 1: the property 'role' is missing")]
    [InlineData("render", "{\"messages\": [{\"role\": \"developer\", \"content\": \"a\"}]}", "line 1: The role 'developer'")]
    [InlineData("render", "{\"messages\": [{\"role\": \"user\", \"content\": 5}]}", "line 1: 'content' must be of kind Array")]
    [InlineData("render", "{\"messages\": [{\"role\": \"user\", \"content\": [\"a\"]}]}", "line 1: expected an object, found String")]
    [InlineData("render", "{\"messages\": [{\"role\": \"tool\", \"content\": \"a\"}]}", "line 1: A tool's result needs")]
    [InlineData("render", "{\"messages\": [], \"add_generation_prompt\": 1}", "line 1: 'add_generation_prompt' must be true or false")]
    [InlineData("render", "{\"messages\": [], \"tools\": {}}", "line 1: 'tools' must be of kind Array")]
    public void ABadLineIsNamedAndTheOutputStays(string verb, string lines, string complaint)
    {
        File.WriteAllText(Input, lines);
        File.WriteAllText(Output, "before");
        Assert.Equal(2, Run(verb, Goldens.Directory));
        Func<string, string, string, int> run = verb == "tokenize" ? TokenizeCommand.Run : RenderCommand.Run;
        Assert.StartsWith($"{Input}, {complaint}", Assert.Throws<InvalidDataException>(() => run(Goldens.Directory, Input, Output)).Message);
        Assert.Equal("before", File.ReadAllText(Output));
        Assert.Equal(2, Directory.GetFiles(_folder.Path).Length);
    }

    [Theory]
    [InlineData("tokenize")]
    [InlineData("render")]
    public void AMissingFolderIsBadInput(string verb)
    {
        File.WriteAllText(Input, "{}");
        Assert.Equal(2, Run(verb, Path.Combine(_folder.Path, "nowhere")));
        Assert.False(File.Exists(Output));
    }

    private IEnumerable<string> Rendered()
    {
        foreach (var line in File.ReadLines(Output))
        {
            using var document = JsonDocument.Parse(line);
            yield return JsonText.Of(document.RootElement.GetProperty("rendered"));
        }
    }

    private int Run(string verb, string tokenizer) =>
        Commands.Run([verb, "--tokenizer", tokenizer, "--input", Input, "--output", Output]);
}
