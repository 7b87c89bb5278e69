using System.Text.Json;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Cli;

/// <summary>minimax tokenize: added tokens in the text are recognised, none is added around it.</summary>
internal static class TokenizeCommand
{
    public static int Run(string directory, string input, string output)
    {
        Tokenizer tokenizer = Tokenizer.Load(directory);
        JsonLines.Convert(input, output, line =>
        {
            string text = JsonText.Of(JsonLines.Get(line, "text").Expect(JsonValueKind.String, "text"));
            return $"{{\"ids\":[{string.Join(',', tokenizer.Encode(text))}]}}";
        });
        return 0;
    }
}
