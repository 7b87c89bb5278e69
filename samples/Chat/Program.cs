using Microsoft.Extensions.AI;
using MiniMaxSharp.Serving;

// A chat in the console: dotnet run -c Release --project samples/Chat [CHECKPOINT]. An empty line, or Ctrl-D, ends it.
string checkpoint = args.Length > 0 ? args[0] : "runs/seed-0/checkpoint";
if (!Directory.Exists(checkpoint))
{
    Console.Error.WriteLine($"There is no {checkpoint}. The main job makes one: dotnet run -c Release --project samples/LogicReasoner");
    return 2;
}

using IChatClient client = MiniMaxChatClient.Load(checkpoint);
List<ChatMessage> conversation = [];
Console.Write("> ");
while (Console.ReadLine() is { Length: > 0 } line)
{
    conversation.Add(new ChatMessage(ChatRole.User, line));
    List<ChatResponseUpdate> answer = [];
    await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(conversation))
    {
        answer.Add(update);
        // Thinking comes as content of its own, here before the answer.
        Console.Write(string.Concat(update.Contents.Select(c => (c as TextReasoningContent)?.Text ?? (c as TextContent)?.Text)));
    }

    conversation.AddMessages(answer);
    Console.Write("\n> ");
}

return 0;
